/**
 * `npm test`: prepares, then runs the linter and all tests, four files at a time. Those of test/e2e that meet
 * real peers, of which there is one here, mostly wait: they run one at a time from the beginning, beside all others;
 * those of a fleet, which meet none of these peers, likewise.
 *
 *     npm test                    everything
 *     npm test -- --unit          those that start neither programs nor a daemon, without the linter: a minute or so
 *     npm test -- --no-e2e        without test/e2e
 *     npm test -- --core          of these, what depends on Node itself and what the gate consists of: without documents, types, the client, drivers, fleet, plans and three large gateways
 *     npm test -- --coverage      says how many lines were run, by folder; too few are a failure
 *     npm test -- --no-lint       without the linter
 *     npm test -- --watch         runs those that a change is about, or those named, whenever a file is saved: watch.js
 *     npm test -- FILE-OR-FOLDER… some of it: test/server, test/e2e/libvirt.test.ts
 *
 * Real peers on a busy machine can be late beyond every deadline: a file that fails is run once more,
 * alone, when all others are done. What then passes is named, so that it can be mended.
 *
 * The last line is `N passed, N failed, N skipped`; the exit code is 0 only if nothing failed.
 */
import { beginCoverage, endCoverage } from './coverage.js';
import { installPeers } from './debian.js';
import { prepareOrExit } from './prepare.js';
import { add, isGood, sumLine } from './results.js';
import { fromRoot } from './root.js';
import { killAll, runNode } from './run-file.js';
import { report, runTest, testFiles, toSource } from './test-file.js';
import { unitTests } from './units.js';
import { watchTests } from './watch.js';

/** Files that run at the same time where they share no peers. */
const JOBS = 4;
/** Of unit tests, which wait for their own timers alone. */
const UNIT_JOBS = 6;
/** For the linter, which knows all types of all files. */
const LINT_TIMEOUT_S = 600;
/** For what looks at imports. */
const IMPORTS_TIMEOUT_S = 180;
/** Failed files that are run once more; where more fail, it is not the machine's fault. */
const MOST_AGAIN = 4;
const E2E = 'test/e2e/';
/**
 * Of these, those that change nothing of the machine that others meet, such as its network: they meet nothing, a double, a peer that
 * is a mere process, or a disk of their own. They run beside the others, which mostly wait.
 */
const RUNS_BESIDE = /\/(?:client|dcom|esxi|faults|hosts-names|hyperv|integrations|metrics|oms-clients|package|plans-clock|plans-faults|seed|vmserverd|web-console(?!-libvirt)|web-page|webhooks|windows|wmi|wsman|xenserver|zabbix)[-.][^/]*$/;
/** Of the others, those that start a bus and servers of their own, and so may run beside one of the rest. */
const RUNS_AS_FLEET = /\/fleet-(?!libvirt|partition)[^/]*$/;
/** Builds what others of test/e2e would all build at the same time, did they meet a machine that does not have it yet. */
const BUILDS = 'test/e2e/esxi-peers.test.ts';
/** Told when nothing more is begun but what runs one at a time: a core is free then. .ci/node-24 waits for it. */
const BESIDE_DONE = 'what is left runs alone';
/** What is left out of the tests that run on another Node, too: more than half of all, which uses the rest. */
const NOT_CORE = /^test\/(?:client|docs|drivers|fleet|plans|types|gateways\/(?:oms|vmserverd|zabbix))\//;
const OPTIONS = ['--unit', '--no-e2e', '--core', '--coverage', '--no-lint', '--watch'];

/** @typedef {import('./test-file.js').Result} Result */

/** @returns {Promise<Result>} */
async function lint() {
  const run = await runNode([fromRoot('node_modules', 'eslint', 'bin', 'eslint.js'), '.'], LINT_TIMEOUT_S * 1000);
  const sum = { passed: run.code === 0 ? 1 : 0, failed: run.code === 0 ? 0 : 1, skipped: 0 };
  report('lint', run, sum);
  return { name: 'lint', sum };
}

/** Whether the rooms of src/ look only where they may, without circles. @returns {Promise<Result>} */
async function imports() {
  const run = await runNode([fromRoot('scripts', 'imports.js')], IMPORTS_TIMEOUT_S * 1000);
  const sum = { passed: run.code === 0 ? 1 : 0, failed: run.code === 0 ? 0 : 1, skipped: 0 };
  report('imports', run, sum);
  return { name: 'imports', sum };
}

/**
 * Prints how much of each folder was run.
 * @param {string} folder where it was written down
 * @param {boolean} isAll whether all tests ran: some of them are not expected to run everything
 * @returns {Promise<Result>}
 */
