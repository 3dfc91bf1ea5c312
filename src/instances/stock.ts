import type { Machine, MachineType, PowerState } from '../drivers/driver.js';
import type { Registry } from './registry.js';

/** A machine as those know it who keep a copy of the inventory. */
export interface StockedMachine {
  readonly id: string;
  /** short name */
  readonly name: string;
  readonly type: MachineType;
  /** as it was last seen */
  readonly state: PowerState;
  /** what it can be asked for: the same list for all that can do the same */
  readonly capabilities: readonly string[];
}

/** A provider as those know it who keep a copy of the inventory. */
export interface StockedProvider {
  readonly name: string;
  /** as in argo-server.conf: `libvirt` */
  readonly type: string;
  /** why what is known of it may be out of date; undefined while it is current */
  readonly stale: string | undefined;
  /** whether a listing has ever succeeded: before, nobody knows what there is */
  readonly isListed: boolean;
  /** whether it has a hypervisor's log */
  readonly hasLog: boolean;
}

/**
 * All machines as plain data, for those who keep a copy of the inventory elsewhere: whom they tell of what, they decide.
 * There may be a million, so some are made when they are asked for.
 */
export class Stock {
  readonly #registry: Registry;
  readonly #capabilitiesOf: (machine: Machine) => readonly string[];

  /** @param capabilitiesOf says what a machine can be asked for; it asks for nothing */
  constructor(registry: Registry, capabilitiesOf: (machine: Machine) => readonly string[]) {
    this.#registry = registry;
    this.#capabilitiesOf = capabilitiesOf;
  }

  /** @returns undefined where there is none of that name */
  provider(name: string): StockedProvider | undefined {
    const owner = this.#registry.providerNamed(name);
    return owner && { name, type: owner.settings.type, stale: owner.staleReason, isListed: owner.listed, hasLog: owner.supportsDmesg };
  }

  /** How many machines a provider has. */
  count(provider: string): number {
    const owner = this.#registry.providerNamed(provider);
    return owner === undefined ? 0 : this.#registry.of(owner).length;
  }

  /** The ids of a provider's machines. Whoever walks through them may take pauses: they are those of when the first was asked for. */
  *ids(provider: string): Generator<string> {
    const owner = this.#registry.providerNamed(provider);
    if (owner) for (const { id } of this.#registry.of(owner)) yield id;
  }

  /** Those of a provider's machines that are there, of some ids, in their order. */
  machines(provider: string, ids: readonly string[]): StockedMachine[] {
    return this.#registry.byIds(provider, ids).map(({ id, name, machine, state }) =>
      ({ id, name, type: machine.type, state, capabilities: this.#capabilitiesOf(machine) }));
  }
}
