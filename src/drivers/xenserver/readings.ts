import { ArgoError } from '../../kit/errors.js';
import { bytes, count, entries, ref, refs, text, time, type XapiRecord } from '../../protocols/xapi/records.js';
import type { Disk, Facts, Load, PowerState } from '../driver.js';
import { autostartOf } from './autostart.js';
import { asSeen, isMachine, toPowerState } from './errors.js';
import type { PoolContext } from './context.js';
import type { XapiPool } from '../../protocols/xapi/pool.js';
import { rrdUpdates, type Series, type Updates } from '../../protocols/xapi/rrd.js';

/** What can be read of a virtual machine. */

type Read<T> = (context: PoolContext, uuid: string, signal: AbortSignal) => Promise<T>;

const notRunning = (): ArgoError => new ArgoError('WRONG STATE', 'it is not running');

/** @throws ArgoError NO SUCH INSTANCE where it has become a template */
export const readVm: Read<XapiRecord> = (context, uuid, signal) => context.onVm(uuid, signal, async (handle) => {
  const record = await context.record('VM', handle, signal);
  if (!isMachine(record)) throw new ArgoError('NO SUCH INSTANCE', 'it is a template now');
  return record;
});

const reading = <T>(read: (context: PoolContext, record: XapiRecord, signal: AbortSignal) => Promise<T>): Read<T> =>
  (context, uuid, signal) => context.use('reads', async () => read(context, await readVm(context, uuid, signal), signal));

const all = (context: PoolContext, type: string, handles: unknown, signal: AbortSignal): Promise<XapiRecord[]> =>
  Promise.all(refs(handles).map((handle) => context.record(type, handle, signal)));

export const readState: Read<PowerState> = reading(async (context, record, signal) => {
  const host = ref(record.resident_on);
  return asSeen(toPowerState(record), host !== undefined && await context.isHostLost(host, signal));
});

/** Each boot makes a new domain; its number, the host and the time of the start tell one from another. */
export const readBootMark: Read<string> = reading(async (context, record, signal) => {
  const started = await startTime(context, record, signal);
  return [text(record.resident_on), String(record.domid), String(started ?? '')].join(' ');
});

async function startTime(context: PoolContext, record: XapiRecord, signal: AbortSignal): Promise<number | undefined> {
  const metrics = ref(record.metrics);
  return metrics === undefined ? undefined : time((await context.record('VM_metrics', metrics, signal)).start_time);
}

async function addresses(context: PoolContext, record: XapiRecord, signal: AbortSignal): Promise<string[]> {
  const metrics = ref(record.guest_metrics);
  if (metrics === undefined) return [];
  const { networks } = await context.record('VM_guest_metrics', metrics, signal);
  const found = entries(networks).filter(([key]) => /^\d+\/ip(v[46]\/\d+)?$/.test(key)).map(([, address]) => address);
  return [...new Set(found)].filter((address) => address !== '' && !/^fe80:/i.test(address));
}

export const readAddresses: Read<string[]> = reading(addresses);

const macs = async (context: PoolContext, record: XapiRecord, signal: AbortSignal): Promise<string[]> =>
  (await all(context, 'VIF', record.VIFs, signal)).sort((one, other) => Number(one.device) - Number(other.device)).map(({ MAC }) => text(MAC));

export const readMacs: Read<string[]> = reading(macs);

async function disks(context: PoolContext, record: XapiRecord, signal: AbortSignal): Promise<Disk[]> {
  const devices = (await all(context, 'VBD', record.VBDs, signal)).filter(({ type, empty }) => type === 'Disk' && empty !== true);
  const read = await Promise.all(devices.map(async (device): Promise<Disk | undefined> => {
    const image = ref(device.VDI);
    if (image === undefined) return undefined;
    const { virtual_size: size, SR, name_label: name } = await context.record('VDI', image, signal);
    const repository = ref(SR);
    const carrier = repository === undefined ? '' : text((await context.record('SR', repository, signal)).type);
    const length = bytes(size);
    return {
      target: text(device.device) || `disk${text(device.userdevice)}`, type: carrier || 'vdi',
      ...(length !== undefined && { size: length }), ...(text(name) !== '' && { source: text(name) }),
    };
  }));
  return read.filter((disk) => disk !== undefined).sort((one, other) => one.target.localeCompare(other.target));
}

export const readDisks: Read<Disk[]> = reading(disks);

/** By the clock of the host that runs it, which is the one that its start was written down by. */
async function measured(context: PoolContext, record: XapiRecord, signal: AbortSignal): Promise<Measured> {
  const host = ref(record.resident_on);
  if (host === undefined || text(record.power_state) === 'Halted' || text(record.power_state) === 'Suspended') throw notRunning();
  const [{ address }, started, clock] = await Promise.all([
    context.record('host', host, signal), startTime(context, record, signal), context.pool.call('host.get_servertime', [host], { signal }),
  ]);
  const now = time(clock) ?? Date.now();
  if (started === undefined) throw new ArgoError('FAILED', 'the pool does not know since when it runs');
  return { host: text(address), vm: text(record.uuid), started: started / 1000, now: now / 1000 };
}

