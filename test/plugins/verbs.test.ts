import t from 'tap';
import { Completer } from '../../src/client/completion.js';
import { loadCommands } from '../../src/plugins/host/command-table.js';
import type { Context, Plugin, Verb } from '../../src/plugins/host/contract.js';
import { startCore, accountTable } from '../server/core.js';

const CONFIG = `
[server]
listen = ["127.0.0.1:0"]
${accountTable('all', '"*"')}
${accountTable('reader', '"read"')}
${accountTable('maker', '"configure"')}
${accountTable('word', '"thing"')}
${accountTable('one', '"thing.make"')}
${accountTable('part', '"thing"', '"lj"')}
${accountTable('other', '"power"')}
[groups]
g = ["lj"]
[providers.demo]
type = "sim"
instances = ["lj", "web1", "my vm"]
[providers.lab]
type = "sim"
instances = ["web1"]
`;

const seen: (readonly string[])[] = [];
const verb = (word: string, rest: Partial<Verb>): Verb => ({ word, usage: `thing ${word} X`, help: `To ${word}.`, right: 'read', run: (request) => { seen.push([word, ...request.args]); }, ...rest });

const plugin: Plugin = {
  commands: [{
    word: 'thing',
    help: 'For a test.',
    verbs: [
      verb('look', { on: 'provider', options: ['json'], words: ['all'] }),
      verb('make', { right: 'configure', on: 'instance', options: ['dry-run'], run: (request) => request.body.lines([...request.targets.map(({ fullName }) => fullName), ...request.args]) }),
      verb('sneak', { on: 'instance', run: async (request: Context) => { await request.configure(request.targets[0]!, { operation: 'autostart', value: true }); } }),
      verb('set', { right: 'configure', on: 'instance', run: async (request: Context) => { await request.configure(request.targets[0]!, { operation: 'autostart', value: true }); } }),
    ],
  }],
};

const USAGE = '400 USAGE: thing look|make|sneak|set ...\n';
const DENIED = '400 NOT ALLOWED\n';
const ok = (...body: string[]): string => ['200 OK', ...body, '300 DONE', ''].join('\n');

await t.test('a verb has to follow, wherever the options stand', async (t) => {
  const { session, ask } = await startCore(t, { config: CONFIG, plugins: { plugin } });
  const all = await session('all');
  for (const line of ['thing', 'thing nothing', 'thing --json', 'thing -- --look', 'thing ""', 'thing __proto__', 'thing "look "']) t.equal(await ask(all, line), USAGE, line);
  seen.length = 0;
  for (const line of ['thing look demo', 'THING LOOK demo', 'thing --json look demo', 'thing look --json demo', 'thing look demo all --json', 'thing -- look demo']) t.equal(await ask(all, line), ok(), line);
  t.same(seen, [['look', 'demo'], ['look', 'demo'], ['look', 'demo'], ['look', 'demo'], ['look', 'demo', 'all'], ['look', 'demo']]);
  t.equal(await ask(all, 'thing look --dry-run demo'), '400 USAGE: thing look X\n', 'an option of another verb');
  t.equal(await ask(await session(), 'thing look demo'), '400 NOT AUTHENTICATED\n');
});

await t.test('on one instance', async (t) => {
  const { session, ask } = await startCore(t, { config: CONFIG, plugins: { plugin } });
  const all = await session('all');
  t.equal(await ask(all, 'thing make lj'), ok('demo/lj', 'lj'));
  t.equal(await ask(all, 'thing make "my vm" a=1 *'), ok('demo/my vm', 'my vm', 'a=1', '*'), 'what follows is its own business');
  for (const line of ['thing make', 'thing make --dry-run', 'thing make l*', 'thing make lj*', 'thing make @g', 'thing make l[j]']) t.equal(await ask(all, line), '400 USAGE: thing make X\n', line);
  t.equal(await ask(all, 'thing make web1'), '400 AMBIGUOUS: demo/web1, lab/web1\n');
  t.equal(await ask(all, 'thing make nothing'), '400 NO SUCH INSTANCE: nothing\n', 'nothing was accepted');
  t.equal(await ask(all, 'thing make "l*"'), '400 NO SUCH INSTANCE: l*\n');
});

await t.test('each verb has a right of its own, and can do no more', async (t) => {
  const { session, ask, audit } = await startCore(t, { config: CONFIG, plugins: { plugin } });
  const may: Readonly<Record<string, readonly string[]>> = { all: ['look', 'make', 'set'], reader: ['look'], maker: ['make', 'set'], word: ['look', 'make', 'set'], one: ['make'], part: ['make', 'set'], other: [] };
  for (const [name, verbs] of Object.entries(may)) {
    const one = await session(name);
    for (const word of ['look', 'make', 'set']) {
      const reply = await ask(one, `thing ${word} ${word === 'look' ? 'demo' : 'lj'}`);
      const isAllowed = verbs.includes(word) || (name === 'part' && word === 'look');
      t.match(reply, isAllowed ? /^200 OK/ : /^400 NOT ALLOWED\n$/, `${name} ${word}`);
    }
    t.equal(await ask(one, 'thing'), verbs.length > 0 ? USAGE : DENIED, `${name} without a verb`);
  }
  t.equal(audit.begun.length, 4, 'set, by those who may');
  for (const name of ['all', 'reader', 'word']) t.equal(await ask(await session(name), 'thing sneak lj'), DENIED, `a verb that says "read" changes nothing for ${name}`);
  t.equal(await ask(await session('part'), 'thing make "my vm"'), DENIED);
  t.equal(await ask(await session('part'), 'thing make nothing'), DENIED, 'there or not is not told');
  t.equal(audit.begun.length, 4);
});

