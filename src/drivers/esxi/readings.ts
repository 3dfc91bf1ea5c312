import { ArgoError } from '../../kit/errors.js';
import type { Properties } from '../../protocols/vim/properties.js';
import { at, decodeName, isRef, listOf, numberOf, textOf, type VimValue } from '../../protocols/vim/value.js';
import type { Disk, Facts, Load, PowerState } from '../driver.js';
import { autostartIfKnown } from './autostart.js';
import { ask, askVm, type Context } from './context.js';
import { explained, questionOf, vmState } from './errors.js';
import type { Item } from './items.js';

/** What can be read of one virtual machine, by its id as people were shown it ({@link askVm}). */

const MIB = 1024n * 1024n;
const KIB = 1024n;

export const STATE_PATHS = ['runtime.powerState', 'runtime.connectionState'] as const;

export async function readState(context: Context, item: Item, id: string, signal: AbortSignal): Promise<PowerState> {
  return vmState(await askVm(context, item, id, STATE_PATHS, signal));
}

/** The time of power on, and how often the guest has come up since: a reset leaves the first as it is. */
export async function readBootMark(context: Context, item: Item, id: string, signal: AbortSignal): Promise<string> {
  const booted = (await askVm(context, item, id, ['runtime.bootTime'], signal)).get('runtime.bootTime');
  return `${booted instanceof Date ? booted.toISOString() : 'off'}.${item.boots}`;
}

export const UPTIME_PATH = 'summary.quickStats.uptimeSeconds';

/** Of a running machine, in seconds; undefined where vSphere does not tell it. */
export function uptimeIn(properties: Properties): number | undefined {
  const told = numberOf(properties.get(UPTIME_PATH));
  return told !== undefined && told > 0 ? told : undefined;
}

export async function readUptime(context: Context, item: Item, id: string, signal: AbortSignal): Promise<number> {
  const now = await askVm(context, item, id, [...STATE_PATHS, 'runtime.bootTime', UPTIME_PATH], signal);
  requireOn(now);
  const told = uptimeIn(now);
  if (told !== undefined) return told;
  const booted = now.get('runtime.bootTime');
  if (!(booted instanceof Date)) throw new ArgoError('NOT SUPPORTED', 'vSphere does not tell since when it runs');
  const { session } = context;
  return Math.max(0, ((await session.serverTime(await session.login(signal), signal)).getTime() - booted.getTime()) / 1000);
}

export function requireOn(properties: Properties): void {
  if (vmState(properties) !== 'on') throw new ArgoError('WRONG STATE', 'it is not running');
}

export const LOAD_PATHS = ['runtime.maxCpuUsage', 'summary.quickStats.overallCpuUsage'] as const;

/** The share of what a running machine may use of its host's processors (VirtualMachineQuickStats, MHz). */
export function loadIn(properties: Properties): Load | undefined {
  const used = numberOf(properties.get('summary.quickStats.overallCpuUsage'));
  const most = numberOf(properties.get('runtime.maxCpuUsage'));
  return used === undefined || most === undefined || most <= 0 ? undefined : { cpuPercent: Math.min(100, (used / most) * 100) };
}

export async function readLoad(context: Context, item: Item, id: string, signal: AbortSignal): Promise<Load> {
  const now = await askVm(context, item, id, [...STATE_PATHS, ...LOAD_PATHS], signal);
  requireOn(now);
  const load = loadIn(now);
  if (load === undefined) throw new ArgoError('NOT SUPPORTED', 'vSphere does not tell its load');
  return load;
}

/** Its addresses as VMware Tools tell them; none without those. */
export async function readIps(context: Context, item: Item, id: string, signal: AbortSignal): Promise<string[]> {
  return ipsOf(await askVm(context, item, id, ['guest.ipAddress', 'guest.net'], signal));
}

/** An address of the guest's own link leads nowhere. */
const isLocal = (address: string): boolean => /^(127\.|169\.254\.|::1$|fe80:)/i.test(address);

function ipsOf(properties: Properties): string[] {
  const all = [properties.get('guest.ipAddress'), ...listOf(properties.get('guest.net')).flatMap((nic) => listOf(at(nic, 'ipAddress')))];
  return [...new Set(all.map(textOf).filter((address) => address !== undefined && !isLocal(address)) as string[])];
}

export interface Devices {
  readonly macs: readonly string[];
  readonly disks: readonly Disk[];
}

/** The devices of each machine: much to send, and read again only when its configuration has changed. */
const devicesOf = new WeakMap<Item, { readonly id: string; readonly version: string; readonly devices: Devices }>();

export async function readDevices(context: Context, item: Item, id: string, signal: AbortSignal): Promise<Devices> {
  const version = textOf(item.properties.get('config.changeVersion'));
  const known = devicesOf.get(item);
  if (known?.id === id && known.version === version) return known.devices;
  const list = listOf((await askVm(context, item, id, ['config.hardware.device'], signal)).get('config.hardware.device'));
  const devices = {
    macs: list.map((device) => textOf(at(device, 'macAddress'))).filter((mac) => mac !== undefined),
    disks: list.filter((device) => at(device, '$type') === 'VirtualDisk').map(toDisk),
  };
  if (version !== undefined) devicesOf.set(item, { id, version, devices });
  return devices;
}

