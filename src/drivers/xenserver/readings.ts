import { ArgoError } from '../../kit/errors.js';
import { bytes, count, entries, ref, refs, text, time, type XapiRecord } from '../../protocols/xapi/values.js';
import type { Disk, Facts, Load, PowerState } from '../driver.js';
import { asSeen, isMachine, toPowerState } from './states.js';
import type { PoolContext } from './context.js';
import { readCpuPercent, readTraffic, type Measured } from './traffic.js';

/** What can be read of a virtual machine. */

type Read<T> = (context: PoolContext, uuid: string, signal: AbortSignal) => Promise<T>;

const notRunning = (): ArgoError => new ArgoError('WRONG STATE', 'it is not running');

/** @throws ArgoError NO SUCH INSTANCE where it has become a template */
const readVm: Read<XapiRecord> = (context, uuid, signal) => context.onVm(uuid, signal, async (handle) => {
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

export const readFacts: Read<Facts> = reading(async (context, record, signal) => {
  const [ips, hardware, media] = await Promise.all([
    addresses(context, record, signal), macs(context, record, signal), disks(context, record, signal),
  ]);
  const cpus = count(record.VCPUs_max);
  const memory = bytes(record.memory_dynamic_max) ?? bytes(record.memory_static_max);
  const host = context.inventory.hosts.get(ref(record.resident_on) ?? '')?.name;
  const description = text(record.name_description);
  return {
    uuid: text(record.uuid), macs: hardware, disks: media,
    ...(cpus !== undefined && { cpus }),
    ...(memory !== undefined && { memory }),
    ...(ips.length > 0 && { ips }),
    ...(host !== undefined && { host }),
    ...(description !== '' && { more: { description } }),
  };
});
