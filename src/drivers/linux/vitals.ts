import { ArgoError } from '../../kit/errors.js';
import { quote } from '../../protocols/ssh/connection.js';
import type { Disk, Load } from '../driver.js';
import { memoryField, parseSystemName } from '../management/host-report.js';
import { INTERFACE_SOURCES, interfaceOf, type Interface } from '../management/interfaces.js';
import { sectionsCommand, splitSections } from '../management/sections.js';

/** What a Linux host tells of itself, read by one command from /proc, /sys and `ip`, and by another from lsblk. */

export interface Vitals {
  /** the output of the uptime command */
  readonly uptime: string;
  /** as the host tells it, for {@link parseLoad} */
  readonly load: string;
  /** that of the default route; without one, that by which the host is reached; undefined where no Linux tells it */
  readonly interface: Interface | undefined;
  readonly hostname: string | undefined;
  readonly kernel: string | undefined;
  readonly system: string | undefined;
  readonly cpus: number | undefined;
  /** bytes */
  readonly memory: bigint | undefined;
  readonly uuid: string | undefined;
}

/** Programs whose outputs make the vitals. None of them needs a right beyond that of any account. */
const SOURCES = {
  load: 'cat /proc/loadavg || sysctl -n vm.loadavg',
  ...INTERFACE_SOURCES,
  hostname: 'cat /proc/sys/kernel/hostname || uname -n',
  kernel: 'cat /proc/sys/kernel/osrelease || uname -r',
  system: 'cat /etc/os-release',
  cpus: 'grep -c "^processor" /proc/cpuinfo',
  memory: 'grep "^MemTotal:" /proc/meminfo',
  uuid: 'cat /sys/class/dmi/id/product_uuid',
} as const;

/** @param uptimeCommand prints seconds since the boot, as the first word; one line for a POSIX shell */
export function vitalsCommand(uptimeCommand: string): string {
  return sectionsCommand({ uptime: `sh -c ${quote(uptimeCommand)}`, ...SOURCES });
}

/**
 * @param output of {@link vitalsCommand}
 * @throws ArgoError FAILED where the command was not run
 */
export function parseVitals(output: string): Vitals {
  const sections = splitSections(output);
  if (sections.uptime === undefined) throw new ArgoError('FAILED', 'the login shell did not run what was asked');
  return {
    uptime: sections.uptime,
    load: sections.load ?? '',
    interface: interfaceOf(sections),
    hostname: firstLine(sections.hostname),
    kernel: firstLine(sections.kernel),
    system: parseSystemName(sections.system ?? ''),
    cpus: Number(firstLine(sections.cpus)) || undefined,
    memory: memoryField(sections.memory ?? '', 'MemTotal'),
    uuid: firstLine(sections.uuid)?.toLowerCase(),
  };
}

/** Seconds since the boot. @throws ArgoError where the uptime command says something else */
export function parseUptime(output: string): number {
  const seconds = /^\s*(\d+(?:\.\d+)?)(?:\s|$)/.exec(output)?.[1];
  if (seconds === undefined) throw new ArgoError('FAILED', 'the uptime command does not print seconds');
  return Number(seconds);
}

/** proc_loadavg(5), or `{ 0.10 0.05 0.01 }` of BSD. @throws ArgoError where it is neither */
export function parseLoad(text: string): Load {
  const [one = NaN, five = NaN, fifteen = NaN] = text.replace(/^\{/, '').trim().split(/\s+/).slice(0, 3).map(Number);
  if ([one, five, fifteen].some(Number.isNaN)) throw new ArgoError('FAILED', 'the host does not tell its load');
  return { averages: [one, five, fifteen] };
}

const firstLine = (text: string | undefined): string | undefined => text?.split('\n')[0]?.trim() || undefined;

/** Block devices, as lsblk(8) tells them in its oldest machine-readable form. */
export const DISKS_COMMAND = 'LC_ALL=C lsblk -b -P -o NAME,TYPE,FSTYPE,SIZE';

/** Kinds that carry no data of the host's own. */
const PASSED_OVER = new Set(['loop', 'rom']);

/** A volume on several disks is printed below each of them, and counts once. */
export function parseDisks(output: string): Disk[] {
  const disks = new Map<string, Disk>();
  for (const line of output.split('\n')) {
    const values = Object.fromEntries([...line.matchAll(/([A-Z]+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key, unescapeBlanks(value)]));
    const { NAME: target, TYPE: type, FSTYPE: format, SIZE: size } = values;
    if (!target || !type || PASSED_OVER.has(type) || disks.has(target)) continue;
    disks.set(target, {
      target,
      type: type === 'disk' ? 'block' : type,
      ...(format ? { format } : {}),
      ...(size !== undefined && /^\d+$/.test(size) ? { size: BigInt(size) } : {}),
      source: `/dev/${type === 'lvm' || type === 'crypt' ? 'mapper/' : ''}${target}`,
    });
  }
  return [...disks.values()];
}

/** lsblk writes blanks and controls as `\x20`. */
const unescapeBlanks = (value: string): string => value.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
