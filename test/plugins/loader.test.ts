import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mock } from 'node:test';
import t, { type Test } from 'tap';
import { CommandTable, loadCommands } from '../../src/plugins/host/command-table.js';
import type { Command } from '../../src/plugins/host/contract.js';
import { PluginLoader } from '../../src/plugins/host/loader.js';
import { OWN_WORDS } from './own-words.js';

/** The text of a module that brings one word. */
const source = (word: string, rest = ''): string =>
  `export default { commands: [{ word: '${word}', usage: '${word}', help: 'x', right: 'anyone', run() {}, ${rest} }] };\n`;

/** A folder for plugins, a loader, and what it complained of. */
function arrange(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'argo-plugins-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const complaints: string[] = [];
  const loader = new PluginLoader((_level, message, facts) => complaints.push(`${message} ${JSON.stringify(facts)}`));
  let written = 0;
  return {
    folder,
    loader,
    complaints,
    write: (name: string, text: string): void => {
      writeFileSync(join(folder, name), text);
      // clocks of file systems are coarse: each writing gets a time of its own
      written += 10;
      utimesSync(join(folder, name), written, written);
    },
    words: async (folders = [folder]): Promise<string[]> =>
      (await loader.load(folders))
        .all()
        .map(({ word }) => word)
        .filter((word) => !OWN_WORDS.includes(word)),
  };
}

await t.test('the server\'s own plugins are found by looking', async (t) => {
  const { loader, complaints } = arrange(t);
  const table = await loader.load([]);
  t.same(table.all().map(({ word }) => word), OWN_WORDS);
  t.equal(table.find('QUIT'), table.find('exit'));
  t.equal(table.find('Start')?.word, 'start');
  for (const word of ['', 'bogus', '__proto__', 'constructor', 'start ', 'İ']) t.equal(table.find(word), undefined, word);
  t.same(complaints, []);
});

await t.test('which files of a folder are plugins', async (t) => {
  const { folder, write, words, complaints } = arrange(t);
  write('a.js', source('aa'));
  write('package.json', '{ "type": "module" }');
  write('b.mjs', source('bb'));
  write('c.txt', 'not a module');
  write('d.js.map', '{}');
  write('e.d.ts', 'export {};');
  write('.hidden.mjs', source('hidden'));
  mkdirSync(join(folder, 'sub.js'));
  mkdirSync(join(folder, 'lib'));
  writeFileSync(join(folder, 'lib', 'x.mjs'), source('inside'));
  symlinkSync('b.mjs', join(folder, 'again.mjs'));
  t.same(await words(), ['aa', 'bb', 'hidden']);
  t.match(complaints, [/command word is taken .*b\.mjs.*"bb"/], 'a link to a plugin is a plugin of its own');
});

