import { withoutCause } from '../kit/errors.js';
import type { Call } from './order.js';
import type { Mandate } from './principal.js';
import { ownerOf, type Subject } from './subject.js';

/** Whether somebody may know why a provider does not answer: it may tell of what others have there. */
export const mayKnowWhy = ({ identity }: Mandate, subject: Subject): boolean => identity.principal.coversProvider(ownerOf(subject).name);

/** What goes wrong is told without its cause, which is for the log alone. @param knowsWhy as of {@link withoutCause} */
export const told = <T>(work: Promise<T>, knowsWhy = false): Promise<T> =>
  work.catch((thrown: unknown) => { throw withoutCause(thrown, knowsWhy); });

/** As {@link told}; the caller's own reason for ending it is no secret to him. */
export const toldTo = <T>({ signal }: Call, work: Promise<T>, knowsWhy = false): Promise<T> =>
  work.catch((thrown: unknown) => { throw signal?.aborted && thrown === signal.reason ? thrown : withoutCause(thrown, knowsWhy); });
