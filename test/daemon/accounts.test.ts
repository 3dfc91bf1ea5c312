import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import bcrypt from 'bcrypt';
import t from 'tap';
import { lacks } from '../support/peers.js';
import { argoServer, onTerminal, scratch } from './cli.js';

const HASH = '$2b$12$NputH3vRqBIdT3Fcq5GCFOmeRf0Z.6rUOcz6VRBiuKunt6qCHPKGO';
const CONFIG = `# ours
[accounts.steve] # the admin
password = "${HASH}"
from = ["127.0.0.0/8"]
[[accounts.steve.grants]]
instances = ["*"]
commands = ["*"]
[groups]
web = ["web[1-3]"]
`;

const hashOf = (text: string, name: string): string => new RegExp(`\\[accounts\\.${name}\\][^\\[]*?password = "([^"]*)"`).exec(text)?.[1] ?? '';

await t.test('add, list, passwd and remove', async (t) => {
  const folder = scratch(t);
  const file = join(folder, 'argo-server.conf');
  writeFileSync(file, CONFIG);
  chmodSync(file, 0o600);
  const run = (args: readonly string[], input?: string) => argoServer(folder, [...args, '--config', file], input);

  const added = await run(['account', 'add', 'bob', '--instances', 'lj', '@web', '--commands', 'read', 'start'], 's3cret with blanks\nsecond line\n');
  t.same(added, { code: 0, stdout: `Account bob is in ${file}.\n`, stderr: '' });
  const text = readFileSync(file, 'utf8');
  t.equal(text.startsWith(CONFIG.trimEnd()), true, 'what was there stays');
  t.equal(await bcrypt.compare('s3cret with blanks', hashOf(text, 'bob')), true);
  t.match(hashOf(text, 'bob'), /^\$2b\$12\$/);
  t.equal(statSync(file).mode & 0o777, 0o600);

  t.match(await run(['account', 'list']), { code: 0, stdout: 'steve from 127.0.0.0/8: * on *\nbob: read,start on lj,@web\n' });

  t.match(await run(['account', 'passwd', 'steve'], 'another\r\n'), { code: 0, stderr: '' });
  const changed = readFileSync(file, 'utf8');
  t.equal(await bcrypt.compare('another', hashOf(changed, 'steve')), true);
  t.equal(changed, text.replace(HASH, hashOf(changed, 'steve')));

  t.match(await run(['account', 'remove', 'bob']), { code: 0 });
  t.equal(readFileSync(file, 'utf8').trimEnd(), CONFIG.trimEnd().replace(HASH, hashOf(changed, 'steve')));
  t.match(await run(['check']), { code: 0, stdout: /is good: 1 account,/ });
});

await t.test('token, tokens and revoke', async (t) => {
  const folder = scratch(t);
  const file = join(folder, 'argo-server.conf');
  writeFileSync(file, CONFIG);
  const run = (...args: readonly string[]) => argoServer(folder, ['account', ...args, '--config', file]);
  const { code, stdout, stderr } = await run('token', 'steve', '--name', 'backup', '--instances', '@web', 'lj', '--commands', 'read', '--expires', '30d');
  t.equal(code, 0, stderr);
  t.match(stdout, /^argo_[\w-]{43}\n$/);
  const text = readFileSync(file, 'utf8');
  t.equal(text.startsWith(CONFIG.trimEnd()), true, 'what was there stays');
  t.notOk(text.includes(stdout.trim()), 'the token itself is not kept');
  t.notOk(stderr.includes(stdout.trim()));
  t.match(await run('tokens'), { code: 0, stdout: /^steve backup: read on @web,lj until 20\d\d-\d\d-\d\dT\S+Z\n$/ });
  t.match(await argoServer(folder, ['check', '--config', file]), { code: 0 });
  for (const [args, message] of [
    [['token', 'steve', '--name', 'backup'], /another token backup/], [['token', 'nobody'], /no account nobody/], [['token', 'steve', '--name', 'a b'], /cannot be used/],
    [['token', 'steve', '--expires', 'soon'], /no duration/], [['token', 'steve', '--instances', '@nope'], /no group @nope/], [['revoke', 'steve', 'other'], /cannot find/],
  ] as const) t.match(await run(...args), { code: 1, stderr: message }, args.join(' '));
  t.equal(readFileSync(file, 'utf8'), text);
  t.match(await run('revoke', 'steve', 'backup'), { code: 0 });
  t.equal(readFileSync(file, 'utf8').trimEnd(), CONFIG.trimEnd());
});

