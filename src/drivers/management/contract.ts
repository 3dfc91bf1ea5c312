import type { Images, Machines, Templates, Volumes } from './storage.js';
import type { HardwareAbility, MigrationAbility, RemovalAbility, TemplatingAbility } from './machine.js';
import type { Network } from './network.js';
import type { Statistics } from './statistics.js';

export type { None, Work, WorkCall } from './work.js';

/**
 * What a provider's host can do beyond power: groups of methods that a driver may offer, as Ironic's interfaces are.
 * A group, or a method of a group, that is missing is what makes `400 NOT SUPPORTED`.
 *
 * Every method takes one object of arguments, which the gate has checked by the table of works (names have their form
 * and sizes their limits; whether such a thing exists is the driver's to say), and a {@link WorkCall}. It resolves when
 * it is done and what was made can be seen; it rejects as the methods of `Machine` do. `UNREACHABLE`: nothing was done, or
 * nothing of it is left, as of one that was told to end and took away what it had half made. `UNCERTAIN`, or the signal's
 * reason passed on: it may have been done. Something half made must never be listed, nor be left behind by an end in good order.
 */
export interface ProviderAbilities {
  readonly images?: Partial<Images>;
  readonly templates?: Partial<Templates>;
  readonly machines?: Partial<Machines>;
  readonly volumes?: Partial<Volumes>;
  readonly network?: Partial<Network>;
  readonly statistics?: Partial<Statistics>;
}

/** The same of a machine. */
export interface MachineAbilities {
  readonly hardware?: Partial<HardwareAbility>;
  readonly templating?: Partial<TemplatingAbility>;
  readonly removal?: Partial<RemovalAbility>;
  readonly migration?: Partial<MigrationAbility>;
}
