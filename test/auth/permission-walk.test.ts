import t from 'tap';
import type { Command } from '../../src/plugins/host/contract.js';
import { impossibleHash } from '../../src/auth/passwords.js';
import { OWN_WORDS } from '../plugins/own-words.js';
import { injectable } from '../support/inject.js';

/** Every command of every plugin, as a stranger, as a tenant and as an admin. */

const CONFIG = `
[server]
anonymous-list = true
[accounts.admin]
password = "${impossibleHash(12)}"
grants = [{ instances = ["*"], commands = ["*"] }]
[accounts.reader]
password = "${impossibleHash(12)}"
grants = [{ instances = ["mine*", "shown"], commands = ["read"] }]
[accounts.tenant]
password = "${impossibleHash(12)}"
grants = [{ instances = ["mine*"], commands = ["*"] }, { instances = ["shown"], commands = ["status"] }]
[accounts.nobody]
password = "${impossibleHash(12)}"
[providers.demo]
type = "sim"
instances = ["mine1", "mine2", "shown", "hidden"]
[providers.other]
type = "sim"
instances = ["hidden2"]
`;

const OK = '200 OK';
const DENIED = ['400 NOT ALLOWED'];

const stack = await injectable(CONFIG);
const commands = stack.dispatcher.parts.table.all();
/** with the word that ends its line, where it needs one */
const onInstances = commands.filter(({ on }) => on === 'instances').map((row) => ({ ...row, last: row.words.length > 0 ? ` ${row.words[0]!}` : '' }));
const words = (rows: readonly Command[]) => rows.map(({ word }) => word);

void t.test('the walk meets every command', async (t) => {
  t.same(words(commands), OWN_WORDS);
  t.equal(onInstances.length, 19);
});

void t.test('a stranger', async (t) => {
  const stranger = stack.session();
  for (const { word } of commands) {
    const allowed = ['auth', 'list', 'help', 'nop', 'exit'].includes(word);
    for (const words of [`${word} mine1`, `${word} hidden`, `${word} nosuch`, `${word} *`, word]) {
      const [first] = await stranger.ask(words);
      if (allowed) t.not(first, '400 NOT AUTHENTICATED', words);
      else t.equal(first, '400 NOT AUTHENTICATED', words);
    }
  }
  t.equal((await stranger.ask('bogus'))[0], '400 NOT AUTHENTICATED', 'what is no command is not told either');
  t.same(await stranger.ask('list'), [OK, 'mine1', 'mine2', 'shown', 'hidden', 'hidden2', '300 DONE']);
});

void t.test('a tenant on its own instance', async (t) => {
  const tenant = stack.session('tenant');
  for (const { word, last } of onInstances) t.equal((await tenant.ask(`${word} mine1${last}`))[0], OK, word);
});

void t.test('a tenant on what it does not see: existing or not, there is no telling', async (t) => {
  const tenant = stack.session('tenant');
  const before = stack.audited.length;
  for (const { word, last } of onInstances) {
    for (const name of ['hidden', 'demo/hidden', 'other/hidden2', 'nosuch', 'demo/nosuch', 'noprovider/x', '"hid*"']) {
      t.same(await tenant.ask(`${word} ${name}${last}`), DENIED, `${word} ${name}`);
      t.same(await tenant.ask(`${word} mine1 ${name}${last}`), DENIED, `${word} mine1 ${name}`);
    }
    for (const glob of ['hid*', 'other/*', '@nogroup', 'nosuch*']) {
      t.same(await tenant.ask(`${word} ${glob}${last}`), ['400 NO MATCH'], `${word} ${glob}`);
    }
  }
  t.equal(stack.audited.length, before, 'nothing was begun');
});

void t.test('a tenant on what it sees and may not use', async (t) => {
  const tenant = stack.session('tenant');
  for (const { word, last } of onInstances) {
    const expected = word === 'status' ? OK : '400 NOT ALLOWED';
    t.equal((await tenant.ask(`${word} shown${last}`))[0], expected, word);
    t.equal((await tenant.ask(`${word} mine1 shown${last}`))[0], expected, `${word} with another`);
    t.equal((await tenant.ask(`${word} *${last}`))[0], expected, `${word} by a glob`);
  }
  t.same(await tenant.ask('list'), [OK, 'mine1', 'mine2', 'shown', '300 DONE']);
  t.same(await tenant.ask('status *'), [OK, ...(await tenant.ask('status *')).slice(1, -1), '300 DONE']);
  t.same(await tenant.ask('start mine9'), ['400 NO SUCH INSTANCE: mine9'], 'a name that its grant covers may be told to be missing');
  t.same(await tenant.ask('dmesg'), DENIED);
  t.same(await tenant.ask('dmesg demo'), DENIED);
});

void t.test('an account with the right to read', async (t) => {
  const reader = stack.session('reader');
  for (const { word, last, right } of onInstances) {
    t.equal((await reader.ask(`${word} mine1${last}`))[0], right === 'read' ? OK : '400 NOT ALLOWED', word);
    t.equal((await reader.ask(`${word}`))[0]?.startsWith(right === 'read' ? '400 USAGE' : '400 NOT ALLOWED'), true, word);
  }
  const help = await reader.ask('help');
  t.notOk(help.some((line) => /^(start|stop|pause|dmesg)\b/.test(line)), 'help shows what it may use');
  t.ok(help.some((line) => line.startsWith('status ')));
});

void t.test('an account without grants', async (t) => {
  const nobody = stack.session('nobody');
  for (const { word, right } of commands.filter(({ right }) => right === 'read' || right === 'power')) {
    t.same(await nobody.ask(`${word} mine1`), DENIED, `${word} (${right})`);
  }
  t.same(await nobody.ask('list'), [OK, '300 DONE']);
  t.same(await nobody.ask('nop'), [OK, '300 DONE']);
});

void t.test('an admin', async (t) => {
  const admin = stack.session('admin');
  for (const { word, last } of onInstances) {
    t.equal((await admin.ask(`${word} hidden${last}`))[0], OK, word);
    t.same(await admin.ask(`${word} nosuch${last}`), ['400 NO SUCH INSTANCE: nosuch'], word);
    t.same(await admin.ask(`${word} nosuch*${last}`), ['400 NO MATCH'], word);
  }
  t.same(await admin.ask('dmesg'), ['400 AMBIGUOUS: demo, other']);
  t.equal((await admin.ask('dmesg other'))[0], OK);
  t.same(await admin.ask('dmesg nosuch'), ['400 NO SUCH PROVIDER: nosuch']);
  t.same(await admin.ask('bogus'), ['400 UNKNOWN COMMAND: help lists the commands']);
  t.equal((await admin.ask('help')).length, commands.length + 2);
});

void t.test('where anonymous list is switched off', async (t) => {
  const closed = await injectable(CONFIG.replace('anonymous-list = true', 'anonymous-list = false'));
  const stranger = closed.session();
  t.same(await stranger.ask('list'), ['400 NOT AUTHENTICATED']);
  t.notOk((await stranger.ask('help')).some((line) => line.startsWith('list')));
});
