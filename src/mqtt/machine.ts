/** What may be ordered. */
export type Order = 'start' | 'stop' | 'reboot' | 'force-off';

/** A machine as the broker is told of it. */
export interface Machine {
  readonly provider: string;
  /** the manager's own id, which a change of its name does not touch */
  readonly id: string;
  /** {@link Topics.device} */
  readonly device: string;
  /** `provider/name`, or `provider/#id` where several have that name */
  fullName: string;
  /** what follows the provider in it */
  name: string;
  state: string;
  /** when that was seen, ISO 8601; undefined: before we looked */
  since: string | undefined;
  /** the server does not say now what it is: its provider does not answer, or the machine has gone */
  isStale: boolean;
  /** undefined: nobody has said that yet */
  may: ReadonlySet<Order> | undefined;
}

/** A full name in its two parts. */
export function splitName(fullName: string): { provider: string; name: string } {
  const slash = fullName.indexOf('/');
  return { provider: fullName.slice(0, slash), name: fullName.slice(slash + 1) };
}
