import { cpSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { pathToFileURL } from 'node:url';
import { fromRoot } from '../support/paths.js';
import { runProgram } from '../support/programs.js';

/** The logic of scripts/, which is plain JavaScript: it must run before anything is installed. */

interface Sum { passed: number; failed: number; skipped: number }
type Lock = { packages: Record<string, { version?: string; dev?: boolean; optional?: boolean }> };

const load = async <T>(name: string): Promise<T> => await import(pathToFileURL(fromRoot('scripts', name)).href) as T;

const { readResult, add, sumLine, isGood, skipReasons, digest } = await load<{
  readResult(stdout: string, code: number | null): Sum;
  add(sums: Sum[]): Sum;
  sumLine(sum: Sum): string;
  isGood(sum: Sum): boolean;
  skipReasons(stdout: string): string[];
  digest(output: string): string;
}>('results.js');
const { missingPackages, needsCompiling, orphans } = await load<{
  missingPackages(wanted: Lock, installed: Lock, options: { dev: boolean }): string[];
  needsCompiling(sourceTimes: number[], compiledTime: number | undefined): boolean;
  orphans(compiled: string[], exists: (source: string) => boolean): string[];
}>('freshness.js');
const { circles, upwards } = await load<{
  circles(graph: Map<string, string[]>): string[][];
  upwards(graph: Map<string, string[]>): string[];
}>('imports.js');
const { byRoom, verdict, withoutBundle } = await load<{
  withoutBundle(written: { result: { url: string }[] }): { result: { url: string }[] };
  byRoom(summary: Record<string, { lines: { total: number; covered: number } }>): Map<string, { total: number; covered: number }>;
  verdict(rooms: Map<string, { total: number; covered: number }>): { lines: string[]; missed: string[] };
}>('coverage.js');
const { commonJs } = await load<{ commonJs(text: string, importer: string, isCommonJs: (name: string) => boolean): string }>('common-js.js');
const { packageNames } = await load<{ packageNames(text: string): string[] }>('debian.js');

await t.test('a file\'s result is tap\'s own summary', async (t) => {
  t.same(readResult('ok 1\n1..1\n# { total: 12, pass: 8, skip: 3, todo: 1 }\n# time=3ms\n', 0), { passed: 8, failed: 0, skipped: 4 });
  t.same(readResult('# { total: 34, pass: 31, fail: 3 }\n', 1), { passed: 31, failed: 3, skipped: 0 });
  t.same(readResult('    # { total: 9, pass: 9 }\n# { total: 2, pass: 2 }\n', 0), { passed: 2, failed: 0, skipped: 0 }, 'not that of a subtest');
  t.same(readResult('TAP version 14\n1..0 # SKIP no peers\n', 0), { passed: 0, failed: 0, skipped: 1 });
});

await t.test('a file that ends badly has failed, whatever it printed', async (t) => {
  t.same(readResult('# { total: 9, pass: 9 }\n', null), { passed: 9, failed: 1, skipped: 0 }, 'killed');
  t.same(readResult('# { total: 9, pass: 9 }\n', 7), { passed: 9, failed: 1, skipped: 0 }, 'crashed at its end');
  t.same(readResult('ok 1\nok 2\n', 1), { passed: 0, failed: 1, skipped: 0 }, 'crashed before its end');
  t.same(readResult('', 0), { passed: 0, failed: 1, skipped: 0 }, 'silent');
  t.same(readResult('1..0\n# { total: 0, pass: 0 }\n', 0), { passed: 0, failed: 1, skipped: 0 }, 'empty');
});

await t.test('sums', async (t) => {
  const total = add([{ passed: 1, failed: 0, skipped: 2 }, { passed: 3, failed: 1, skipped: 0 }]);
  t.equal(sumLine(total), '4 passed, 1 failed, 2 skipped');
  t.notOk(isGood(total));
  t.notOk(isGood(add([])), 'an empty run is not good');
  t.ok(isGood({ passed: 1, failed: 0, skipped: 9 }));
});

await t.test('what is shown', async (t) => {
  t.same(skipReasons('    ok 1 - a # SKIP needs virsh\nok 2 - b # SKIP needs virsh\nok 3 - c\n'), ['needs virsh']);
  const shown = digest('TAP version 14\nok 1 - fine\nnot ok 2 - broken\n  ---\n  diff: x\n  ...\n1..2\n');
  t.equal(shown, 'not ok 2 - broken\n  ---\n  diff: x\n  ...');
  t.equal(digest(`not ok 1 ${'x'.repeat(5000)}`).length, 1001, 'nor without end in one line');
  const long = digest(Array.from({ length: 10_000 }, (_, line) => `line ${line}`).join('\n')).split('\n');
  t.ok(long.length < 400);
  t.match(long.at(-1), 'line 9999');
});

await t.test('which packages are missing', async (t) => {
  const wanted: Lock = { packages: {
    '': { version: '0.1.0' }, 'node_modules/a': { version: '1.0.0' }, 'node_modules/b': { version: '2.0.0', dev: true },
    'node_modules/c': { version: '3.0.0', optional: true },
  } };
  const production: Lock = { packages: { 'node_modules/a': { version: '1.0.0' } } };
  t.same(missingPackages(wanted, production, { dev: false }), []);
  t.same(missingPackages(wanted, production, { dev: true }), ['node_modules/b']);
  t.same(missingPackages(wanted, { packages: { 'node_modules/a': { version: '0.9.0' } } }, { dev: false }), ['node_modules/a']);
});

await t.test('what must be compiled, and what must go', async (t) => {
  t.ok(needsCompiling([1], undefined));
  t.ok(needsCompiling([1, 5], 5));
  t.notOk(needsCompiling([1, 4], 5));
  const compiled = ['dist/src/a.js', 'dist/src/a.js.map', 'dist/src/a.d.ts', 'dist/src/b.js', 'dist/src/b.d.ts', 'dist/.tsbuildinfo'];
  t.same(orphans(compiled, (source) => source === 'src/a.ts'), ['dist/src/b.js', 'dist/src/b.d.ts']);
});

await t.test('lists of Debian packages', async (t) => {
  t.same(packageNames('# peers\nlz4\n\n  qemu-utils # for disks\n'), ['lz4', 'qemu-utils']);
});

await t.test('imports that run in a circle, or upwards', async (t) => {
  const graph = (text: Record<string, string[]>) => new Map(Object.entries(text));
  t.same(circles(graph({ 'kit/a.ts': ['kit/b.ts'], 'kit/b.ts': ['kit/c.ts'], 'kit/c.ts': [] })), []);
  t.same(circles(graph({ 'kit/a.ts': ['kit/b.ts'], 'kit/b.ts': ['kit/c.ts'], 'kit/c.ts': ['kit/b.ts'] })), [['kit/b.ts', 'kit/c.ts', 'kit/b.ts']]);
  t.same(upwards(graph({ 'server/a.ts': ['instances/b.ts'], 'instances/b.ts': ['kit/c.ts'], 'main.ts': ['daemon/d.ts'], 'daemon/d.ts': ['server/a.ts'] })), []);
  t.same(upwards(graph({ 'kit/a.ts': ['drivers/b.ts'] })), ['kit/a.ts imports drivers/b.ts']);
  t.same(upwards(graph({ 'attic/a.ts': ['kit/b.ts'] })), ['attic/a.ts: the room attic is not in the plan']);
  t.same(upwards(graph({ 'gateways/web/a.ts': ['gateways/contract.ts', 'gateways/web/b.ts'] })), []);
  t.same(upwards(graph({ 'gateways/web/a.ts': ['gateways/metrics/b.ts'] })), ['gateways/web/a.ts imports its neighbour gateways/metrics/b.ts']);
  t.same(upwards(graph({ 'gateways/web/a.ts': ['gateways/shared/b.ts'] })), [], 'what gateways share');
  t.same(upwards(graph({ 'gateways/shared/b.ts': ['gateways/web/a.ts'] })), ['gateways/shared/b.ts imports its neighbour gateways/web/a.ts']);
});

await t.test('how much was run', async (t) => {
  const urls = ['file:///x/dist/src/a.js', 'file:///x/dist/bundle/main.js'].map((url) => ({ url }));
  t.same(withoutBundle({ result: urls }).result, urls.slice(0, 1), 'only of what lies file by file');
  const rooms = byRoom({
    total: { lines: { total: 9, covered: 9 } },
    [fromRoot('src/auth/a.ts')]: { lines: { total: 60, covered: 60 } },
    [fromRoot('src/auth/b.ts')]: { lines: { total: 40, covered: 34 } },
    [fromRoot('src/instances/c.ts')]: { lines: { total: 100, covered: 95 } },
    [fromRoot('src/main.ts')]: { lines: { total: 10, covered: 0 } },
  });
  t.same(rooms.get('src/auth'), { total: 100, covered: 94 });
  t.same(verdict(rooms).missed, ['src/auth']);
  t.match(verdict(rooms).lines.join('\n'), /src\/auth +94\.0 % of 100 lines {2}\(at least 95 %\)/);
  t.same(verdict(new Map()).missed, ['src/instances', 'src/auth'], 'what was not run at all has missed too');
});

await t.test('a test that is not there is told of before anything is installed or compiled', async (t) => {
  // a project of which nothing is there but its scripts: to prepare it would fail
  const folder = t.testdir({ 'package.json': '{"type":"module"}', test: {} });
  cpSync(fromRoot('scripts'), join(folder, 'scripts'), { recursive: true });
  const { code, stderr } = await runProgram(process.execPath, ['scripts/test.js', 'test/none.test.ts'], { cwd: folder, env: process.env });
  t.equal(code, 1);
  t.equal(stderr, 'argo: no such test: test/none.test.ts\n');
});

await t.test('what esbuild makes of ES modules becomes CommonJS, line for line', async (t) => {
  const text = `import {
  a,
  b as c
} from "./x-1.js";
import "./y-2.js";

// src/z.ts
import * as v from "valibot";
import whole from "wake_on_lan";
var url = import.meta.url;
var later = () => import("./later-3.js");
var package_ = () => import("bcrypt");
var module = () => import("yargs");
var any = (url2) => import(url2);
export {
  url as default,
  later
};
//# sourceMappingURL=z.js.map
`;
  t.equal(commonJs(text, '../kit/import.js', (name) => name === 'bcrypt'), `const {
  a,
  b: c
} = require("./x-1.js");
require("./y-2.js");

// src/z.ts
const v = require("valibot");
const whole = require("wake_on_lan");
var url = require("node:url").pathToFileURL(__filename).href;
var later = () => Promise.resolve("./later-3.js").then(require);
var package_ = () => Promise.resolve("bcrypt").then((name) => { const whole = require(name); return { ...whole, default: whole }; });
var module = () => require("../kit/import.js")("yargs");
var any = (url2) => require("../kit/import.js")(url2);
module.exports = {
  default: url,
  later
};
//# sourceMappingURL=z.js.map
`);
  for (const strange of ['import x, { y } from "./z.js";', 'export * from "./z.js";', 'await 1;', 'import.meta.dirname;']) t.throws(() => commonJs(strange, './import.js', () => false), { name: 'SyntaxError' }, strange);
});