function toDisk(device: VimValue): Disk {
  const bytes = numberOf(at(device, 'capacityInBytes'));
  const kib = numberOf(at(device, 'capacityInKB'));
  const size = bytes !== undefined ? BigInt(Math.trunc(bytes)) : kib !== undefined ? BigInt(Math.trunc(kib)) * KIB : undefined;
  const source = textOf(at(device, 'backing', 'fileName'));
  return {
    target: textOf(at(device, 'deviceInfo', 'label')) ?? `disk ${numberOf(at(device, 'key')) ?? ''}`.trim(),
    type: 'file',
    format: 'vmdk',
    ...(size === undefined ? {} : { size }),
    ...(source === undefined ? {} : { source }),
  };
}

const INFO_PATHS = [
  'config.uuid', 'config.guestFullName', 'summary.config.numCpu', 'summary.config.memorySizeMB', 'runtime.host', 'runtime.question',
  'runtime.connectionState', 'guest.ipAddress', 'guest.net', 'guest.hostName', 'guest.toolsRunningStatus',
];

export async function readFacts(context: Context, item: Item, id: string, signal: AbortSignal): Promise<Facts> {
  const [now, autostart] = await Promise.all([askVm(context, item, id, INFO_PATHS, signal), autostartIfKnown(context, item, id, signal)]);
  const isKnown = now.get('runtime.connectionState') === 'connected';
  const { macs, disks } = isKnown ? await readDevices(context, item, id, signal) : { macs: [], disks: [] };
  const ips = ipsOf(now);
  const cpus = numberOf(now.get('summary.config.numCpu'));
  const memory = numberOf(now.get('summary.config.memorySizeMB'));
  const uuid = textOf(now.get('config.uuid'));
  const host = hostName(context, now);
  return {
    ...(uuid === undefined ? {} : { uuid }),
    ...(cpus === undefined ? {} : { cpus }),
    ...(memory === undefined ? {} : { memory: BigInt(memory) * MIB }),
    ...(ips.length > 0 ? { ips } : {}),
    ...(macs.length > 0 ? { macs } : {}),
    ...(disks.length > 0 ? { disks } : {}),
    ...(host === undefined ? {} : { host }),
    ...(autostart === undefined ? {} : { autostart }),
    more: furtherFacts(now),
  };
}

function hostName({ inventory }: Context, properties: Properties): string | undefined {
  const ref = properties.get('runtime.host');
  const name = isRef(ref) ? textOf(inventory.item(ref.value)?.properties.get('name')) : undefined;
  return name === undefined ? undefined : decodeName(name);
}

function furtherFacts(properties: Properties): Record<string, string> {
  const facts = {
    guest: textOf(properties.get('config.guestFullName')),
    hostname: textOf(properties.get('guest.hostName')),
    tools: textOf(properties.get('guest.toolsRunningStatus')),
    connection: textOf(properties.get('runtime.connectionState')),
    question: questionOf(properties.get('runtime.question'))?.text,
  };
  return Object.fromEntries(Object.entries(facts).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/**
 * Network traffic. vSphere keeps rates, not sums: real-time samples of 20 s for the last hour
 * (PerformanceManager.QueryPerf). What they add up to is what is told.
 */

const REALTIME_INTERVAL_S = 20;
/** An hour's. */
const SAMPLES = 180;
/** net.received.average and net.transmitted.average are in units of 1,000 bytes a second. */
const BYTES = 1000;

const COUNTERS = { rx: 'net.received.average', tx: 'net.transmitted.average' } as const;

/** The numbers of the counters, which differ from server to server and stay the same on one. */
const counters = new WeakMap<Context, ReadonlyMap<string, number>>();

/** Bytes received or sent in the last hour, or since it was started where that is less. */
export async function readTraffic(context: Context, item: Item, id: string, side: 'rx' | 'tx', signal: AbortSignal): Promise<bigint> {
  requireOn(await askVm(context, item, id, STATE_PATHS, signal));
  const counterId = (await counterIds(context, signal)).get(COUNTERS[side]);
  if (counterId === undefined) throw new ArgoError('NOT SUPPORTED', `vSphere does not count ${COUNTERS[side]}`);
  const querySpec = [{
    entity: item.ref, maxSample: SAMPLES, metricId: [{ counterId, instance: '' }], intervalId: REALTIME_INTERVAL_S, format: 'normal',
  }];
  const { session } = context;
  const answer = await explained('question', () => session.ask('QueryPerf', perfManager, { querySpec }, signal));
  const series = listOf(answer).flatMap((metric) => listOf(at(metric, 'value')));
  if (series.length === 0) throw new ArgoError('NOT SUPPORTED', 'vSphere has no samples of its traffic yet');
  // A sample of -1 was not taken.
  const rates = series.flatMap((one) => listOf(at(one, 'value'))).map(numberOf).filter((rate) => rate !== undefined && rate >= 0) as number[];
  return BigInt(rates.reduce((sum, rate) => sum + rate, 0)) * BigInt(REALTIME_INTERVAL_S * BYTES);
}

function perfManager(service: { readonly perfManager: { type: string; value: string } | undefined }): { type: string; value: string } {
  if (service.perfManager === undefined) throw new ArgoError('NOT SUPPORTED', 'this server counts nothing');
  return service.perfManager;
}

async function counterIds(context: Context, signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
  const known = counters.get(context);
  if (known) return known;
  const { service } = await explained('question', () => context.session.login(signal));
  const list = (await ask(context, perfManager(service), ['perfCounter'], signal)).get('perfCounter');
  const found = new Map(listOf(list).map((info: VimValue) =>
    [`${String(at(info, 'groupInfo', 'key'))}.${String(at(info, 'nameInfo', 'key'))}.${String(at(info, 'rollupType'))}`, numberOf(at(info, 'key')) ?? -1]));
  counters.set(context, found);
  return found;
}
