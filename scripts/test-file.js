/** Finds test files and runs them, one by one, in a process each. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { digest, readResult, skipReasons, sumLine } from './results.js';
import { fromRoot } from './root.js';
import { runNode } from './run-file.js';

/** For one file. tap itself ends a test that takes longer, and can say which; beyond the grace we do. */
const FILE_TIMEOUT_S = 180;
const GRACE_S = 15;

/** @typedef {import('./results.js').Sum} Sum */
/** @typedef {{ name: string, sum: Sum }} Result */

/** Test files below a folder, as paths below the project's. @returns {string[]} */
export function testFiles(/** @type {string} */ path) {
  if (!existsSync(fromRoot(path))) throw new Error(`no such test: ${path}`);
  if (!statSync(fromRoot(path)).isDirectory()) return [path];
  return readdirSync(fromRoot(path)).sort().flatMap((name) => {
    const inside = `${path}/${name}`;
    return statSync(fromRoot(inside)).isDirectory() ? testFiles(inside) : name.endsWith('.test.ts') ? [inside] : [];
  });
}

/** A path as people give it (also of a compiled file) as a source below the project's folder. */
export const toSource = (/** @type {string} */ path) => relative(fromRoot(), resolve(path)).replace(/^dist\//, '').replace(/\.js$/, '.ts');

/** @param {string} name @param {import('./run-file.js').Run} run @param {Sum} sum */
export function report(name, run, sum) {
  const seconds = `${(run.ms / 1000).toFixed(1)} s`;
  process.stdout.write(`${sum.failed > 0 ? 'FAILED' : 'ok    '} ${name}: ${sumLine(sum)} (${seconds})\n`);
  for (const reason of skipReasons(run.stdout)) process.stdout.write(`       skipped: ${reason}\n`);
  if (sum.failed === 0) return;
  if (run.late) process.stdout.write(`       killed after ${seconds}\n`);
  process.stdout.write(`${digest(`${run.stdout}\n${run.stderr}`)}\n`);
}

/**
 * Runs what was compiled of a test file, and tells of it.
 * @param {string} file below the project's folder
 * @param {AbortSignal} [signal] kills it: nothing is told then
 * @returns {Promise<Result>}
 */
export async function runTest(file, signal) {
  const compiled = fromRoot('dist', file.replace(/\.ts$/, '.js'));
  const run = await runNode(['--enable-source-maps', compiled], (FILE_TIMEOUT_S + GRACE_S) * 1000, { TAP_TIMEOUT: String(FILE_TIMEOUT_S) }, signal);
  const sum = readResult(run.stdout, run.code);
  // tap says so, and goes on as if nothing had been missed
  if (run.stderr.includes('after parent test ends')) sum.failed += 1;
  if (signal?.aborted !== true) report(file, run, sum);
  return { name: file, sum };
}
