/**
 * `npm test -- --watch [FILE-OR-FOLDER…]`: whenever a file is saved, runs the tests that import it, the nearest first, or all that
 * were named. Sources are compiled one by one, which takes milliseconds; their types are looked at afterwards, while one reads.
 * Ctrl-C ends it.
 *
 * What is put together of the sources (the daemon, the command, the page) is made anew only where one of the tests runs it.
 */
import { copyFileSync, existsSync } from 'node:fs';
import { relative } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { neededBy, testsFor } from './dependents.js';
import { readMarked } from './imports.js';
import { BUILD_INFO, forgetCompiled, prepareOrExit, removeOrphans, SOURCES, staleSources } from './prepare.js';
import { add, sumLine } from './results.js';
import { fromRoot } from './root.js';
import { runNode } from './run-file.js';
import { runTest } from './test-file.js';
import { watchFiles } from './watch-files.js';

/** Tests that are run for one change where none were named: kit/errors.ts is about nearly all there are. */
const MOST = 20;
/** Those that run at the same time. */
const JOBS = 2;
/** How long nothing more has to be written before anything is run, ms: editors write a file in several steps, git several files. */
const SETTLE_MS = 60;
const BUILD_TIMEOUT_MS = 120_000;
/** For the types of all sources. */
const TYPES_TIMEOUT_MS = 600_000;
/** What is told of wrong types, lines. */
const TYPES_LINES = 20;

/** Files that have changed that are told by name. */
const LISTED = 8;

/** Beside the sources: what tests that are named may read. */
const OTHERS = ['docs', 'scripts'];
/** Run only where they are named, or changed themselves. */
const END_TO_END = /^test\/e2e\//;
/** What a source says somewhere that runs what was put together. */
const RUNS_BUNDLE = /\bbundle'|dist\/bundle|'bin'|bin\/argo|'dist', 'web'/;
const PAGE = /^src\/web\//;
/** What the compiler knows of its last look at types here. */
const TYPES_INFO = `${BUILD_INFO}-watch`;

