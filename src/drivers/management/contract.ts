import type { Images, Machines, Templates, Volumes } from './storage.js';
import type { HardwareAbility, MigrationAbility, RemovalAbility, TemplatingAbility } from './machine.js';
import type { Network } from './network.js';
import type { Statistics } from './statistics.js';

/**
 * What a provider's host can do beyond power: groups of methods that a driver may offer, as Ironic's interfaces are.
 * A group, or a method of a group, that is missing is what makes `400 NOT SUPPORTED`.
 *
 * Every method takes one object of arguments, which the gate has checked by the table of works (names have their form
 * and sizes their limits; whether such a thing exists is the driver's to say), and a {@link WorkCall}. It resolves when
 * it is done and what was made can be seen; it rejects as {@link Machine}'s methods do. `UNCERTAIN`: it may have been done.
 * Something half made must never be listed, nor be left behind by an end in good order.
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

/** What goes with each piece of work. */
export interface WorkCall {
  /** aborted: the work ends soon, and takes away what it has half made */
  readonly signal: AbortSignal;
  /** random, letters and digits and dashes: for the names of what is half made, so that what an earlier process left is known by it */
  readonly task: string;
  /** How far it is, from 0 to 1. May be called as often as one likes. */
  progress(part: number): void;
}

/** A method of an ability: one object of arguments in, one answer out. */
export type Work<Args extends object, Result> = (args: Args, call: WorkCall) => Promise<Result>;
/** Without arguments. */
export type None = Readonly<Record<never, never>>;
