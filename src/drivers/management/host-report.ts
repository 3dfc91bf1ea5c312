import { ArgoError } from '../../kit/errors.js';
import { present } from '../../kit/present.js';
import { INTERFACE_SOURCES, interfaceOf, parseTraffic, type Interface, type Traffic } from './interfaces.js';
import { sectionsCommand, splitSections } from './sections.js';
import type { HostFigures, Use } from './statistics.js';

/** What a Linux host tells of itself by one command: from /proc, /sys, df and `ip`. */

/** Seconds between two readings of counters within one command. */
const BETWEEN = 1;

/** What only counts up: rates come from two of them. */
export interface Counters {
  /** seconds since the boot, by the host's own clock, to which the others belong */
  readonly uptime: number;
  /** ticks of all its CPUs */
  readonly cpu?: { readonly total: number; readonly idle: number; readonly iowait: number };
  readonly traffic: ReadonlyMap<string, Traffic>;
}

export interface HostReport {
  /** some time before; undefined where one reading was asked for */
  readonly before: Counters | undefined;
  readonly now: Counters;
  readonly interface: Interface | undefined;
  /** megabits a second by interface, of those whose speed is known */
  readonly speeds: ReadonlyMap<string, number>;
  readonly processor: { readonly model?: string; readonly mhz?: number; readonly cache?: string };
  readonly memory: Use | undefined;
  readonly df: HostFigures['df'];
  readonly kernel: string | undefined;
  readonly release: string | undefined;
  readonly swap: HostFigures['swap'];
}

const COUNTERS = 'cat /proc/uptime; grep "^cpu " /proc/stat; cat /proc/net/dev';

const SOURCES = {
  ...INTERFACE_SOURCES,
  speeds: 'grep . /sys/class/net/*/speed /dev/null',
  // of one with a hundred processors, the first says it
  processor: 'sed "/^$/q" /proc/cpuinfo',
  memory: 'cat /proc/meminfo',
  // Local ones alone: a server of files that does not answer would hang it. Nor what has no disk behind it, or is full by its nature.
  df: 'df -Pkl -x tmpfs -x devtmpfs -x squashfs -x iso9660 -x efivarfs',
  kernel: 'cat /proc/sys/kernel/osrelease',
  release: 'cat /etc/os-release',
  swap: 'cat /proc/swaps',
} as const;

/** For a POSIX shell. @param twice reads the counters once more before, which takes a second */
export const reportCommand = (twice: boolean): string =>
  sectionsCommand({ ...(twice ? { before: `${COUNTERS}; sleep ${BETWEEN}` } : {}), ...SOURCES, now: COUNTERS });

/**
 * @param output of {@link reportCommand}
 * @throws ArgoError where it is none of a Linux
 */
export function parseReport(output: string): HostReport {
  const { before, now = '', speeds = '', processor = '', memory = '', df = '', kernel = '', release = '', swap = '', ...rest } = splitSections(output);
  const counters = parseCounters(now);
  if (counters === undefined) throw new ArgoError('NOT SUPPORTED', 'the host does not tell of itself what a Linux host tells');
  return {
    before: before === undefined ? undefined : parseCounters(before),
    now: counters,
    interface: interfaceOf({ ...rest, traffic: now }),
    speeds: parseSpeeds(speeds),
    processor: parseProcessor(processor),
    memory: parseMemory(memory),
    df: parseDf(df),
    kernel: kernel.trim() || undefined,
    release: parseSystemName(release),
    swap: parseSwaps(swap),
  };
}

function parseCounters(text: string): Counters | undefined {
  const uptime = /^(\d+\.\d+) \d+\.\d+$/m.exec(text)?.[1];
  if (uptime === undefined) return undefined;
  return present<Counters>({ uptime: Number(uptime), cpu: parseTicks(text), traffic: parseTraffic(text) });
}

/** proc_stat(5): user nice system idle iowait irq softirq steal, and guests, which are among the first two. */
function parseTicks(text: string): Counters['cpu'] {
  const ticks = /^cpu +([\d ]+)$/m.exec(text)?.[1]?.split(' ').map(Number).slice(0, 8);
  const [, , , idle, iowait] = ticks ?? [];
  if (ticks === undefined || idle === undefined || iowait === undefined) return undefined;
  return { total: ticks.reduce((sum, each) => sum + each, 0), idle, iowait };
}

/** `/sys/class/net/eth0/speed:1000`; -1 where there is none at the time. */
const parseSpeeds = (text: string): ReadonlyMap<string, number> =>
  new Map([...text.matchAll(/^\/sys\/class\/net\/([^/\n]+)\/speed:([1-9]\d*)$/gm)].map(([, name = '', speed]) => [name, Number(speed)]));

function parseProcessor(text: string): HostReport['processor'] {
  const field = (name: string): string | undefined => new RegExp(`^${name}\\s*: *(.+)$`, 'm').exec(text)?.[1]?.trim();
  const mhz = Number(field('cpu MHz'));
  return present<HostReport['processor']>({ model: field('model name'), mhz: mhz > 0 ? mhz : undefined, cache: field('cache size') });
}

/** Of proc_meminfo(5), in bytes. @returns undefined where there is no such line */
export function memoryField(text: string, name: string): bigint | undefined {
  const size = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1];
  return size === undefined ? undefined : BigInt(size) * 1024n;
}

/** Used is what cannot be had without swapping, as free(1) counts it; before Linux 3.14, what is neither free nor a cache. */
function parseMemory(text: string): Use | undefined {
  const [total, available, free, buffers, cached] = ['MemTotal', 'MemAvailable', 'MemFree', 'Buffers', 'Cached'].map((name) => memoryField(text, name));
  if (total === undefined || free === undefined) return undefined;
  return { total, used: total - (available ?? free + (buffers ?? 0n) + (cached ?? 0n)) };
}

/** The form of POSIX: device, blocks of 1024 bytes, used, available, per cent, mount. Root's reserve is neither used nor free. */
function parseDf(text: string): HostFigures['df'] {
  const rows = [...text.matchAll(/^(.+?) +(\d+) +(\d+) +(-?\d+) +(?:\d+%|-) +(\/.*)$/gm)];
  if (rows.length === 0) return undefined;
  const bytes = (kib: string): bigint => BigInt(kib) * 1024n;
  return rows.map(([, device = '', total = '0', used = '0', free = '0', mount = '']) => ({
    mount, device, total: bytes(total), used: bytes(used), free: free.startsWith('-') ? 0n : bytes(free),
  }));
}

/** os-release(5) */
export const parseSystemName = (text: string): string | undefined => /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(text)?.[1];

/** proc_swaps(5): path, type, KiB, used, priority; a blank in the path is `\040`. None is no line, which is not the same as not told. */
function parseSwaps(text: string): HostFigures['swap'] {
  if (!text.startsWith('Filename')) return undefined;
  const unescape = (path: string): string => path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
  return [...text.matchAll(/^(\/\S*)\s+\S+\s+(\d+)\s+(\d+)\s+-?\d+$/gm)]
    .map(([, path = '', total = '0', used = '0']) => ({ path: unescape(path), total: BigInt(total) * 1024n, used: BigInt(used) * 1024n }));
}
