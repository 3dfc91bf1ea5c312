import type { Autostart, Machine, MachineType, PowerState } from '../../drivers/driver.js';
import type { FarCall, FarChange, FarGate, FarOrder, FarOutcome } from '../../drivers/far.js';
import { STEPS } from '../../instances/actions.js';
import { shownName } from '../../instances/instance.js';
import { FLEET_MACHINE_KINDS } from '../../kit/fleet-limits.js';
import { Tally } from '../../kit/tally.js';
import { bitsOf, CAPABILITIES, hasCapability, type Capability, type CapabilityBits } from '../capabilities.js';
import type { Target } from '../contract.js';
import { MessageFault } from '../messages.js';
import type { SiteOrders } from './orders.js';
import type { MachineKind, ProviderKinds, SeenMachine } from './provider-inventory.js';
import { sitePlace } from './refusal.js';

/** Where the machines of one provider are. */
export interface MachineHome {
  readonly site: string;
  /** as the site calls it */
  readonly provider: string;
  readonly orders: SiteOrders;
}

/**
 * A machine behind another gate. There may be a million: so each has four fields, and what it can stands in the prototype of
 * its kind.
 */
abstract class RemoteMachine implements SeenMachine {
  abstract readonly type: MachineType;

  /** @param state as it was told last */
  constructor(readonly id: string, readonly name: string, readonly home: MachineHome, public state: PowerState) {}

  get machine(): Machine {
    return this;
  }

  status(signal: AbortSignal): Promise<PowerState> {
    return this.home.orders.read(targetOf(this), 'status', signal);
  }

  get far(): FarGate {
    return new RemoteGate(this.home.orders, targetOf(this));
  }
}

const targetOf = (machine: RemoteMachine): Target =>
  ({ site: machine.home.site, provider: machine.home.provider, machine: machine.id, instance: shownName(machine) });

/** The gate of its site, for one machine. */
class RemoteGate implements FarGate {
  readonly #orders: SiteOrders;
  readonly #target: Target;

  constructor(orders: SiteOrders, target: Target) {
    this.#orders = orders;
    this.#target = target;
  }

  get place(): string {
    return sitePlace(this.#target.site);
  }

  power(order: FarOrder, call: FarCall): Promise<FarOutcome> {
    return this.#orders.power(this.#target, order, call);
  }

  change(change: FarChange, call: FarCall): Promise<Pick<FarOutcome, 'result'>> {
    return this.#orders.change(this.#target, change, call);
  }

  plan(order: FarOrder, call: Omit<FarCall, 'doing'>): Promise<string> {
    return this.#orders.plan(this.#target, order, call);
  }
}

type KindClass = new (id: string, name: string, home: MachineHome, state: PowerState) => SeenMachine;

/** What machines of some type can, and how many sites have such ones. */
interface Kind {
  readonly made: KindClass;
  sites: number;
}

/**
 * The kinds of machines that there are at sites. Those that are alike are of one kind, wherever they are: it is kept as long as a
 * site has it, and each site has so many of its own at most.
 */
export class MachineKinds {
  readonly #kinds = new Map<string, Kind>();
  /** by site: how many of its providers have machines of a kind */
  readonly #sites = new Map<string, Tally>();

  /** How many there are. */
  get size(): number {
    return this.#kinds.size;
  }

  /** Those of one provider, which is made anew where it comes back. */
  at(home: MachineHome): ProviderKinds {
    const kinds = new Map<string, MachineKind>();
    return {
      of: (type, capabilities) => {
        const bits = bitsOf(capabilities);
        const key = `${type} ${bits}`;
        let kind = kinds.get(key);
        if (kind === undefined) {
          const Made = this.#take(home.site, key, type, bits);
          kinds.set(key, kind = { make: (id, name, state) => new Made(id, name, home, state), has: (machine) => machine instanceof Made });
        }
        return kind;
      },
      end: () => {
        for (const key of kinds.keys()) this.#give(home.site, key);
        kinds.clear();
      },
    };
  }

  /** @throws MessageFault where that site has too many */
  #take(site: string, key: string, type: MachineType, bits: CapabilityBits): KindClass {
    const own = this.#sites.get(site) ?? new Tally();
    const isNew = own.of(key) === 0;
    if (isNew && own.size >= FLEET_MACHINE_KINDS) throw new MessageFault(`machines of ${site} can do more different things than ${FLEET_MACHINE_KINDS}`);
    const kind = this.#kinds.get(key) ?? { made: newKind(type, bits), sites: 0 };
    if (isNew) kind.sites += 1;
    own.add(key);
    this.#kinds.set(key, kind);
    this.#sites.set(site, own);
    return kind.made;
  }

  #give(site: string, key: string): void {
    const [own, kind] = [this.#sites.get(site)!, this.#kinds.get(key)!];
    own.take(key);
    if (own.of(key) > 0) return;
    if (own.size === 0) this.#sites.delete(site);
    kind.sites -= 1;
    if (kind.sites === 0) this.#kinds.delete(key);
  }
}

function newKind(type: MachineType, bits: CapabilityBits): KindClass {
  class KnownMachine extends RemoteMachine {
    declare readonly type: MachineType;
  }
  const { prototype } = KnownMachine;
  const define = (name: string, what: PropertyDescriptor): void => { Object.defineProperty(prototype, name, what); };
  define('type', { value: type });
  for (const name of CAPABILITIES) if (hasCapability(bits, name)) define(name, name === 'autostart' ? { get: autostartOf } : { value: methodOf(name) });
  if (hasCapability(bits, 'bootMark')) define('bootMarkLasts', { value: true });
  return KnownMachine;
}

/** A step says that there is such an action: what is ordered goes to the other gate as a whole. */
const isStep = (name: Capability): boolean => (STEPS as readonly string[]).includes(name);
const noStep = (): Promise<never> => Promise.reject(new Error('an action on a machine behind another gate goes there as a whole'));

type Reading = Exclude<Capability, (typeof STEPS)[number] | 'autostart'>;

function methodOf(name: Exclude<Capability, 'autostart'>): (this: RemoteMachine, signal: AbortSignal) => Promise<unknown> {
  if (isStep(name)) return noStep;
  return function read(this: RemoteMachine, signal: AbortSignal) {
    return this.home.orders.read(targetOf(this), name as Reading, signal);
  };
}

function autostartOf(this: RemoteMachine): Autostart {
  return { read: (signal) => this.home.orders.read(targetOf(this), 'autostart', signal), set: noStep };
}
