import { SettingsFault } from '../../../../kit/errors.js';
import { formatBytes } from '../../../../kit/text.js';
import type { Limits, Range } from '../../../management/machine.js';
import type { DeploySettings, Template } from '../../../management/storage.js';
import type { Bounds, Descriptor } from './descriptor.js';

/** What machines that are made from a template may have: what the template wants, and what the host has. */

const range = <T extends number | bigint>({ min, max }: Bounds<T>, host: Range<T>): Range<T> => ({
  min: min > host.min ? min : host.min,
  max: max !== undefined && max < host.max ? max : host.max,
});

/** @param host what machines on this host may have */
export function limitsOf({ type, vcpus, memory, disks }: Descriptor, host: Limits): Limits {
  const size = disks[0]?.capacity ?? 0n;
  return {
    vcpus: range(vcpus, host.vcpus),
    memory: range(memory, host.memory),
    // The root of a container is a folder of the host, which has no limit of its own.
    ...(type === 'container' ? { disk: { min: size, max: size } } : {}),
  };
}

export const describeTemplate = (name: string, descriptor: Descriptor, host: Limits): Template => ({
  name,
  type: descriptor.type,
  arch: descriptor.arch,
  vcpus: descriptor.vcpus.normal,
  memory: descriptor.memory.normal,
  limits: limitsOf(descriptor, host),
  disks: descriptor.type === 'vm' ? descriptor.disks : [],
  ...(descriptor.type === 'container' ? { size: descriptor.disks[0]!.capacity } : {}),
});

/** What a machine gets: what was said, else what its template has. */
export interface Wanted {
  readonly vcpus: number;
  readonly memory: bigint;
}

/**
 * @param faults what is known to be wrong besides, by setting
 * @throws SettingsFault, with everything that does not fit
 */
export function wantedOf(settings: DeploySettings, template: Template, faults: Readonly<Record<string, string>>): Wanted {
  const { limits: { vcpus, memory, disk } } = template;
  const wanted = { vcpus: settings.vcpus ?? template.vcpus, memory: settings.memory ?? template.memory };
  throwFaults({
    ...faults,
    ...outside('vcpus', wanted.vcpus, vcpus, String),
    ...outside('memory', wanted.memory, memory, formatBytes),
    ...(settings.size === undefined || disk === undefined ? {} : outside('size', settings.size, disk, formatBytes)),
  });
  return wanted;
}

/** @throws SettingsFault unless there are none */
export function throwFaults(faults: Readonly<Record<string, string>>): void {
  if (Object.keys(faults).length > 0) throw new SettingsFault(faults);
}

function outside<T extends number | bigint>(name: string, value: T, { min, max }: Range<T>, shown: (value: T) => string): Record<string, string> {
  if (min > max) return { [name]: `the template wants at least ${shown(min)}, and this host has ${shown(max)}` };
  if (value >= min && value <= max) return {};
  return { [name]: min === max ? `can be ${shown(min)} only` : `must be from ${shown(min)} to ${shown(max)}` };
}

/** Settings that a virtual machine has inside, where nobody can write from without. */
const INSIDE = ['address', 'nameserver', 'searchDomain', 'password', 'size'] as const;

export const vmFaults = (settings: DeploySettings): Record<string, string> => Object.fromEntries(
  INSIDE.filter((name) => settings[name] !== undefined).map((name) => [name, 'cannot be set in a virtual machine from outside']));
