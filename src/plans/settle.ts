import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { PLAN_SETTLE_OUTPUT, PLAN_SETTLE_PAUSE, PLAN_SETTLE_TRY } from '../kit/plan-limits.js';
import { harmless } from '../kit/text.js';

/** Commands that say whether what a stage has switched is ready: `settle` of a stage. */

export interface SettleFacts {
  readonly plan: string;
  readonly run: string;
  readonly stage: string;
}

/**
 * Tries a command again and again until it ends with 0, as those who wait for services do.
 * @param command program and arguments; no shell sees them
 * @param ms for all tries together
 * @param signal ends it, with no further try
 * @returns undefined where it has settled; else why not, for people
 */
export async function settle(command: readonly string[], ms: number, facts: SettleFacts, signal: AbortSignal): Promise<string | undefined> {
  const ends = performance.now() + ms;
  let why = 'it was not tried';
  while (!signal.aborted) {
    const left = ends - performance.now();
    if (left <= 0) return why;
    const failure = await tryOnce(command, Math.min(left, PLAN_SETTLE_TRY), facts, signal);
    if (failure === undefined) return undefined;
    why = failure;
    await sleep(Math.max(0, Math.min(PLAN_SETTLE_PAUSE, ends - performance.now())), undefined, { signal }).catch(() => undefined);
  }
  return why;
}

/** Where programs are looked for where the server itself was not told. */
const USUAL_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Nothing of the server's environment but the path reaches it: passwords may be there. */
const environment = ({ plan, run, stage }: SettleFacts): NodeJS.ProcessEnv =>
  ({ PATH: process.env['PATH'] ?? USUAL_PATH, ARGO_PLAN: plan, ARGO_RUN: run, ARGO_STAGE: stage });

/** @returns undefined where it ended with 0; else why not */
function tryOnce([program, ...args]: readonly string[], ms: number, facts: SettleFacts, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve) => {
    // a group of its own, so that what it begins ends with it
    const child = spawn(program!, args, { env: environment(facts), cwd: '/', stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    let said = '';
    const hear = (chunk: Buffer): void => { said = (said + chunk.toString('utf8')).slice(-PLAN_SETTLE_OUTPUT); };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    const kill = (): void => killGroup(child.pid);
    const timer = setTimeout(kill, ms);
    signal.addEventListener('abort', kill, { once: true });
    const end = (why: string | undefined): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', kill);
      kill();
      child.stdout.destroy();
      child.stderr.destroy();
      const words = harmless(said.trim().split('\n').at(-1) ?? '');
      resolve(why === undefined ? undefined : `${program}: ${why}${words === '' ? '' : `: ${words}`}`);
    };
    child.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    // not `close`: what it has begun may hold its output open for ever
    child.once('exit', (code, killedBy) => end(code === 0 ? undefined : killedBy === null ? `ended with ${code}` : `was ended by ${killedBy}`));
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // nothing of it is left
  }
}
