import { setTimeout as sleep } from 'node:timers/promises';
import { ArgoError } from '../../../kit/errors.js';
import { isCutOff } from '../errors.js';
import type { DriverHost } from '../../driver.js';

/**
 * Steps that change something. They are not given up half way when a task is told to end: libvirt would go on, and what it
 * made then would be known to nobody. Each has a deadline of its own instead.
 */

/** Milliseconds for one step. */
const STEP_MS = 60_000;

/** Milliseconds for which a libvirt that is away is waited for, where something has to be looked at or taken back; and between two attempts. */
const BACK_MS = 20_000;
const RETRY_MS = 250;

/** Does a step, whoever gave up meanwhile. */
export const step = <T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> => work(AbortSignal.timeout(STEP_MS));

/** Does what may be done again and again, while libvirt cannot be reached. @throws as the last attempt */
export async function insist<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const deadline = AbortSignal.timeout(BACK_MS);
  for (;;) {
    try {
      return await work(deadline);
    } catch (error) {
      if (!isCutOff(error) || deadline.aborted) throw error;
      await sleep(RETRY_MS);
    }
  }
}

/**
 * Does a step and, where the connection was lost under it, looks whether it is done.
 * @throws ArgoError UNCERTAIN where it was not done when looked at: libvirt may still be about it
 */
export async function settled(work: (signal: AbortSignal) => Promise<unknown>, isDone: (signal: AbortSignal) => Promise<boolean>): Promise<void> {
  try {
    await step(work);
  } catch (error) {
    if (!(error instanceof ArgoError) || error.phrase !== 'UNCERTAIN') throw error;
    if (!await insist(isDone)) throw error;
  }
}

/**
 * What is to be said of work that ended early, when all that it had done is undone: nothing of it is left, so nobody has to
 * look. A refusal stays what it is.
 */
export function undone(error: unknown, signal: AbortSignal): unknown {
  // why it was told to end may be an ArgoError itself
  const isRefusal = error instanceof ArgoError && error !== signal.reason;
  if (isRefusal && error.phrase !== 'UNCERTAIN') return error;
  if (isRefusal) return new ArgoError('UNREACHABLE', `${error.detail}; what was done was undone`, { cause: error });
  return signal.aborted ? new ArgoError('UNREACHABLE', 'it was told to end; what was done was undone', { cause: error }) : error;
}

/** What takes back what was done, in reverse. */
export class TakingBack {
  readonly #host: DriverHost;
  readonly #steps: { readonly what: string; readonly work: (signal: AbortSignal) => Promise<unknown> }[] = [];

  constructor(host: DriverHost) {
    this.#host = host;
  }

  /** @param work may be done again and again, and also where there is nothing to take back */
  add(what: string, work: (signal: AbortSignal) => Promise<unknown>): void {
    this.#steps.unshift({ what, work });
  }

  /** Stops at what cannot be taken back: what was done before is needed for it. @returns what that is; undefined where nothing is left */
  async run(): Promise<string | undefined> {
    for (const { what, work } of this.#steps) {
      try {
        await insist(work);
      } catch (error) {
        this.#host.log('warn', 'what was half made could not be taken away', { what, error: String(error) });
        return what;
      }
    }
    return undefined;
  }
}
