import { createRequire } from 'node:module';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loadInTurns, withStandIn } from '../../src/kit/in-turns.js';

declare global {
  // Where the files of these tests write down in which order they ran.
  var loadOrder: string[];
}

const says = (name: string, more = ''): string => `${more}\nglobalThis.loadOrder.push('${name}');\n`;

/** A package of the given files, and what a file beside it sees of it. */
function setUp(t: Test, files: Readonly<Record<string, string>>) {
  globalThis.loadOrder = [];
  const folder = t.testdir({ 'from.js': '', node_modules: { thing: { 'package.json': '{"main":"index.js"}', ...files } } });
  const from = join(folder, 'from.js');
  return { from, require: createRequire(from), loaded: () => [...globalThis.loadOrder] };
}

async function turnsDuring(work: () => Promise<void>): Promise<number> {
  let turns = 0;
  let isDone = false;
  const count = (): void => {
    turns += 1;
    if (!isDone) setImmediate(count);
  };
  setImmediate(count);
  await work();
  isDone = true;
  return turns;
}

void t.test('each file before those that need it, and others have their turns', async (t) => {
  const { from, require, loaded } = setUp(t, {
    'index.js': says('index', "const {\n  a,\n} = require('./a')\nconst b = require(\"./b.js\")\n// const none = require('./none')\nfunction later() {\n  return require('./lazy')\n}\nmodule.exports = { a, b, later }"),
    'a.js': says('a', "const b = require('./b'), fs = require('node:fs')\nmodule.exports = { a: b.b }"),
    'b.js': says('b', 'module.exports = { b: 1 }'),
    'lazy.js': says('lazy'),
    'none.js': says('none'),
  });
  t.ok(await turnsDuring(() => loadInTurns('thing', from)) >= 3, 'a turn before each');
  t.same(loaded(), ['b', 'a', 'index']);
  t.match(require('thing'), { a: 1, b: { b: 1 } });
  t.same(loaded(), ['b', 'a', 'index'], 'it was there');
});

void t.test('files that need each other are loaded as Node does', async (t) => {
  const files = {
    'index.js': says('index', "const one = require('./one')\nmodule.exports = one"),
    'one.js': says('one', "const leaf = require('./leaf')\nconst two = require('./two')\nmodule.exports = { one: true, two, leaf }"),
    'two.js': says('two', "const one = require('./one')\nmodule.exports = { sawWhole: 'one' in one }"),
    'leaf.js': says('leaf', 'module.exports = 1'),
  };
  const { from, require, loaded } = setUp(t, files);
  await loadInTurns('thing', from);
  t.same(loaded(), ['leaf'], 'only what is in no circle');
  t.same(require('thing'), { one: true, leaf: 1, two: { sawWhole: false } });
  t.same(loaded(), ['leaf', 'two', 'one', 'index']);
});

void t.test('what is absent or broken is left to the import that needs it', async (t) => {
  const { from, require } = setUp(t, { 'index.js': "const absent = require('./absent')", 'broken.js': "throw new Error('broken')" });
  await loadInTurns('thing', from);
  await loadInTurns('thing/broken.js', from);
  await loadInTurns('nothing', from);
  t.throws(() => { require('thing'); }, /absent/);
  t.throws(() => { require('thing/broken.js'); }, /^broken$/);
});

void t.test('what is loaded already is not looked into again', async (t) => {
  const { from, require, loaded } = setUp(t, {
    'index.js': says('index', "const a = require('./a')\nmodule.exports = a"), 'a.js': says('a', 'module.exports = 1'),
    'other.js': says('other', "const index = require('./index')\nconst a = require('./a')"),
  });
  await loadInTurns('thing', from);
  delete require.cache[require.resolve('thing/a.js')];
  await loadInTurns('thing/index.js', from);
  t.same(loaded(), ['a', 'index']);
  await loadInTurns('thing/other.js', from);
  t.same(loaded(), ['a', 'index', 'a', 'other']);
});

void t.test('an ES module, and what needs one, is left to the import', async (t) => {
  const { from, loaded } = setUp(t, {
    'index.js': says('index', "require('./leaf')\nconst module = require('./module.mjs')\nconst other = require('./other')"),
    'module.mjs': says('module', 'export const a = 1;'), 'other.js': says('other', 'export const b = 2;'), 'leaf.js': says('leaf'),
  });
  await loadInTurns('thing', from);
  t.same(loaded(), ['leaf']);
});

void t.test('a module of ours in the place of one that a package asks for', async (t) => {
  const files = { 'index.js': "exports.large = require('./large');", 'second.js': "exports.large = require('./large');", 'large.js': says('large', "exports.name = 'large';") };
  const { from, require, loaded } = setUp(t, files);
  await withStandIn('thing/large.js', from, { name: 'ours' }, () => loadInTurns('thing', from));
  t.same(require('thing'), { large: { name: 'ours' } });
  t.same(loaded(), []);
  t.same(require('thing/second.js'), { large: { name: 'large' } }, 'only as long as asked for');
  await t.rejects(withStandIn('thing/large.js', from, {}, () => Promise.reject(new Error('failed'))), /^failed$/);
  t.same(require('thing/large.js'), { name: 'large' }, 'what is loaded stays');
});
