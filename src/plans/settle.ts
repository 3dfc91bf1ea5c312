import { setTimeout as sleep } from 'node:timers/promises';
import { PLAN_SETTLE_LEAST, PLAN_SETTLE_PAUSE, PLAN_SETTLE_TRY, PLAN_SETTLE_WORDS } from '../kit/plan-limits.js';
import { harmless, oneLine } from '../kit/text.js';
import { runProgram } from './program.js';

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
  let why: string | undefined;
  while (!signal.aborted) {
    const left = ends - performance.now();
    // a last try that is killed at once would say less than the one before
    if (left <= 0 || (why !== undefined && left < PLAN_SETTLE_LEAST)) break;
    const failure = await tryOnce(command, Math.min(left, PLAN_SETTLE_TRY), facts, signal);
    if (failure === undefined) return undefined;
    why = failure;
    await sleep(Math.max(0, Math.min(PLAN_SETTLE_PAUSE, ends - performance.now())), undefined, { signal }).catch(() => undefined);
  }
  return why ?? 'it was not tried';
}

/** @returns undefined where it ended with 0; else why not */
async function tryOnce(command: readonly string[], timeout: number, { plan, run, stage }: SettleFacts, signal: AbortSignal): Promise<string | undefined> {
  const { code, reason, output } = await runProgram(command, { timeout, signal, env: { ARGO_PLAN: plan, ARGO_RUN: run, ARGO_STAGE: stage } });
  if (code === 0) return undefined;
  const said = harmless(oneLine(output.trim().split('\n').at(-1) ?? '', PLAN_SETTLE_WORDS));
  return `${command[0]}: ${reason || `ended with ${code}`}${said === '' ? '' : `: ${said}`}`;
}