await t.test('a broken plugin is reported and leaves the others alone', async (t) => {
  const { folder, write, words, complaints } = arrange(t);
  write('good.mjs', source('good'));
  const broken: Readonly<Record<string, readonly [string, RegExp]>> = {
    'syntax.mjs': ['export default {\n  commands: [[\n};', /Unexpected token .*"line":3/],
    'syntax-elsewhere.mjs': ['import "./lib/broken.mjs"', /Unexpected end[^l]*"keptFromBefore"/],
    'key.mjs': [source('key', 'option: ["json"]'), /the command key has option, which this argo-server does not know; is options meant\?/],
    'driver-key.mjs': ['export default { kind: "driver", option: {}, options: {}, open() {} }', /the driver has option/],
    'gateway-key.mjs': ['export default { kind: "drivers", options: {}, open() {} }', /the gateway has kind/],
    'defaults.mjs': ['export default { kind: "driver", options: {}, defaults: { pollinterval: 1000 }, open() {} }', /defaults has pollinterval.* is pollInterval meant/],
    'throws.mjs': ['throw new Error("at once")', /at once/],
    'throws-nothing.mjs': ['throw undefined', /undefined/],
    'throws-text.mjs': ['throw "just text"', /just text/],
    'absent.mjs': ['import "./nowhere.mjs"', /nowhere/],
    'empty.mjs': ['', /lists no commands/],
    'none.mjs': ['export default { commands: [] }', /lists no commands/],
    'null.mjs': ['export default null', /lists no commands/],
    'holes.mjs': ['export default { commands: [null] }', /./],
    'word.mjs': [source('Two Words'), /no command word/],
    'alias.mjs': [source('alias', 'aliases: ["9"]'), /9.*is no command word/],
    'right.mjs': [source('right').replace('anyone', 'everything'), /the right of right/],
    'run.mjs': ['export default { commands: [{ word: "norun", usage: "x", help: "x", right: "read" }] }', /lacks run/],
    'usage.mjs': ['export default { commands: [{ word: "nousage", help: "x", right: "read", run() {} }] }', /lacks usage/],
    'open.mjs': [source('open', 'on: "instances"'), /must be one of read, power/],
    'getter.mjs': ['export default { get commands() { throw new Error("got") } }', /got/],
  };
  mkdirSync(join(folder, 'lib'));
  write('lib/broken.mjs', 'export default {');
  for (const [name, [text]] of Object.entries(broken)) write(name, text);
  t.same(await words(), ['good']);
  for (const [name, [, reason]] of Object.entries(broken)) {
    const complaint = complaints.find((line) => line.includes(`/${name}"`));
    t.match(complaint, /^plugin cannot be loaded/, name);
    t.match(complaint, reason, name);
  }
  t.equal(complaints.length, Object.keys(broken).length);
});

await t.test('a module that never gets ready is given up', async (t) => {
  const { write, words, complaints } = arrange(t);
  write('waits.mjs', `await new Promise(() => {});\n${source('waits')}`);
  write('good.mjs', source('good'));
  t.same(await words(), ['good']);
  t.match(complaints, [/cannot be loaded .*waits\.mjs/]);
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  t.same(await words(), ['good'], 'not waited for anew in the same start, for drivers, gateways and commands each');
  t.equal(complaints.length, 1);
});

await t.test('a reload takes what is new, changed and gone', async (t) => {
  const { folder, write, words } = arrange(t);
  write('a.mjs', source('one'));
  t.same(await words(), ['one']);
  write('a.mjs', source('two'));
  write('b.mjs', source('three'));
  t.same(await words(), ['three', 'two']);
  rmSync(join(folder, 'a.mjs'));
  t.same(await words(), ['three']);
  t.same(await words([]), []);
  t.same(await words([folder, folder]), ['three'], 'a folder named twice counts once');
});

await t.test('what has not changed is not loaded again', async (t) => {
  const { write, loader, folder } = arrange(t);
  write('a.mjs', `globalThis.argoTestLoads = (globalThis.argoTestLoads ?? 0) + 1;\n${source('counted')}`);
  const first = (await loader.load([folder])).find('counted');
  const second = (await loader.load([folder])).find('counted');
  t.equal((globalThis as { argoTestLoads?: number }).argoTestLoads, 1);
  t.equal(second, first);
});

await t.test('a plugin that breaks stays as it was before, until it is good again', async (t) => {
  const { write, words, complaints } = arrange(t);
  write('a.mjs', source('before'));
  t.same(await words(), ['before']);
  write('a.mjs', 'half a file {');
  t.same(await words(), ['before']);
  t.match(complaints, [/"keptFromBefore":true/]);
  t.same(await words(), ['before'], 'and at the reload after that');
  write('a.mjs', source('after'));
  t.same(await words(), ['after']);
});

await t.test('folders that are not there', async (t) => {
  const { folder, write, words, complaints } = arrange(t);
  write('a.mjs', source('good'));
  t.same(await words([join(folder, 'nowhere'), folder]), ['good']);
  t.match(complaints, [/folder cannot be read .*nowhere.*ENOENT/]);
});

