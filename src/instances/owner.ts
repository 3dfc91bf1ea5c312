import type { Destination } from '../drivers/management/machine.js';
import type { ProviderAbilities } from '../drivers/management/contract.js';
import type { Deadline } from '../kit/deadline.js';
import type { LinkedList } from '../kit/linked-list.js';
import type { Caller } from './calls.js';
import type { Lease } from './lease.js';
import type { Asking, Question } from './readings.js';

/** What is under way at a provider. */
export interface ProviderWork {
  /** actions on its instances that have begun and not ended */
  readonly actions: number;
  /** calls to it that wait for a place */
  readonly waiting: number;
}

/**
 * What instances, registry and gate need of the provider that an instance belongs to. The provider
 * itself feeds the registry, so these must not know it in turn.
 */
export interface Owner {
  readonly name: string;
  readonly settings: { readonly type: string };
  /** why what the registry holds of it may be out of date; undefined while it is current */
  readonly staleReason: string | undefined;
  /** whether it answered when it was asked last, be it that it does not know all */
  readonly answers: boolean;
  /** whether a listing has ever succeeded */
  readonly listed: boolean;
  /** when a listing was last taken in, ms since 1970 */
  readonly lastListing: number | undefined;
  /** what is under way there now */
  readonly work: ProviderWork;
  /** milliseconds for a power action where the request does not say, if the provider sets it */
  readonly actionTimeout: number | undefined;
  readonly supportsDmesg: boolean;
  /** what can be done with its host beyond the power of machines */
  readonly abilities: ProviderAbilities | undefined;
  /** which host it is, where two providers may be of one; undefined: no other one's */
  readonly place: string | undefined;
  /** where the gate to its machines is, where that is another argo-server's: `site berlin` */
  readonly farPlace: string | undefined;
  /** by which alone orders are sent, where other servers serve the same machines; undefined: there is no other */
  readonly lease?: Lease | undefined;
  /** One call to the driver in its turn: an order, or what belongs to one. @throws what the driver throws; TIMEOUT at the deadline; UNREACHABLE without the lease */
  call<T>(deadline: Deadline, work: (signal: AbortSignal) => Promise<T>, caller: Caller): Promise<T>;
  /**
   * One reading of a machine, in its turn. Many who ask the same at a time are answered by one call.
   * @param open holds who asks, so that it can be ended early
   * @throws as {@link call}
   */
  read<T>(question: Question<T>, open?: LinkedList<Asking>): Promise<T>;
  /** Ends the readings of which the callback gives a reason. */
  endReadings(reason: (question: Question) => Error | undefined): void;
  /** A machine was told something: what was read of it before holds no longer. */
  changed(id: string): void;
  /**
   * Keeps the provider open for an action, also when it is no longer configured meanwhile, but not for ever.
   * @param whenOver called when it is closed all the same
   * @param isLong of a task: longer, where the provider is only configured anew
   * @returns ends that
   */
  hold(whenOver: () => void, isLong?: boolean): () => void;
  /** Long work, which holds none of the places that others wait for: who begins it bounds it. @throws what the driver throws; the deadline's reason */
  attend<T>(deadline: Deadline, work: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** Resolves when it has been listed by a listing that began after this call, or one was tried in vain. Never rejects. */
  relist(): Promise<void>;
  /** How machines of other providers of its type can be moved to it. @throws ArgoError NOT SUPPORTED */
  destination(): Destination;
  /** The hypervisor's log. @throws ArgoError NOT SUPPORTED where the driver has none */
  dmesg(signal: AbortSignal): Promise<string>;
}