export const readUptime: Read<number> = reading(async (context, record, signal) => {
  const { started, now } = await measured(context, record, signal);
  return Math.max(0, now - started);
});

const traffic = (side: 'rx' | 'tx'): Read<bigint> => reading(async (context, record, signal) =>
  readTraffic(context.pool, await measured(context, record, signal), side, signal));

export const readRx = traffic('rx');
export const readTx = traffic('tx');

export const readLoad: Read<Load> = reading(async (context, record, signal) => {
  const cpuPercent = await readCpuPercent(context.pool, await measured(context, record, signal), signal);
  if (cpuPercent === undefined) throw new ArgoError('FAILED', 'the host has no measurements of it yet');
  return { cpuPercent };
});

export const readAutostart: Read<boolean> = reading(autostartOf);

export const readFacts: Read<Facts> = reading(async (context, record, signal) => {
  const [ips, hardware, media, autostart] = await Promise.all([
    addresses(context, record, signal), macs(context, record, signal), disks(context, record, signal), autostartOf(context, record, signal),
  ]);
  const cpus = count(record.VCPUs_max);
  const memory = bytes(record.memory_dynamic_max) ?? bytes(record.memory_static_max);
  const host = context.inventory.hosts.get(ref(record.resident_on) ?? '')?.name;
  const description = text(record.name_description);
  return {
    uuid: text(record.uuid), macs: hardware, disks: media, persistent: true, autostart,
    ...(cpus !== undefined && { cpus }),
    ...(memory !== undefined && { memory }),
    ...(ips.length > 0 && { ips }),
    ...(host !== undefined && { host }),
    ...(description !== '' && { more: { description } }),
  };
});

/**
 * What a pool keeps of its measurements: seconds between two samples, and for how many seconds they
 * are kept (XenServer SDK guide, "Using RRDs"). Coarsest first.
 */
const ARCHIVES = [
  { interval: 86_400, kept: 366 * 86_400 },
  { interval: 3600, kept: 7 * 86_400 },
  { interval: 60, kept: 2 * 3600 },
  { interval: 5, kept: 600 },
] as const;

/** The load is what the CPUs have done in this time, s. */
const LOAD_SECONDS = 60;

export interface Measured {
  /** address of the host where the VM runs */
  readonly host: string;
  readonly vm: string;
  /** by that host's clock, in seconds since 1970 */
  readonly started: number;
  readonly now: number;
}

/**
 * Bytes that went over all of a VM's interfaces since it was started. A pool measures rates, not
 * totals: they are summed up, over coarse samples for what is long ago, and over finer ones for what
 * is recent.
 */
export async function readTraffic(pool: XapiPool, { host, vm, started, now }: Measured, side: 'rx' | 'tx', signal: AbortSignal): Promise<bigint> {
  const isOurs = ({ name }: Series): boolean => name.startsWith('vif_') && name.endsWith(`_${side}`);
  let from = started;
  let sum = 0;
  for (const [index, { interval }] of ARCHIVES.entries()) {
    const finer = ARCHIVES[index + 1];
    if (finer !== undefined && now - from <= finer.kept) continue;
    const { step, series } = await rrdUpdates(pool, { host, vm, start: from, interval }, signal);
    const counted = series.filter(isOurs);
    sum += counted.reduce((bytes, { samples }) => bytes + total(samples, step, from), 0);
    from = Math.max(from, ...counted.flatMap(({ samples }) => samples.at(-1)?.time ?? []));
  }
  return BigInt(Math.round(sum));
}

/** Each sample stands for the step before it, of which only what comes after `from` counts. */
const total = (samples: Series['samples'], step: number, from: number): number =>
  samples.reduce((sum, { time, value }) => sum + value * Math.min(step, Math.max(0, time - from)), 0);

/** Share of its CPUs that a VM has used of late, percent; undefined where nothing was measured. */
export async function readCpuPercent(pool: XapiPool, { host, vm, now }: Measured, signal: AbortSignal): Promise<number | undefined> {
  const updates: Updates = await rrdUpdates(pool, { host, vm, start: now - LOAD_SECONDS, interval: 5 }, signal);
  const shares = updates.series.filter(({ name }) => /^cpu\d+$/.test(name)).flatMap(({ samples }) => samples.map(({ value }) => value));
  return shares.length === 0 ? undefined : (100 * shares.reduce((sum, share) => sum + share, 0)) / shares.length;
}
