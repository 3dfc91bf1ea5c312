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

/** Those of a machine here. The same list for all machines that can do the same. */
export function capabilitiesOf(machine: Machine): readonly Capability[] {
  let bits = 0;
  CAPABILITIES.forEach((name, bit) => { if (machine[name] !== undefined) bits |= 1 << bit; });
  if (machine.bootMarkLasts !== true) bits &= ~bitOf.get('bootMark')!;
  let list = lists.get(bits);
  if (list === undefined) lists.set(bits, list = Object.freeze(CAPABILITIES.filter((_, bit) => (bits & 1 << bit) !== 0)));
  return list;
}

/** Those that a site names; what is not known here is what a newer one has. */
export const bitsOf = (names: readonly string[]): CapabilityBits => names.reduce((bits, name) => bits | (bitOf.get(name) ?? 0), 0);

export const hasCapability = (bits: CapabilityBits, name: Capability): boolean => (bits & bitOf.get(name)!) !== 0;
