import { isDeepStrictEqual } from 'node:util';
import * as v from 'valibot';
import type { Hardware, Limits } from '../../../drivers/management/machine.js';
import { SettingsFault } from '../../../kit/errors.js';
import { CPU_LIMIT_MOST, VCPUS_MOST } from '../../../kit/work-limits.js';
import { known } from './figures.js';
import { ifAllowed } from './machines.js';
import { address, diskMegabytes, inMegabytes, memoryMegabytes, settings, wholeText } from './params.js';
import { hostRow, machineRow, type MachineKind, type Row } from './row.js';

/** Settings of machines as OMS has them: texts, memory and disk in MB, and what is wrong with them by their names. */

/** One setting: its name here, what may be said, and what is answered where it is something else. */
interface Field {
  readonly ours: string;
  readonly value: v.GenericSchema;
  readonly fault: string;
}

const count: Field = { ours: 'vcpus', value: wholeText(1, VCPUS_MOST), fault: 'Virtual CPU count not correct' };
const memory: Field = { ours: 'memory', value: memoryMegabytes, fault: 'Memory size not correct' };
const cpuLimit: Field = { ours: 'cpuLimit', value: wholeText(0, CPU_LIMIT_MOST), fault: 'Virtual CPU limit not correct' };
const disk: Field = { ours: 'disk', value: diskMegabytes, fault: 'Disk size not correct' };
const ip: Field = { ours: 'address', value: address, fault: 'IP address not correct' };
const nameserver: Field = { ours: 'nameserver', value: address, fault: 'Nameserver address not correct' };
const searchDomain: Field = { ours: 'searchDomain', value: v.pipe(v.string(), v.minLength(1)), fault: 'Search domain not correct' };
const secret: Field = { ours: 'password', value: v.pipe(v.string(), v.minLength(1)), fault: 'Password can not be zero length' };
const onboot: Field = { ours: 'autostart', value: v.pipe(v.picklist(['yes', 'no']), v.transform((text) => text === 'yes')), fault: 'Onboot configuration has to be yes or no' };
/** `interface`: of which the bridge alone can be another one */
const bridge: Field = {
  ours: 'bridge', fault: 'Interface not correct: type "bridge" and source_bridge are expected',
  value: v.pipe(v.strictObject({ type: v.optional(v.literal('bridge')), source_bridge: v.pipe(v.string(), v.minLength(1)) }), v.transform((one) => one.source_bridge)),
};

export type Fields = Readonly<Record<string, Field>>;

/** What can be changed of a machine, and chosen for a new one or for a template. */
export const FIELDS = {
  change: {
    vm: { vcpu: count, memory },
    // OMS' own example spells it so
    container: {
      vcpu: count,
      vcpulimit: cpuLimit,
      memory,
      disk,
      ip_address: ip,
      nameserver,
      searchdomain: searchDomain,
      password: secret,
      passowrd: secret,
      onboot,
    },
  },
  deploy: {
    vm: { vcpu: count, memory, interface: bridge },
    container: {
      vcpu: count,
      memory,
      disk: { ...disk, ours: 'size' },
      ip_address: ip,
      nameserver,
      searchdomain: searchDomain,
      passwd: secret,
    },
  },
  template: { vcpu: count, memory },
} as const;

/** What is wrong, by the name of each setting; nothing: it was done. */
export type Faults = Readonly<Record<string, unknown>>;

/** The least and the most, as texts. */
export const limitsOf = ({ vcpus, memory: ram, cpuLimit: limit, disk: root }: Limits): Readonly<Record<string, unknown>> =>
  known({
    min_vcpu: String(vcpus.min),
    max_vcpu: String(vcpus.max),
    min_memory: inMegabytes(ram.min),
    max_memory: inMegabytes(ram.max),
    min_vcpulimit: limit && String(limit.min),
    max_vcpulimit: limit && String(limit.max),
    min_disk: root && inMegabytes(root.min),
    max_disk: root && inMegabytes(root.max),
  });

/**
 * Settings as they were sent, in our names. Clients send back all that they were told with some of it changed: what is still
 * as it was told is no change, and what cannot be changed is a fault only where it is another value.
 * @param told what the client would be told now; asked for where a setting needs it
 */
