import type { Machine } from '../drivers/driver.js';
import { STEPS } from '../instances/actions.js';

/**
 * What a machine behind another gate can be asked for, by the names of its methods: what the values of the inventory name. The
 * state can be had of every one. `bootMark` is there where it says the same to another process, which a front is.
 */
export const CAPABILITIES = [...STEPS, 'info', 'ip', 'mac', 'uptime', 'rx', 'tx', 'load', 'disk', 'autostart', 'bootMark'] as const;
export type Capability = (typeof CAPABILITIES)[number];

/** Capabilities as bits, in the order of the table. */
export type CapabilityBits = number;

const bitOf = new Map<string, number>(CAPABILITIES.map((name, bit) => [name, 1 << bit]));
const lists = new Map<CapabilityBits, readonly Capability[]>();

/** What machines of one class can: all of them, since it is a method of the class; and perhaps one and not another, which has to be looked at. */
interface ClassOfMachines {
  readonly always: CapabilityBits;
  readonly perhaps: readonly Capability[];
}

/** By their prototypes. There may be a million machines, and to look at all that each might have takes longer than all else that is told of it. */
const classes = new WeakMap<object, ClassOfMachines>();

function classOf(machine: Machine): ClassOfMachines {
  const prototype = (Object.getPrototypeOf(machine) ?? Object.prototype) as object;
  let known = classes.get(prototype);
  if (known === undefined) {
    const methods = CAPABILITIES.filter((name) => isMethod(prototype, name) && name !== 'bootMark');
    classes.set(prototype, known = { always: bitsOf(methods), perhaps: CAPABILITIES.filter((name) => !methods.includes(name)) });
  }
  return known;
}

/** Whether all have it who have this prototype. What a getter says, or one has for himself, may be another thing for each. */
function isMethod(prototype: object, name: Capability): boolean {
  for (let one: object | null = prototype; one !== null; one = Object.getPrototypeOf(one) as object | null) {
    const found = Object.getOwnPropertyDescriptor(one, name);
    if (found !== undefined) return typeof found.value === 'function';
  }
  return false;
}

/** Those of a machine here. The same list for all machines that can do the same. */
export function capabilitiesOf(machine: Machine): readonly Capability[] {
  const { always, perhaps } = classOf(machine);
  let bits = always;
  for (const name of perhaps) if (machine[name] !== undefined && (name !== 'bootMark' || machine.bootMarkLasts === true)) bits |= bitOf.get(name)!;
  let list = lists.get(bits);
  if (list === undefined) lists.set(bits, list = Object.freeze(CAPABILITIES.filter((name) => hasCapability(bits, name))));
  return list;
}

/** Those that a site names; what is not known here is what a newer one has. */
export const bitsOf = (names: readonly string[]): CapabilityBits => names.reduce((bits, name) => bits | (bitOf.get(name) ?? 0), 0);

export const hasCapability = (bits: CapabilityBits, name: Capability): boolean => (bits & bitOf.get(name)!) !== 0;