await t.test('what cannot be done leaves the file as it is, and repeats no password', async (t) => {
  const folder = scratch(t);
  const file = join(folder, 'argo-server.conf');
  writeFileSync(file, CONFIG);
  for (const [args, input, code, message] of [
    [['add', 'steve'], 'hunter2', 1, /there is an account steve already/], [['add', 'a b'], 'hunter2', 1, /cannot be used as an account's name/],
    [['add', 'bob'], '', 1, /the password is empty/], [['add', 'bob'], `${'hunter2'.repeat(11)}\n`, 1, /longer than 72 bytes/], [['add', 'bob'], 'hunter2\u0007', 1, /control/],
    [['add', 'bob', '--instances', 'web[1-'], 'hunter2', 1, /without \]/], [['add', 'bob', '--instances', '@nope'], 'hunter2', 1, /no group @nope/],
    [['passwd', 'nobody'], 'hunter2', 1, /there is no account nobody/], [['remove', 'nobody'], '', 1, /there is no account nobody/],
    [['add'], '', 2, /see argo-server --help/], [[], '', 2, /add, passwd, list, remove, token, tokens or revoke/], [['frob', 'x'], '', 2, /see argo-server --help/],
    [['add', 'bob', '--password', 'hunter2'], '', 2, /Unknown argument: password/],
  ] as const) {
    const outcome = await argoServer(folder, ['account', ...args, '--config', file], input);
    t.equal(outcome.code, code, args.join(' '));
    t.match(outcome.stderr, message, args.join(' '));
    t.notMatch(outcome.stdout + outcome.stderr, /hunter2/);
    t.equal(readFileSync(file, 'utf8'), CONFIG);
  }
  writeFileSync(file, '[bad');
  t.match(await argoServer(folder, ['account', 'add', 'bob', '--config', file], 'x'), { code: 1, stderr: /argo-server\.conf:1:/ });
  t.match(await argoServer(folder, ['account', 'list', '--config', join(folder, 'absent')]), { code: 1, stderr: /cannot be read/ });
});

await t.test('a fault that the account commands themselves mend does not keep them from it', async (t) => {
  const folder = scratch(t);
  const file = join(folder, 'argo-server.conf');
  const run = (args: readonly string[], input?: string) => argoServer(folder, [...args, '--config', file], input);
  writeFileSync(file, `${CONFIG}[plans.off]\naccount = "ups"\nstages = [{ name = "all", stop = ["lj"] }]\n[accounts.kim]\npassword = "plain"\n`, { mode: 0o600 });
  t.match(await run(['check']), { code: 1, stderr: /:14:1: password: must be a bcrypt hash.*\n.*:11:1: there is no account ups; `argo-server account add ups` makes it\n/ });
  t.match(await run(['account', 'list']), { code: 1, stderr: /no account ups/ }, 'what cannot be read is not told');
  t.match(await run(['account', 'add', 'ups', '--instances', '*'], 's3cret\n'), { code: 0, stdout: /Account ups is in .* The file is not good yet: see `argo-server check`\.\n$/ });
  t.match(await run(['account', 'add', 'bob', '--instances', '@nope'], 's3cret\n'), { code: 1, stderr: /^argo-server: \S+: there is no group @nope\n$/ }, 'no further fault is written');
  t.match(await run(['account', 'passwd', 'kim'], 's3cret\n'), { code: 0, stdout: /The password of kim is changed in .*conf\.\n$/ });
  t.match(await run(['check']), { code: 0, stdout: /is good: 3 accounts/ });
});

await t.test('without a configuration file the accounts are with the state', async (t) => {
  const folder = scratch(t);
  t.match(await argoServer(folder, ['account', 'add', 'bob'], 'secret'), { code: 0, stdout: /Account bob is in .*state\/accounts\.conf\. It may do nothing yet: add \[\[accounts\.bob\.grants\]\] there\.\n$/ });
  const file = join(folder, 'state', 'accounts.conf');
  t.equal(await bcrypt.compare('secret', hashOf(readFileSync(file, 'utf8'), 'bob')), true);
  t.equal(statSync(file).mode & 0o007, 0);
  t.match(await argoServer(folder, ['account', 'list']), { stdout: 'bob: no grants\n' });
  const first = join(folder, 'state', 'admin-password');
  writeFileSync(first, 'of the first start\n', { mode: 0o600 });
  for (const args of [['passwd', 'bob'], ['add', 'admin']]) t.match(await argoServer(folder, ['account', ...args], 'secret'), { code: 0 });
  t.ok(existsSync(first));
  t.match(await argoServer(folder, ['account', 'passwd', 'admin'], 'another'), { code: 0 });
  t.notOk(existsSync(first), 'it is another one now');
});

await t.test('on a terminal the password is asked for twice and not shown', { skip: lacks('script') }, async (t) => {
  const folder = scratch(t);
  const file = join(folder, 'argo-server.conf');
  writeFileSync(file, CONFIG);
  const terminal = onTerminal(t, folder, ['account', 'add', 'bob', '--config', file]);
  await terminal.answer('Password: ', 's3cret\r');
  await terminal.answer('Again: ', 's3cret\r');
  t.equal((await terminal.ended).code, 0, terminal.shown());
  t.notMatch(terminal.shown(), /s3cret/);
  t.equal(await bcrypt.compare('s3cret', hashOf(readFileSync(file, 'utf8'), 'bob')), true);
});

await t.test('on a terminal, what goes wrong or is called off changes nothing', { skip: lacks('script') }, async (t) => {
  const folder = scratch(t);
  const file = join(folder, 'argo-server.conf');
  writeFileSync(file, CONFIG);
  for (const [first, second, message] of [
    ['one\r', 'two\r', /the two passwords differ/], ['\r', undefined, /the password is empty/], ['\u0003', undefined, /cancelled/], ['\u0004', undefined, /cancelled/], ['one\r', '\u0003', /cancelled/],
  ] as const) {
    const terminal = onTerminal(t, folder, ['account', 'passwd', 'steve', '--config', file]);
    await terminal.answer('Password: ', first);
    if (second !== undefined) await terminal.answer('Again: ', second);
    t.equal((await terminal.ended).code, 1, JSON.stringify(first));
    t.match(terminal.shown(), message);
    t.equal(readFileSync(file, 'utf8'), CONFIG);
  }
});