const say = (/** @type {string} */ text) => process.stdout.write(`${text}\n`);
const seconds = (/** @type {number} */ since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;
const listed = (/** @type {string[]} */ files) => `${files.slice(0, LISTED).join(', ')}${files.length > LISTED ? ` and ${files.length - LISTED} more` : ''}`;
const short = (/** @type {string} */ path) => relative(fromRoot(), path);
const isSource = (/** @type {string} */ path) => SOURCES.some((folder) => path.startsWith(`${folder}/`));
/** Of the page, tests import what has no markup. */
const isCompiled = (/** @type {string} */ path) => isSource(path) && /(?<!\.d)\.ts$/.test(path);

/** What was changed and not yet tested to the end, and what is to end with the next change. */
class Changes {
  /** @type {Set<string>} paths below the project's folder */
  files = new Set();
  /** of the first, on the clock of performance.now() */
  since = performance.now();
  #round = new AbortController();
  #isNew = false;
  #wake = () => {};

  add(/** @type {string} */ path) {
    if (!this.#isNew) this.since = performance.now();
    this.#isNew = true;
    this.files.add(path);
    this.#round.abort();
    this.#wake();
  }

  /** Waits for a change, and until nothing more comes. */
  async next() {
    while (!this.#isNew) await new Promise((resolve) => { this.#wake = () => resolve(undefined); });
    for (let before = -1; before !== this.files.size; await pause(SETTLE_MS)) before = this.files.size;
  }

  /** @returns {AbortSignal} what a change ends from now on */
  begin() {
    this.#isNew = false;
    this.#round = new AbortController();
    return this.#round.signal;
  }
}

/** Compiles sources as tsc does, but for their types. @param {string[]} files @returns {Promise<boolean>} whether they could be */
async function transpile(files) {
  if (existsSync(BUILD_INFO)) copyFileSync(BUILD_INFO, TYPES_INFO);
  forgetCompiled();
  removeOrphans();
  const { build, formatMessages } = await import('esbuild');
  try {
    await build({
      entryPoints: files.filter((file) => isCompiled(file) && existsSync(fromRoot(file))), absWorkingDir: fromRoot(), outbase: '.', outdir: 'dist',
      format: 'esm', target: 'es2022', sourcemap: true, sourcesContent: false, logLevel: 'silent',
    });
    return true;
  } catch (error) {
    say((await formatMessages(error.errors ?? [{ text: error.message }], { kind: 'error' })).join('').trimEnd());
    return false;
  }
}

/** Runs a script. @param {string} script @param {string[]} args @param {number} withinMs @param {AbortSignal} signal @returns {Promise<boolean>} whether it ended well */
async function runScript(script, args, withinMs, signal) {
  const { code, stdout, stderr } = await runNode([fromRoot(script), ...args], withinMs, {}, signal);
  if (code !== 0 && !signal.aborted) say(`${stdout}${stderr}`.trimEnd().split('\n').slice(0, TYPES_LINES).join('\n'));
  return code === 0;
}

/** What is put together of the sources, where it is older than they are. @param {Set<string>} unbuilt sources that it knows nothing of @param {AbortSignal} signal */
async function putTogether(unbuilt, signal) {
  if (![...unbuilt].some((file) => file.startsWith('src/'))) return true;
  say('putting together what runs');
  if (!await runScript('scripts/bundle.js', [], BUILD_TIMEOUT_MS, signal)) return false;
  if ([...unbuilt].some((file) => PAGE.test(file)) && !await runScript('scripts/web.js', [], BUILD_TIMEOUT_MS, signal)) return false;
  unbuilt.clear();
  return true;
}

/** Looks at the types of all sources. @param {string[]} files that have changed @param {AbortSignal} signal @returns {Promise<void>} */
async function checkTypes(files, signal) {
  const began = performance.now();
  const tsc = (/** @type {string[]} */ ...args) => runScript('node_modules/typescript/bin/tsc', args, TYPES_TIMEOUT_MS, signal);
  const isGood = await tsc('-p', fromRoot(), '--noEmit', '--tsBuildInfoFile', TYPES_INFO) && (!files.some((file) => PAGE.test(file)) || await tsc('-p', fromRoot('src', 'web')));
  if (!signal.aborted) say(isGood ? `types: good (${seconds(began)})` : `types: wrong, see above (${seconds(began)})`);
}

/**
 * The tests to run for some changes.
 * @param {import('./dependents.js').Graph} graph @param {string[]} files that have changed @param {Set<string>} failed the last time
 */
function choose(graph, files, failed) {
  const all = testsFor(graph, files).filter((test) => !END_TO_END.test(test) || files.includes(test));
  const chosen = [...new Set([...failed, ...all.slice(0, MOST)])].filter((test) => existsSync(fromRoot(test)));
  return { chosen, more: all.filter((test) => !chosen.includes(test)).length };
}

/** Some at a time. @param {string[]} tests @param {Set<string>} failed is kept true @param {AbortSignal} signal */
async function runTests(tests, failed, signal) {
  const left = [...tests];
  /** @type {import('./results.js').Sum[]} */
  const sums = [];
  await Promise.all(Array.from({ length: JOBS }, async () => {
    for (let test = left.shift(); test !== undefined && !signal.aborted; test = left.shift()) {
      const { sum } = await runTest(test, signal);
      if (signal.aborted) return;
      sums.push(sum);
      if (sum.failed > 0) failed.add(test);
      else failed.delete(test);
    }
  }));
  return add(sums);
}

/**
 * Runs what a change is about, and tells of it.
 * @param {{ files: string[], named: string[] | undefined, failed: Set<string>, unbuilt: Set<string>, since: number }} change
 * @param {AbortSignal} signal
 * @returns {Promise<boolean>} whether all was run
 */
async function testChange({ files, named, failed, unbuilt, since }, signal) {
  const { graph, marked: runners } = readMarked(SOURCES, RUNS_BUNDLE);
  const { chosen, more } = named === undefined ? choose(graph, files, failed) : { chosen: named, more: 0 };
  if (neededBy(graph, chosen).some((file) => runners.has(file)) && !await putTogether(unbuilt, signal)) return false;
  const sum = await runTests(chosen, failed, signal);
  if (signal.aborted) return false;
  if (chosen.length === 0) say('no test imports it');
  else say(`${sumLine(sum)}${files.length > 0 ? `, ${seconds(since)} after it was saved` : ''}`);
  if (more > 0) say(`${more} more import it from farther away; npm test -- --no-e2e runs them all`);
  return true;
}

/**
 * Watches, and never ends by itself.
 * @param {string[] | undefined} named tests; undefined: those that a change is about
 * @returns {Promise<void>}
 */
export async function watchTests(named) {
  prepareOrExit({ dev: true, compiles: false });
  const changes = new Changes();
  const stale = staleSources();
  const unbuilt = new Set(existsSync(fromRoot('dist', 'bundle')) ? stale : ['src/main.ts', 'src/web/main.tsx']);
  /** @type {Set<string>} */
  const failed = new Set();
  const folders = [...SOURCES, ...OTHERS];
  watchFiles(folders.map((folder) => fromRoot(folder)), (path) => {
    unbuilt.add(short(path));
    changes.add(short(path));
  });
  // nobody has asked for tests of what was changed before; what cannot be compiled is tried again with the first change
  if (stale.length > 0 && !await transpile(stale)) changes.files = new Set([...stale, ...changes.files]);
  say(`watching ${folders.join(', ')}; Ctrl-C ends it`);
  for (let isFirst = named !== undefined; ; isFirst = false) {
    if (!isFirst) await changes.next();
    const signal = changes.begin();
    const files = [...changes.files];
    if (files.length > 0) say(`\nchanged: ${listed(files)}`);
    if (files.some(isSource) && !await transpile(files)) continue;
    if (!await testChange({ files, named, failed, unbuilt, since: changes.since }, signal)) continue;
    changes.files.clear();
    if (files.some(isSource)) void checkTypes(files, signal);
  }
}
