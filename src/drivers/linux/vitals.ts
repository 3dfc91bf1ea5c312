import { ArgoError } from '../../kit/errors.js';
import { quote } from '../../protocols/ssh/connection.js';
import type { Disk, Load } from '../driver.js';

/** What a Linux host tells of itself, read by one command from /proc, /sys and `ip`, and by another from lsblk. */

/** An interface's address, and its counters since the boot. */
export interface Interface {
  readonly name: string;
  readonly mac: string | undefined;
  readonly ips: readonly string[];
  /** bytes */
  readonly rx: bigint;
  readonly tx: bigint;
}

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

const SECTION = 'argo-section';

/** Programs whose outputs make the vitals. None of them needs a right beyond that of any account. */
const SOURCES = {
  load: 'cat /proc/loadavg || sysctl -n vm.loadavg',
  route: 'cat /proc/net/route',
  route6: 'cat /proc/net/ipv6_route',
  traffic: 'cat /proc/net/dev',
  macs: 'grep . /sys/class/net/*/address /dev/null',
  ips: 'ip -o addr show scope global || /sbin/ip -o addr show scope global',
  connection: 'echo "$SSH_CONNECTION"',
  hostname: 'cat /proc/sys/kernel/hostname || uname -n',
  kernel: 'cat /proc/sys/kernel/osrelease || uname -r',
  system: 'cat /etc/os-release',
  cpus: 'grep -c "^processor" /proc/cpuinfo',
  memory: 'grep "^MemTotal:" /proc/meminfo',
  uuid: 'cat /sys/class/dmi/id/product_uuid',
} as const;

type Sections = Readonly<Record<string, string | undefined>>;

/** @param uptimeCommand prints seconds since the boot, as the first word; one line for a POSIX shell */
export function vitalsCommand(uptimeCommand: string): string {
  const sources: Record<string, string> = { uptime: `sh -c ${quote(uptimeCommand)}`, ...SOURCES };
  return Object.entries(sources).map(([name, command]) => `echo "${SECTION} ${name}"; { ${command}; } 2>/dev/null </dev/null`).join('; ') + '; :';
}

/**
 * @param output of {@link vitalsCommand}
 * @throws ArgoError FAILED where the command was not run
 */
export function parseVitals(output: string): Vitals {
  const sections = split(output);
  if (sections.uptime === undefined) throw new ArgoError('FAILED', 'the login shell did not run what was asked');
  return {
    uptime: sections.uptime,
    load: sections.load ?? '',
    interface: interfaceOf(sections),
    hostname: firstLine(sections.hostname),
    kernel: firstLine(sections.kernel),
    system: /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(sections.system ?? '')?.[1],
    cpus: Number(firstLine(sections.cpus)) || undefined,
    memory: kilobytes(sections.memory ?? ''),
    uuid: firstLine(sections.uuid)?.toLowerCase(),
  };
}

function interfaceOf(sections: Sections): Interface | undefined {
  const name = defaultInterface(sections);
  const counters = trafficOf(sections.traffic ?? '', name);
  if (name === undefined || counters === undefined) return undefined;
  const ips = ipsOf(sections.ips ?? '').filter((ip) => ip.device === name).map((ip) => ip.address);
  return { name, mac: macOf(sections.macs ?? '', name), ips, ...counters };
}

/** Seconds since the boot. @throws ArgoError where the uptime command says something else */
export function parseUptime(output: string): number {
  const seconds = /^\s*(\d+(?:\.\d+)?)(?:\s|$)/.exec(output)?.[1];
  if (seconds === undefined) throw new ArgoError('FAILED', 'the uptime command does not print seconds');
  return Number(seconds);
}

/** What stands before the first section was printed by a login shell, and is none of ours. */
function split(output: string): Sections {
  const sections: Record<string, string> = {};
  for (const part of `\n${output}`.split(`\n${SECTION} `).slice(1)) {
    const end = part.indexOf('\n');
    if (end > 0) sections[part.slice(0, end)] = part.slice(end + 1);
  }
  return sections;
}

/** proc_loadavg(5), or `{ 0.10 0.05 0.01 }` of BSD. @throws ArgoError where it is neither */
export function parseLoad(text: string): Load {
  const [one = NaN, five = NaN, fifteen = NaN] = text.replace(/^\{/, '').trim().split(/\s+/).slice(0, 3).map(Number);
  if ([one, five, fifteen].some(Number.isNaN)) throw new ArgoError('FAILED', 'the host does not tell its load');
  return { averages: [one, five, fifteen] };
}

function defaultInterface({ route = '', route6 = '', ips = '', connection = '' }: Sections): string | undefined {
  const address = connection.split(' ')[2]?.replace(/^::ffff:/, '');
  return defaultRoute(route) ?? defaultRoute6(route6) ?? ipsOf(ips).find((ip) => ip.address === address)?.device;
}

/** /proc/net/route: device, destination, gateway, flags, …, metric (the seventh), mask; in hexadecimal but for the metric. */
function defaultRoute(text: string): string | undefined {
  const routes = text.split('\n').slice(1).map((line) => line.trim().split(/\s+/))
    .filter((words) => words[1] === '00000000' && words[7] === '00000000');
  return routes.sort((one, other) => Number(one[6]) - Number(other[6]))[0]?.[0];
}

/** /proc/net/ipv6_route: destination, prefix, source, prefix, next hop, metric, …, device; `lo` holds the one that rejects. */
function defaultRoute6(text: string): string | undefined {
  const routes = text.split('\n').map((line) => line.trim().split(/\s+/))
    .filter((words) => words[0] === '0'.repeat(32) && words[1] === '00' && words[9] !== 'lo');
  return routes.sort((one, other) => parseInt(one[5] ?? '', 16) - parseInt(other[5] ?? '', 16))[0]?.[9];
}

/** /proc/net/dev: `name: bytes packets errs drop fifo frame compressed multicast bytes …` */
function trafficOf(text: string, name: string | undefined): { rx: bigint; tx: bigint } | undefined {
  for (const line of text.split('\n')) {
    const colon = line.lastIndexOf(':');
    if (colon < 0 || line.slice(0, colon).trim() !== name) continue;
    const words = line.slice(colon + 1).trim().split(/\s+/);
    const [rx = '', tx = ''] = [words[0], words[8]];
    return /^\d+$/.test(rx) && /^\d+$/.test(tx) ? { rx: BigInt(rx), tx: BigInt(tx) } : undefined;
  }
  return undefined;
}

/** `/sys/class/net/NAME/address:MAC` */
function macOf(text: string, name: string): string | undefined {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`/sys/class/net/${name}/address:`));
  return line?.slice(line.indexOf(':') + 1).trim();
}

/** `2: eth0    inet 10.0.0.11/24 brd …`, ip-address(8) */
function ipsOf(text: string): { device: string; address: string }[] {
  return [...text.matchAll(/^\d+: (\S+)\s+inet6? ([0-9a-fA-F.:]+)/gm)].map(([, device = '', address = '']) => ({ device: device.replace(/@.*$/, ''), address }));
}

function kilobytes(text: string): bigint | undefined {
  const size = /^MemTotal:\s+(\d+) kB/m.exec(text)?.[1];
  return size === undefined ? undefined : BigInt(size) * 1024n;
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
