import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t, { type Test } from 'tap';
import { fromRoot } from '../support/paths.js';
import { until } from '../support/until.js';

const { neededBy, testsFor } = await import(pathToFileURL(fromRoot('scripts', 'dependents.js')).href) as {
  testsFor(graph: Map<string, string[]>, changed: string[]): string[];
  neededBy(graph: Map<string, string[]>, files: string[]): string[];
};

/** For what is run once something was saved, ms: a process or two, on a busy machine. */
const WITHIN = 60_000;

const TEST = (name: string): string => `import t from 'tap';\nimport { ${name} } from '../src/${name}.js';\nt.equal(${name}(2), 4);\n`;
const FILES = {
  'src/kit/times.ts': 'export const times = (one: number, other: number): number => one * other;\n',
  'src/double.ts': "import { times } from './kit/times.js';\n\nexport const double = (given: number): number => times(given, 2);\n",
  'src/square.ts': 'export const square = (given: number): number => given ** 2;\n',
  'test/double.test.ts': TEST('double'),
  'test/square.test.ts': TEST('square'),
};

/** A project with the scripts of ours, and `npm test -- --watch` in it. */
function watch(t: Test, ...args: string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'argo-watch-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  for (const path of ['scripts', 'package.json', 'package-lock.json', 'tsconfig.json']) cpSync(fromRoot(path), join(folder, path), { recursive: true });
  symlinkSync(fromRoot('node_modules'), join(folder, 'node_modules'));
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  for (const [path, text] of Object.entries(FILES)) write(path, text);
  const child = spawn(process.execPath, ['scripts/test.js', '--watch', ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  let said = '';
  let told = 0;
  child.stdout.setEncoding('utf8').on('data', (text: string) => { said += text; });
  return {
    write,
    /** Waits for words that were not waited for before. @returns what was said up to them */
    async says(words: RegExp): Promise<string> {
      const since = told;
      await until(() => words.test(said.slice(since)), WITHIN, String(words)).catch((error: unknown) => { throw new Error(said, { cause: error }); });
      const { 0: found, index } = words.exec(said.slice(since))!;
      told += index + found.length;
      return said.slice(since, told);
    },
    async end(): Promise<number | null> {
      child.kill('SIGINT');
      return (await once(child, 'close') as [number | null])[0];
    },
  };
}

await t.test('the tests that import what was saved are run, and no others; their types are looked at', async (t) => {
  const { write, says, end } = watch(t);
  await says(/^watching src, .*$/m);
  write('src/kit/times.ts', FILES['src/kit/times.ts'].replace('one * other', 'one + other + 1'));
  const failed = await says(/^0 passed, 1 failed, 0 skipped, .* after it was saved$/m);
  t.match(failed, /^changed: src\/kit\/times\.ts$/m);
  t.match(failed, /^FAILED test\/double\.test\.ts/m);
  t.match(failed, /src\/kit\/times\.ts|test\/double\.test\.ts:3/, 'where is told by the source');
  t.notMatch(failed, /^(?:ok|FAILED) +test\/square/m);
  write('src/kit/times.ts', FILES['src/kit/times.ts']);
  await says(/^ok {5}test\/double\.test\.ts: 1 passed, 0 failed, 0 skipped/m);
  await says(/^types: good/m);
  write('src/square.ts', 'export const square = (given: string): number => Number(given) ** 2;\n');
  t.match(await says(/^types: wrong/m), /^test\/square\.test\.ts\(3,16\): error TS2345/m, 'a wrong type that runs all the same');
  write('src/square.ts', 'export const square = (given');
  await says(/ERROR.* src\/square\.ts|src\/square\.ts:1:\d+/);
  write('test/new.test.ts', "import t from 'tap';\nt.pass('it is new');\n");
  write('src/square.ts', FILES['src/square.ts']);
  t.match(await says(/^2 passed, 0 failed, 0 skipped, /m), /new\.test\.ts/, 'what could not be compiled is run with the next change');
  t.equal(await end(), 0);
});

await t.test('a test that is named is run at once, and with every change', async (t) => {
  const { write, says, end } = watch(t, 'test/double.test.ts');
  t.notMatch(await says(/^1 passed, 0 failed, 0 skipped/m), /^(?:ok|FAILED) +test\/square/m);
  write('src/square.ts', FILES['src/square.ts'].replace('** 2', '** 3'));
  t.match(await says(/^1 passed, 0 failed, 0 skipped/m), /changed: src\/square\.ts[^]*ok {5}test\/double/);
  t.equal(await end(), 0);
});

await t.test('which tests a change is about', async (t) => {
  const graph = new Map([
    ['src/a.ts', []], ['src/b.ts', ['src/a.ts']], ['src/c.ts', ['src/b.ts', 'src/d.ts']], ['src/d.ts', ['src/c.ts']],
    ['test/far.test.ts', ['src/c.ts']], ['test/near.test.ts', ['src/a.ts']], ['test/other.test.ts', ['src/e.ts']],
  ]);
  t.same(testsFor(graph, ['src/a.ts']), ['test/near.test.ts', 'test/far.test.ts'], 'the nearest first');
  t.same(testsFor(graph, ['test/other.test.ts', 'docs/a.md']), ['test/other.test.ts'], 'itself');
  t.same(neededBy(graph, ['test/far.test.ts']), ['test/far.test.ts', 'src/c.ts', 'src/b.ts', 'src/d.ts', 'src/a.ts'], 'also in circles');
});
