import type { MachineAbilities, ProviderAbilities } from '../../management/contract.js';
import type { Destination } from '../../management/machine.js';
import { offer, SimManagement, withdraw } from './machine.js';
import { SimNetwork } from './network.js';
import type { ManagedMachine, Park } from './park.js';
import { statisticsOf } from './statistics.js';
import { SimStorage } from './storage.js';

/** A simulated host, beyond the power of its machines. All is in memory, and as it was at first after a restart. */
export class SimHost {
  readonly storage: SimStorage;
  readonly abilities: ProviderAbilities;

  constructor(readonly park: Park) {
    const network = new SimNetwork(park);
    this.storage = new SimStorage(park, (name) => network.hasBridge(name));
    this.abilities = { ...this.storage.abilities, network: network.ability, statistics: statisticsOf(park) };
    offer(this);
  }

  get destination(): Destination {
    return { provider: this.park.name, access: { park: this.park.id } };
  }

  abilitiesOf(machine: ManagedMachine): MachineAbilities {
    return new SimManagement(machine, this).abilities;
  }

  close(): void {
    withdraw(this);
  }
}