async function readSettings(
  sent: Readonly<Record<string, unknown>>,
  fields: Fields,
  told: () => Promise<Readonly<Record<string, unknown>>>,
): Promise<{ readonly change: Readonly<Record<string, unknown>>; readonly faults: Faults }> {
  const [change, faults] = [new Map<string, unknown>(), new Map<string, unknown>()];
  let now: Readonly<Record<string, unknown>> | undefined;
  const isTold = async (name: string, value: unknown): Promise<boolean> => {
    now ??= (await ifAllowed(told())) ?? {};
    return Object.hasOwn(now, name) && isDeepStrictEqual(now[name], value);
  };
  for (const [name, value] of Object.entries(sent)) {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
    const read = field && v.safeParse(field.value, value);
    // by two names, of which only one could be done
    if (read?.success && change.has(field!.ours) && change.get(field!.ours) !== read.output)
      faults.set(name, 'This was said twice');
    else if (read?.success) change.set(field!.ours, read.output);
    else if (!(await isTold(name, value))) faults.set(name, field?.fault ?? 'This can not be changed here');
  }
  return { change: Object.fromEntries(change), faults: Object.fromEntries(faults) };
}

/**
 * Does something with settings, or says what is wrong with them.
 * @param act what the settings are for @throws SettingsFault by our names
 */
export async function withSettings(
  sent: Readonly<Record<string, unknown>>,
  fields: Fields,
  told: () => Promise<Readonly<Record<string, unknown>>>,
  act: (change: Readonly<Record<string, unknown>>) => Promise<unknown>,
): Promise<Faults> {
  const { change, faults } = await readSettings(sent, fields, told);
  if (Object.keys(faults).length > 0) return faults;
  try {
    await act(change);
    return {};
  } catch (error) {
    if (!(error instanceof SettingsFault)) throw error;
    // what was not sent, as the name of a template, is no setting of the caller's
    const found = Object.entries(error.faults).map(([name, fault]) => [nameOf(name, fields, sent), fault] as const);
    if (found.some(([name]) => name === undefined)) throw error;
    return Object.fromEntries(found as readonly (readonly [string, string])[]);
  }
}

/** The name here of one of our settings; the one that was sent, where there are two. */
function nameOf(ours: string, fields: Fields, sent: Readonly<Record<string, unknown>>): string | undefined {
  const names = Object.keys(fields).filter((name) => fields[name]!.ours === ours);
  return names.find((name) => Object.hasOwn(sent, name)) ?? names[0];
}

/** `parse_vm_settings`. */
const hardwareOf = (name: string, kind: MachineKind, { vcpus, memory: ram, limits, ...more }: Hardware): Readonly<Record<string, unknown>> => known({
  vcpu: String(vcpus), memory: inMegabytes(ram), ...limitsOf(limits),
  ...(kind === 'container' && {
    vm_id: name, vcpulimit: more.cpuLimit === undefined ? undefined : String(more.cpuLimit), disk: more.disk === undefined ? undefined : inMegabytes(more.disk),
    ip_address: more.address, nameserver: more.nameserver, searchdomain: more.searchDomain, onboot: more.autostart === undefined ? undefined : more.autostart ? 'yes' : 'no',
  }),
});

export const settingsRows = (kind: MachineKind): Readonly<Record<string, Row>> => ({
  parse_vm_settings: machineRow(kind, {
    operation: 'hardware.read', reads: true,
    run: async ({ actor, machine, signal }) => hardwareOf(machine.name, kind, await actor.work('hardware.read', machine, {}, { signal })),
  }),
  update_vm_settings: machineRow(kind, {
    params: { settings }, operation: 'hardware.change',
    run: ({ actor, machine, args, signal }) => withSettings(
      args.settings, FIELDS.change[kind],
      async () => hardwareOf(machine.name, kind, await actor.work('hardware.read', machine, {}, { signal })),
      async (change) => { if (Object.keys(change).length > 0) await actor.work('hardware.change', machine, change, { signal }); },
    ),
  }),
});

export const systemLimits: Row = hostRow({
  operation: 'machine.limits', reads: true,
  run: async ({ actor, provider, signal }) => limitsOf(await actor.work('machine.limits', provider, {}, { signal })),
});
