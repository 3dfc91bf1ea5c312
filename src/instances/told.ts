import { withoutCause } from '../kit/errors.js';
import type { Call } from './order.js';

/** What goes wrong is told without its cause, which is for the log alone. */
export const told = <T>(work: Promise<T>): Promise<T> => work.catch((thrown: unknown) => { throw withoutCause(thrown); });

/** As {@link told}; the caller's own reason for ending it is no secret to him. */
export const toldTo = <T>({ signal }: Call, work: Promise<T>): Promise<T> =>
  work.catch((thrown: unknown) => { throw signal?.aborted && thrown === signal.reason ? thrown : withoutCause(thrown); });
