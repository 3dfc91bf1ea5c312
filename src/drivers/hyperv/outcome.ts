import { setTimeout as pause } from 'node:timers/promises';
import { longer } from '../../kit/backoff.js';
import { ArgoError } from '../../kit/errors.js';
import { within } from '../../kit/within.js';
import type { WmiObject, WmiPath } from '../../protocols/wmi/connection.js';
import type { PowerState } from '../driver.js';
import { explain } from '../wmi/errors.js';
import type { WmiLink } from '../wmi/link.js';
import { count, text } from '../wmi/values.js';
import type { HyperVContext } from './context.js';
import { refusal } from './errors.js';

/** Between two looks, ms: the first, and the longest. */
export const LOOK_FIRST_MS = 40;
export const LOOK_LONGEST_MS = 1000;
/** Looks one after the other that may fail while a job is followed: looking again does no harm. */
const FAILURES = 4;

/** CIM_ConcreteJob.JobState. */
const COMPLETED = 7;
const COMPLETED_WITH_WARNINGS = 32_768;
/** completed, terminated, killed, exception; what is above is a vendor's own, or goes on */
const ENDED: readonly number[] = [COMPLETED, 8, 9, 10, COMPLETED_WITH_WARNINGS];

/** `lost` where the host does not tell what became of it; else done, or why not. */
export type JobEnd = 'done' | 'lost' | ArgoError;

/** Follows a job to its end. What goes wrong on the way there says nothing of the job. @throws the signal's reason */
export async function followJob(link: WmiLink, job: WmiPath, signal: AbortSignal): Promise<JobEnd> {
  for (let wait = LOOK_FIRST_MS; ; wait = longer(wait, LOOK_LONGEST_MS)) {
    const found = await look(link, job, signal);
    if (found === undefined) return 'lost';
    const state = count(found.JobState) ?? 0;
    const code = count(found.ErrorCode) ?? 0;
    if (ENDED.includes(state)) {
      const isCompleted = state === COMPLETED || state === COMPLETED_WITH_WARNINGS;
      return isCompleted && code === 0 ? 'done' : refusal(code === 0 ? 32_768 : code, text(found.ErrorDescription), !isCompleted);
    }
    await pause(wait, undefined, { signal });
  }
}

/** @returns undefined where the host no longer has it, or does not answer */
async function look(link: WmiLink, job: WmiPath, signal: AbortSignal): Promise<WmiObject | undefined> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await link.get(job, signal);
    } catch (error) {
      signal.throwIfAborted();
      const explained = explain(error, 'reads');
      if (!(explained instanceof ArgoError)) throw error;
      if (explained.phrase === 'NO SUCH INSTANCE' || explained.phrase === 'ACCESS DENIED' || failures >= FAILURES) return undefined;
      await pause(LOOK_LONGEST_MS, undefined, { signal });
    }
  }
}

/** For one look at the state, ms. */
const LOOK_LIMIT_MS = 5000;

/** An order of which only the machine can tell what came of it. */
export interface Order {
  readonly id: string;
  /** the state by which it is told; undefined where none tells */
  readonly goal?: PowerState | undefined;
}

export interface Doubt {
  /** why the answer does not tell it */
  readonly reason: string;
  /** how long the machine may stay as it is, neither at the goal nor on its way, until it counts as settled, ms */
  readonly rest: number;
  readonly cause?: unknown;
}

/**
 * Looks at a machine until the goal is there, it has settled elsewhere, or the time is over.
 * @throws ArgoError UNCERTAIN in the latter two; the fault of a machine that is gone
 */
export async function settle(context: HyperVContext, { id, goal }: Order, { reason, rest, cause }: Doubt, signal: AbortSignal): Promise<void> {
  let state: PowerState = 'unknown';
  let still = performance.now();
  for (let wait = LOOK_FIRST_MS; !signal.aborted; wait = longer(wait, LOOK_LONGEST_MS)) {
    const seen = await stateOf(context, id, signal);
    // A look that was cut off by the end of the time says nothing against the one before.
    if (seen !== 'unknown' || !signal.aborted) state = seen;
    if (state === goal) return;
    if (state === 'starting' || state === 'stopping') still = performance.now();
    if (goal === undefined || performance.now() - still >= rest) break;
    await pause(wait, undefined, { signal }).catch(() => undefined);
  }
  throw new ArgoError('UNCERTAIN', `${reason}; the machine is ${state}`, { cause });
}

/** `unknown` where the host does not tell it. @throws the fault of a machine that is gone */
export async function stateOf(context: HyperVContext, id: string, signal: AbortSignal): Promise<PowerState> {
  try {
    return await within(LOOK_LIMIT_MS, [signal], (limited) => context.stateOf(id, limited));
  } catch (error) {
    const explained = explain(error, 'reads');
    if (explained instanceof ArgoError && explained.phrase === 'NO SUCH INSTANCE') throw error;
    return 'unknown';
  }
}