await t.test('help shows what one may use', async (t) => {
  const { session, ask } = await startCore(t, { config: CONFIG, plugins: { plugin } });
  const helped = async (name: string, line: string): Promise<string[]> => (await ask(await session(name), line)).split('\n').slice(1, -2);
  t.match((await helped('all', 'help')).filter((line) => line.startsWith('thing')), [/^thing look\|make\|sneak\|set \.\.\. +For a test\.$/]);
  t.same(await helped('all', 'help thing'), ['thing look X   To look.', 'thing make X   To make.', 'thing sneak X  To sneak.', 'thing set X    To set.']);
  t.same(await helped('reader', 'help thing'), ['thing look X   To look.', 'thing sneak X  To sneak.']);
  t.same(await helped('maker', 'help thing'), ['thing make X  To make.', 'thing set X   To set.']);
  t.equal(await ask(await session('other'), 'help thing'), '400 UNKNOWN COMMAND: help lists the commands\n');
  t.notMatch(await ask(await session('other'), 'help'), /^thing/m);
  const [row = '{}'] = await helped('reader', 'help thing --json');
  t.same(JSON.parse(row), {
    word: 'thing', aliases: [], usage: 'thing look|make|sneak|set ...', help: 'For a test.', right: 'read', on: null, options: [], words: [], rawWords: false,
    verbs: [
      { word: 'look', usage: 'thing look X', help: 'To look.', right: 'read', on: 'provider', options: [{ name: 'json', value: 'none' }], words: ['all'], providers: ['demo', 'lab'] },
      { word: 'sneak', usage: 'thing sneak X', help: 'To sneak.', right: 'read', on: 'instance', options: [], words: [] },
    ],
  });
  const [part = '{}'] = await helped('part', 'help thing --json');
  t.same((JSON.parse(part) as { verbs: { word: string }[] }).verbs.map(({ word }) => word), ['make', 'sneak', 'set'], 'no provider is all its own');
});

await t.test('argo completes by what the server tells', async (t) => {
  const { session, ask } = await startCore(t, { config: CONFIG, plugins: { plugin } });
  const all = await session('all');
  const completer = new Completer(async (line) => (await ask(all, line)).split('\n').slice(1, -2));
  t.same(await completer.complete('thing '), [['look ', 'make ', 'sneak ', 'set '], '']);
  t.same(await completer.complete('thing look '), [['demo', 'lab'], '']);
  t.same(await completer.complete('thing look demo '), [['all'], '']);
  t.same(await completer.complete('thing make '), [['lj', 'demo/web1', '"my vm"', 'lab/web1'], '']);
  t.same(await completer.complete('thing make --'), [['--dry-run'], '--']);
  t.same(await completer.complete('stats lab io'), [['iowait'], 'io']);
});

await t.test('a command that several rights hold', async (t) => {
  const also: Plugin = { commands: [{ word: 'mine', usage: 'mine NAME', help: 'x', right: 'power', alsoBy: ['configure'], on: 'instances', run: (request) => request.each((target) => request.configure(target, { operation: 'autostart', value: true })) }] };
  const { session, ask } = await startCore(t, { config: CONFIG, plugins: { also } });
  t.equal(await ask(await session('reader'), 'mine'), DENIED);
  t.match(await ask(await session('maker'), 'mine'), /^400 USAGE/);
  t.equal(await ask(await session('maker'), 'mine lj'), DENIED, 'on machines it is its own right that counts');
  t.match(await ask(await session('all'), 'mine lj'), /400 NOT ALLOWED\n$/, 'and it does no more by them');
  t.equal(await ask(await session('maker'), 'task'), ok(), 'task, for who begins tasks');
  t.match(await ask(await session('maker'), 'help'), /^task /m);
  t.equal(await ask(await session('reader'), 'task'), DENIED);
});

await t.test('what rows of verbs must be like', async (t) => {
  const fault = (verbs: unknown, rest: object = {}): string | undefined => {
    try {
      loadCommands({ commands: [{ word: 'x', help: 'x', verbs, ...rest }] });
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  };
  t.equal(fault([verb('a', {})]), undefined);
  for (const [verbs, words] of [
    [[], /must be a list/], ['a', /must be a list/], [null, /must be a list/], [[null], /no object/], [[verb('A b', {})], /no verb/], [[verb('a', {}), verb('a', {})], /two verbs of x are one/],
    [[verb('a', { right: 'anyone' as 'read' })], /the right of x a must be/], [[{ ...verb('a', {}), run: undefined }], /lacks run/], [[verb('a', { on: 'hosts' as 'provider' })], /must be on one of/],
    [[verb('a', { options: ['bogus' as 'json'] })], /the options of x/], [[{ ...verb('a', {}), rawWords: true }], /x a has rawWords/],
    [[{ ...verb('a', {}), usages: 'x' }], /^the verb x a has usages, which this argo-server does not know; is usage meant\?$/],
  ] as const) t.match(fault(verbs), words);
  t.match(fault([verb('a', {})], { word: 'power' }), /names a set in grants/);
  t.match(fault([verb('a', {})], { right: 'read' }), /^the command x has right, which/, 'its verbs have it');
});
