import type { Autostart, Machine, MachineType, PowerState } from '../../drivers/driver.js';
import type { FarCall, FarChange, FarGate, FarOrder, FarOutcome } from '../../drivers/far.js';
import { STEPS } from '../../instances/actions.js';
import { shownName } from '../../instances/registry.js';
import { FLEET_MACHINE_KINDS } from '../../kit/fleet-limits.js';
import { bitsOf, CAPABILITIES, hasCapability, type Capability, type CapabilityBits } from '../capabilities.js';
import type { Target } from '../contract.js';
import { MessageFault } from '../messages.js';
import type { SiteOrders } from './orders.js';
import type { KindOf, MakeMachine } from './provider-inventory.js';

/** Where the machines of one provider are. */
export interface MachineHome {
  readonly site: string;
  /** as the site calls it */
  readonly provider: string;
  readonly orders: SiteOrders;
}

/**
 * A machine behind another gate. There may be a million: so each has three fields, and what it can stands in the prototype of
 * its kind.
 */
abstract class RemoteMachine implements Machine {
  abstract readonly type: MachineType;

  constructor(readonly id: string, readonly name: string, readonly home: MachineHome) {}

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
    return `site ${this.#target.site}`;
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

type Kind = new (id: string, name: string, home: MachineHome) => Machine;

const kinds = new Map<string, Kind>();

/** @throws MessageFault where there are too many */
function kindOf(type: MachineType, bits: CapabilityBits): Kind {
  const key = `${type} ${bits}`;
  let kind = kinds.get(key);
  if (kind === undefined) {
    if (kinds.size >= FLEET_MACHINE_KINDS) throw new MessageFault(`machines can do more different things than ${FLEET_MACHINE_KINDS}`);
    kinds.set(key, kind = newKind(type, bits));
  }
  return kind;
}

function newKind(type: MachineType, bits: CapabilityBits): Kind {
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

/** @returns makes machines of a type with certain capabilities; the same function for the same. It throws MessageFault where there are too many kinds */
export function kindsAt(home: MachineHome): KindOf {
  const makers = new Map<Kind, MakeMachine>();
  return (type, capabilities) => {
    const Made = kindOf(type, bitsOf(capabilities));
    let make = makers.get(Made);
    if (make === undefined) makers.set(Made, make = (id, name) => new Made(id, name, home));
    return make;
  };
}