async function covered(folder, isAll) {
  const { lines, missed: few } = await endCoverage(folder);
  const missed = isAll ? few : [];
  process.stdout.write(`lines that were run:\n${lines.map((line) => `  ${line}\n`).join('')}`);
  for (const room of missed) process.stdout.write(`FAILED coverage of ${room}\n`);
  return { name: 'coverage', sum: { passed: missed.length === 0 ? 1 : 0, failed: missed.length, skipped: 0 } };
}

/** Takes steps one by one, of the first list that has any. @param {(() => Promise<Result>)[][]} lists @returns {Promise<Result[]>} */
async function inTurn(...lists) {
  /** @type {Result[]} */
  const results = [];
  const next = () => lists.find((list) => list.length > 0)?.shift();
  for (let step = next(); step !== undefined; step = next()) results.push(await step());
  return results;
}

/** Runs what failed once more, one at a time. @param {Result[]} results @returns {Promise<Result[]>} with the second result in place of the first */
async function withSecondTry(results) {
  const failed = results.filter(({ name, sum }) => sum.failed > 0 && name.endsWith('.test.ts'));
  if (failed.length === 0 || failed.length > MOST_AGAIN) return results;
  process.stdout.write(`once more: ${failed.map(({ name }) => name).join(', ')}\n`);
  const again = await inTurn(failed.map(({ name }) => () => runTest(name)));
  for (const { name, sum } of again) if (sum.failed === 0) process.stdout.write(`passed only when run again: ${name}\n`);
  return results.map((result) => again.find(({ name }) => name === result.name) ?? result);
}

async function main() {
  const args = process.argv.slice(2);
  const isCore = args.includes('--core');
  const isUnit = args.includes('--unit');
  const unknown = args.find((arg) => arg.startsWith('-') && !OPTIONS.includes(arg));
  if (unknown !== undefined) throw new Error(`unknown option ${unknown}; there are ${OPTIONS.join(', ')}, and names of files`);
  const paths = args.filter((arg) => !arg.startsWith('-')).map(toSource);
  // a name that is wrong is told before anything is compiled
  const files = (paths.length > 0 ? paths : ['test']).flatMap(testFiles)
    .filter(isUnit ? unitTests() : (file) => !isCore || !NOT_CORE.test(file));
  if (args.includes('--watch')) return watchTests(paths.length > 0 ? files : undefined);
  prepareOrExit({ dev: true });
  const units = files.filter((file) => !file.startsWith(E2E));
  const ends = isCore || isUnit || args.includes('--no-e2e') ? [] : files.filter((file) => file.startsWith(E2E));

  const notice = ends.length > 0 ? await installPeers() : undefined;
  if (notice !== undefined) process.stdout.write(`${notice}\n`);
  const checks = paths.length > 0 ? [] : [...(isUnit || args.includes('--no-lint') ? [] : [lint]), imports];
  const written = args.includes('--coverage') ? beginCoverage() : undefined;
  const steps = (/** @type {string[]} */ some) => some.map((file) => () => runTest(file));
  const alone = ends.filter((file) => !RUNS_BESIDE.test(file));
  const oneAtATime = [alone.filter((file) => !RUNS_AS_FLEET.test(file)), alone.filter((file) => RUNS_AS_FLEET.test(file))].map(steps);
  const others = [...units, ...ends.filter((file) => RUNS_BESIDE.test(file))];
  const beside = [...checks, ...steps(others.filter((file) => file === BUILDS)), ...steps(others.filter((file) => file !== BUILDS))];
  const lanes = Promise.all(Array.from({ length: isUnit ? UNIT_JOBS : JOBS - oneAtATime.length }, () => inTurn(beside))).then((done) => {
    if (alone.length > 0) process.stdout.write(`${BESIDE_DONE}\n`);
    return done.flat();
  });
  const results = (await Promise.all([...oneAtATime.map((list) => inTurn(list, beside)), lanes])).flat(2);

  const final = await withSecondTry(results);
  if (written !== undefined) final.push(await covered(written, paths.length === 0));
  const total = add(final.map(({ sum }) => sum));
  process.stdout.write(`${sumLine(total)}\n`);
  process.exitCode = isGood(total) ? 0 : 1;
}

for (const [signal, number] of /** @type {const} */ ([['SIGINT', 2], ['SIGTERM', 15], ['SIGHUP', 1]])) {
  process.once(signal, () => {
    killAll();
    // to end a watch is no failure
    process.exit(process.argv.includes('--watch') && signal === 'SIGINT' ? 0 : 128 + number);
  });
}
process.once('exit', killAll);

try {
  await main();
} catch (error) {
  process.stderr.write(`argo: ${error.message}\n`);
  process.exitCode = 1;
}
