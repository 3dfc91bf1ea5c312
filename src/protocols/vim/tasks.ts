import { setTimeout as pause } from 'node:timers/promises';
import { longer } from '../../kit/backoff.js';
import { isFault, TaskLostError, VimFault, VimTransportError } from './errors.js';
import { readProperties, type Properties } from './properties.js';
import type { VimSession } from './session.js';
import { at, textOf, typeOf, type Ref, type VimValue } from './value.js';

/** Between two looks at a task, ms: short at first, since most power operations take no time. */
const FIRST_LOOK = 20;
const LONGEST_LOOK = 1000;

/** An object that is looked at beside a task. */
export interface Beside {
  readonly ref: Ref;
  readonly paths: readonly string[];
  /** called with what was read of it, while the task is not over; may throw */
  readonly look: (properties: Properties) => Promise<void>;
}

/**
 * Follows a task to its end.
 * @throws VimFault why it failed; TaskLostError; the signal's reason
 */
export async function followTask(session: VimSession, task: Ref, signal: AbortSignal, beside?: Beside): Promise<void> {
  for (let wait = FIRST_LOOK; ; wait = longer(wait, LONGEST_LOOK)) {
    // Most tasks are over at the first look, so that it is at the task alone.
    const { info, other } = await look(session, task, wait === FIRST_LOOK ? undefined : beside, signal);
    if (info.get('info.state') === 'success') return;
    if (info.get('info.state') === 'error') throw faultOf(info.get('info.error'));
    if (other !== undefined) await beside?.look(other);
    await pause(wait, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

async function look(
  session: VimSession,
  task: Ref,
  beside: Beside | undefined,
  signal: AbortSignal,
): Promise<{ info: Properties; other?: Properties | undefined }> {
  const wanted = { ref: task, paths: ['info.state', 'info.error'] };
  try {
    const read = await readProperties(session, beside ? [wanted, beside] : [wanted], signal);
    const info = read.get(task.value);
    if (info !== undefined) return { info, other: beside && read.get(beside.ref.value) };
  } catch (error) {
    // It may be the machine that is gone, and the task says why.
    if (beside && isFault(error, 'ManagedObjectNotFound')) return look(session, task, undefined, signal);
    if (error instanceof VimTransportError || isFault(error, 'ManagedObjectNotFound', 'NotAuthenticated'))
      throw new TaskLostError(error.message, { cause: error });
    throw error;
  }
  throw new TaskLostError('the task is gone');
}

/** A fault with its words (LocalizedMethodFault), as tasks and their results hold it. */
export function faultOf(error: VimValue | undefined): VimFault {
  const fault = at(error, 'fault') ?? null;
  return new VimFault(typeOf(fault) ?? 'unknown fault', textOf(at(error, 'localizedMessage')) ?? '', fault);
}
