import { CONSOLE_KINDS, type Machine, type MachineType, type PowerState } from '../drivers/driver.js';
import { STEPS, supportedActions } from './actions.js';
import type { Instance } from './instance.js';
import type { Principal } from './principal.js';

/** By what an operation names an instance. */
export interface InstanceRef {
  /** name of the provider */
  readonly provider: string;
  /** its manager's own, which it keeps: a uuid, a file name */
  readonly id: string;
}

/** What is known of an instance, as plain frozen data. It reaches no machine. */
export interface InstanceInfo extends InstanceRef {
  /** short name */
  readonly name: string;
  /** `provider/name` */
  readonly fullName: string;
  /** of its provider, as in argo-server.conf: `libvirt` */
  readonly providerType: string;
  readonly type: MachineType;
  /** as it was last seen */
  readonly state: PowerState;
  /** since when that has been seen, ISO 8601 in UTC */
  readonly since: string;
  /** why all this may be out of date; undefined while it is current */
  readonly stale: string | undefined;
  /** the power actions, readings, settings and consoles that the machine supports: `start`, `stop --force`, `uptime`, `autostart`, `console text` */
  readonly capabilities: readonly string[];
}

/** What a machine may lack beside its power actions: readings and settings. */
const OPTIONAL_OTHERS = ['ip', 'mac', 'uptime', 'rx', 'tx', 'load', 'disk', 'autostart'] as const satisfies readonly (keyof Machine)[];
const OPTIONAL_METHODS: readonly (keyof Machine)[] = [...STEPS, ...OPTIONAL_OTHERS];

/** The capabilities by the methods that a machine has, a bit each: few kinds differ, so each list is made once. */
const lists = new Map<number, readonly string[]>();

function capabilitiesOf(machine: Machine): readonly string[] {
  let methods = 0;
  for (let bit = 0; bit < OPTIONAL_METHODS.length; bit += 1) if (machine[OPTIONAL_METHODS[bit]!] !== undefined) methods |= 1 << bit;
  const { console } = machine;
  if (console !== undefined)
    for (let bit = 0; bit < CONSOLE_KINDS.length; bit += 1)
      if (console[CONSOLE_KINDS[bit]!] !== undefined) methods |= 1 << (OPTIONAL_METHODS.length + bit);
  let list = lists.get(methods);
  if (list === undefined) {
    list = Object.freeze([...supportedActions(machine), ...OPTIONAL_OTHERS.filter((name) => machine[name] !== undefined), ...CONSOLE_KINDS.filter((kind) => console?.[kind] !== undefined).map((kind) => `console ${kind}`)]);
    lists.set(methods, list);
  }
  return list;
}

/** What is told of a provider that does not answer, or not all, to those who may not know why. */
export const SOMEHOW_STALE = 'its provider does not answer as it should';

/** @param principal for whom it is: why its provider does not answer may tell of what others have there */
export function infoOf(instance: Instance, principal: Principal): InstanceInfo {
  const { machine, owner } = instance;
  return Object.freeze({
    provider: owner.name,
    id: machine.id,
    name: instance.name,
    fullName: instance.fullName,
    providerType: owner.settings.type,
    type: machine.type,
    state: instance.state,
    since: instance.since.toISOString(),
    stale: owner.staleReason === undefined || principal.coversProvider(owner.name) ? owner.staleReason : SOMEHOW_STALE,
    capabilities: capabilitiesOf(machine),
  });
}
