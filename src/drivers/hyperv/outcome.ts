import { setTimeout as pause } from 'node:timers/promises';
import { ArgoError } from '../../kit/errors.js';
import { within } from '../../kit/within.js';
import type { PowerState } from '../driver.js';
import { explain } from '../wmi/errors.js';
import type { HyperVContext } from './context.js';
import { LOOK_FIRST_MS, LOOK_LONGEST_MS } from './jobs.js';

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
  for (let wait = LOOK_FIRST_MS; !signal.aborted; wait = Math.min(wait * 2, LOOK_LONGEST_MS)) {
    state = await stateOf(context, id, signal);
    if (state === goal) return;
    if (state === 'starting' || state === 'stopping') still = performance.now();
    if (goal === undefined || performance.now() - still >= rest) break;
    await pause(wait, undefined, { signal }).catch(() => undefined);
  }
  throw new ArgoError('UNCERTAIN', `${reason}; the machine is ${state}`, { cause });
}

/** `unknown` where the host does not tell it. @throws the fault of a machine that is gone */
export async function stateOf({ inventory }: HyperVContext, id: string, signal: AbortSignal): Promise<PowerState> {
  try {
    return await within(LOOK_LIMIT_MS, [signal], (limited) => inventory.state(id, limited));
  } catch (error) {
    const explained = explain(error, 'reads');
    if (explained instanceof ArgoError && explained.phrase === 'NO SUCH INSTANCE') throw error;
    return 'unknown';
  }
}
