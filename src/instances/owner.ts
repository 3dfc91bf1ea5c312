import type { Deadline } from '../kit/deadline.js';

/**
 * What instances, registry and gate need of the provider that an instance belongs to. The provider
 * itself feeds the registry, so these must not know it in turn.
 */
export interface Owner {
  readonly name: string;
  readonly settings: { readonly type: string };
  /** why what the registry holds of it may be out of date; undefined while it is current */
  readonly staleReason: string | undefined;
  /** whether a listing has ever succeeded */
  readonly listed: boolean;
  /** milliseconds for a power action where the request does not say, if the provider sets it */
  readonly actionTimeout: number | undefined;
  readonly supportsDmesg: boolean;
  /** One call to the driver in its turn. @throws what the driver throws; TIMEOUT at the deadline */
  call<T>(deadline: Deadline, work: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** Keeps the provider open for an action, also when it is no longer configured meanwhile. @returns ends that */
  hold(): () => void;
  /** The hypervisor's log. @throws ArgoError NOT SUPPORTED where the driver has none */
  dmesg(deadline: Deadline): Promise<string>;
}
