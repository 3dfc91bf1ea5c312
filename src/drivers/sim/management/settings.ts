import { SettingsFault } from '../../../kit/errors.js';
import { formatBytes } from '../../../kit/text.js';
import type { Limits, Range } from '../../management/machine.js';

/** Settings as the simulated host takes them: what does not fit is told by its name, and nothing is changed. */

type Faults = Record<string, string>;

function outside<T extends number | bigint>(value: T | undefined, { min, max }: Range<T>, words: (value: T) => string): string | undefined {
  return value === undefined || (value >= min && value <= max) ? undefined : `must be ${words(min)} to ${words(max)}`;
}

/** What containers have and virtual machines do not. */
const OF_CONTAINERS = ['cpuLimit', 'size', 'address', 'nameserver', 'searchDomain', 'password'] as const;

interface Settings {
  readonly vcpus?: number;
  readonly memory?: bigint;
  readonly cpuLimit?: number;
  readonly disk?: bigint;
  readonly size?: bigint;
}

/** @throws SettingsFault */
export function checkSettings(settings: Settings, type: 'vm' | 'container', { vcpus, memory, cpuLimit, disk }: Limits, others: Readonly<Record<string, string | undefined>> = {}): void {
  const faults: Faults = {};
  const note = (name: string, fault: string | undefined): void => { if (fault !== undefined) faults[name] ??= fault; };
  if (type === 'vm') for (const name of OF_CONTAINERS) if (Object.hasOwn(settings, name)) note(name, 'only containers have it');
  note('vcpus', outside(settings.vcpus, vcpus, String));
  note('memory', outside(settings.memory, memory, formatBytes));
  if (cpuLimit) note('cpuLimit', outside(settings.cpuLimit, cpuLimit, String));
  if (disk) for (const name of ['disk', 'size'] as const) note(name, outside(settings[name], disk, formatBytes));
  for (const [name, fault] of Object.entries(others)) note(name, fault);
  if (Object.keys(faults).length > 0) throw new SettingsFault(faults);
}
