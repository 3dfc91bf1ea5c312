import { randomUUID } from 'node:crypto';
import { Slices } from '../../kit/slices.js';
import type { Driver, DriverHost, PowerState, Sample, Sighting } from '../driver.js';
import type { ProviderAbilities } from '../management/contract.js';
import type { Destination } from '../management/machine.js';
import { pass, SimMachine, type Fault, type World } from './machine.js';
import { SimHost } from './management/host.js';
import { USUAL_HARDWARE, type ManagedMachine, type NewSimMachine } from './management/park.js';

export interface SimOptions {
  readonly instances: readonly (string | { readonly name: string; readonly state: PowerState })[];
  /** further instances vm00001 …, all on */
  readonly count: number;
  /** milliseconds that each call takes */
  readonly latency: number;
  readonly faults: Readonly<Record<string, Fault>>;
}

/** The simulated hypervisor. */
export class SimDriver implements Driver {
  /** another list where one comes or goes later on: a listing is taken in bit by bit */
  #machines: readonly SimMachine[];
  readonly #made = new Set<SimMachine>();
  readonly #world: World;
  #host: SimHost | undefined;
  /** ids are given once */
  #lastId = 0;

  constructor({ instances, count, latency, faults }: SimOptions, host: DriverHost) {
    this.#world = {
      id: randomUUID(),
      host,
      latency,
      faults: new Map(Object.entries(faults)),
      startedAt: performance.now(),
      management: () => this.#management(),
    };
    const machines = instances.map((instance) => {
      const { name, state: power } = typeof instance === 'string' ? { name: instance, state: 'on' as const } : instance;
      return this.#newMachine({ name, power, hardware: USUAL_HARDWARE });
    });
    for (let number = 1; number <= count; number += 1) machines.push(this.#newMachine({ name: `vm${String(number).padStart(5, '0')}`, power: 'on', hardware: USUAL_HARDWARE }));
    this.#machines = machines;
  }

  list(): Promise<readonly Sighting[]> {
    return Promise.resolve(this.#machines);
  }

  /** One call, which takes as long as one to a machine. */
  async sample(signal: AbortSignal): Promise<ReadonlyMap<string, Sample>> {
    if (this.#world.latency > 0) await pass(this.#world.latency, signal);
    const samples = new Map<string, Sample>();
    const slices = new Slices();
    for (const machine of this.#machines) {
      if (slices.isOver()) {
        await slices.pause();
        signal.throwIfAborted();
      }
      samples.set(machine.id, machine.sample);
    }
    return samples;
  }

  dmesg(): Promise<string> {
    return Promise.resolve(`Simulated hypervisor ${this.#world.host.name}: ${this.#machines.length} machines\n`);
  }

  get abilities(): ProviderAbilities {
    return this.#management().abilities;
  }

  destination(): Destination {
    return this.#management().destination;
  }

  close(): Promise<void> {
    this.#host?.close();
    return Promise.resolve();
  }

  #management(): SimHost {
    const { id, host: { name }, latency, startedAt } = this.#world;
    const machines = (): readonly SimMachine[] => this.#machines;
    return this.#host ??= new SimHost({
      id, name, latency, startedAt, made: this.#made,
      get machines() { return machines(); },
      add: (machine) => this.#add(machine),
      remove: (machine) => this.#remove(machine),
    });
  }

  #add(machine: NewSimMachine): void {
    const { image, volume } = machine.hardware;
    const added = this.#newMachine(machine);
    this.#machines = [...this.#machines, added];
    if (image !== undefined || volume !== undefined) this.#made.add(added);
    this.#world.host.relist();
  }

  #remove({ id }: ManagedMachine): void {
    const removed = this.#machines.find((machine) => machine.id === id);
    if (removed === undefined) return;
    removed.leave();
    this.#machines = this.#machines.filter((machine) => machine !== removed);
    this.#made.delete(removed);
    this.#world.host.relist();
  }

  #newMachine(machine: NewSimMachine): SimMachine {
    this.#lastId += 1;
    return new SimMachine(String(this.#lastId), machine, this.#world);
  }
}