await t.test('words that are taken', async (t) => {
  const { write, loader, folder, complaints } = arrange(t);
  write('a.mjs', source('list'));
  write('b.mjs', source('mine', 'aliases: ["quit"]'));
  write('c.mjs', source('shared'));
  write('d.mjs', source('shared', 'rawWords: true'));
  const table = await loader.load([folder]);
  t.equal(table.find('list')?.right, 'listing', 'nobody takes a word from the server');
  t.equal(table.find('quit')?.word, 'exit');
  t.equal(table.find('mine'), undefined, 'a command that clashes by one word is left out as a whole');
  t.equal(table.find('shared')?.rawWords, false, 'the first keeps it');
  t.equal(complaints.length, 3);
  t.match(complaints, [/a\.mjs.*"list"/, /b\.mjs.*"quit"/, /d\.mjs.*"shared"/]);
});

await t.test('what a row must be like', async (t) => {
  const row: Command = { word: 'x', usage: 'x', help: 'x', right: 'read', run: () => undefined };
  const fault = (change: Partial<Record<keyof Command, unknown>>): string | undefined => {
    try {
      loadCommands({ commands: [{ ...row, ...change }] });
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  };
  t.equal(fault({}), undefined);
  t.equal(fault({ aliases: ['y', 'z-9'], on: 'instances', options: ['wait'], rawWords: true }), undefined);
  for (const change of [
    { word: '' }, { word: 'X' }, { word: '1x' }, { word: 'a b' }, { word: 'x'.repeat(33) }, { word: 7 }, { aliases: ['X'] }, { aliases: 'quit' }, { help: 1 }, { run: 'x' },
    { right: 'toString' }, { on: 'machines' }, { options: ['bogus'] }, { options: 'wait' }, { right: 'anyone', on: 'instances' }, { right: 'listing', on: 'instances' },
    { right: 'anyone', on: 'provider' }, { word: 'read' }, { word: 'shell' }, { aliases: ['power'] }, { words: 'x' }, { words: ['A b'] }, { alsoBy: ['bogus'] }, { alsoBy: 'power' },
  ]) {
    t.type(fault(change), 'string', JSON.stringify(change));
  }
  t.same(new CommandTable([{ name: 'p', commands: loadCommands({ commands: [row, { ...row, word: 'a' }] }) }], () => undefined).all().map(({ word }) => word), ['a', 'x']);
});

await t.test('a module with open is a gateway, of the type that its file is named by', async (t) => {
  const { folder, write } = arrange(t);
  const complaints: string[] = [];
  const loader = new PluginLoader((_level, message, facts) => complaints.push(`${message} ${JSON.stringify(facts)}`));
  write('hello.mjs', 'export default { options: {}, open() {} };\n');
  write('bad.mjs', 'export default { open() {} };\n');
  write('strip.mjs', 'export default { kind: "driver", options: {}, open() {} };\n');
  write('storm.mjs', 'export default { kind: "driver", options: {}, defaults: { pollInterval: "30s" }, open() {} };\n');
  write('words.mjs', source('words'));
  const gateways = await loader.modulesIn([folder], 'gateway');
  t.same([...gateways.keys()], ['hello']);
  t.same([...(await loader.modulesIn([folder], 'driver')).keys()], ['strip']);
  t.match(complaints.sort(), [/plugin cannot be loaded .*bad\.mjs.*options must be an object/, /storm\.mjs.*defaults.pollInterval must be a number/]);
  t.equal((await loader.load([folder])).all().filter(({ word }) => !OWN_WORDS.includes(word)).length, 1);
  t.equal(complaints.length, 2, 'what cannot be loaded is told once');
  await loader.modulesIn([folder], 'driver');
  t.equal(complaints.length, 2);
  loader.begin();
  await loader.modulesIn([folder], 'driver');
  t.equal(complaints.length, 4, 'and again by the next reload, also by one that then is refused');
  t.equal((await loader.modulesIn([folder], 'gateway')).get('hello'), gateways.get('hello'), 'it is loaded once');
});
