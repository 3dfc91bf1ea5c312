import { withoutCause, withoutWay, type ArgoError } from '../kit/errors.js';
import type { Call } from './order.js';
import type { Mandate } from './principal.js';
import { ownerOf, type Subject } from './subject.js';

/** Whether somebody may know why a provider does not answer: it may tell of what others have there. */
export const mayKnowWhy = ({ identity }: Mandate, subject: Subject): boolean => identity.principal.coversProvider(ownerOf(subject).name);

/** @param knowsWhy undefined: it is not about a provider's machines, or who may do it may know all of it */
function forCaller(thrown: unknown, knowsWhy: boolean | undefined): ArgoError {
  const error = withoutCause(thrown, knowsWhy);
  return knowsWhy === false ? withoutWay(error) : error;
}

/** What goes wrong is told without its cause, which is for the log alone. @param knowsWhy as of {@link forCaller} */
export const told = <T>(work: Promise<T>, knowsWhy?: boolean): Promise<T> =>
  work.catch((thrown: unknown) => { throw forCaller(thrown, knowsWhy); });

/** As {@link told}; the caller's own reason for ending it is no secret to him. */
export const toldTo = <T>({ signal }: Call, work: Promise<T>, knowsWhy?: boolean): Promise<T> =>
  work.catch((thrown: unknown) => { throw signal?.aborted && thrown === signal.reason ? thrown : forCaller(thrown, knowsWhy); });
