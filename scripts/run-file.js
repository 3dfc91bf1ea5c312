import { spawn } from 'node:child_process';
import { fromRoot } from './root.js';

/** What is kept of a program's output, characters; a test that prints without end must not fill memory. */
const OUTPUT_LIMIT = 16 * 1024 * 1024;

/** @typedef {{ code: number | null, stdout: string, stderr: string, late: boolean, ms: number }} Run */

/** Groups of processes that run. @type {Set<number>} */
const groups = new Set();

function killGroup(/** @type {number} */ group) {
  try {
    process.kill(-group, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** Ends all that {@link runNode} started. */
export function killAll() {
  for (const group of groups) killGroup(group);
}

/**
 * Runs a script with this Node to its end, in a group of processes of its own, which is killed after
 * the deadline together with everything that the script started.
 * @param {string[]} args
 * @param {number} withinMs
 * @param {Record<string, string>} [env]
 * @param {AbortSignal} [signal] kills it likewise
 * @returns {Promise<Run>}
 */
export function runNode(args, withinMs, env = {}, signal = undefined) {
  const began = performance.now();
  const child = spawn(process.execPath, args, {
    cwd: fromRoot(), detached: true, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env },
  });
  const run = { code: /** @type {number | null} */ (null), stdout: '', stderr: '', late: false, ms: 0 };
  for (const name of /** @type {const} */ (['stdout', 'stderr'])) {
    child[name].setEncoding('utf8').on('data', (text) => { if (run[name].length < OUTPUT_LIMIT) run[name] += text; });
  }
  return new Promise((resolve, reject) => {
    const group = child.pid;
    child.once('error', reject);
    if (group === undefined) return;
    groups.add(group);
    const timer = setTimeout(() => { run.late = true; killGroup(group); }, withinMs);
    const kill = () => killGroup(group);
    signal?.addEventListener('abort', kill);
    if (signal?.aborted) kill();
    child.once('exit', (code) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', kill);
      // What it left running would hold its output open and disturb the next.
      killGroup(group);
      groups.delete(group);
      run.code = run.late ? null : code;
    });
    child.once('close', () => resolve({ ...run, ms: performance.now() - began }));
  });
}
