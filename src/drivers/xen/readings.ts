import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { ArgoError } from '../../kit/errors.js';
import { unlessAborted, within } from '../../kit/within.js';
import type { Disk, Facts, Load } from '../driver.js';
import { readAutostart } from './autostart.js';
import type { DiskSpec, Vif } from './cfg.js';
import type { Dom0, Sample } from './context.js';
import { stateOf } from './errors.js';
import { parseUptime, type Row } from './output.js';

/** What can be read of a machine. */

/** Milliseconds for the system's resolver, which has no deadline of its own that we could set. */
const LOOKUP_LIMIT = 5000;
/** Milliseconds that a load must cover at least: xl counts CPU time in tenths of a second. */
const LOAD_WINDOW = 2000;
/** Milliseconds after which an earlier sample says nothing of the present. */
const LOAD_MAX_AGE = 60_000;

/** What is known of a machine's devices: from xl while it runs, else from its file. */
interface Devices {
  readonly type?: string;
  readonly vifs: readonly Vif[];
  readonly disks: readonly DiskSpec[];
}

const MIB = 1024n * 1024n;

export async function readBootMark(dom0: Dom0, name: string, signal: AbortSignal): Promise<string> {
  return dom0.bootMark(await dom0.running(name, signal));
}

export async function readFacts(dom0: Dom0, name: string, signal: AbortSignal): Promise<Facts> {
  const row = await dom0.find(name, signal);
  const config = dom0.configs.get(name);
  const { type, vifs, disks } = await devices(dom0, name, row, signal);
  const uuid = row?.uuid ?? config?.definition.uuid;
  const cpus = row?.vcpus ?? config?.definition.vcpus;
  const autostart = config && await readAutostart(dom0, name, signal).catch(() => undefined);
  const memory = row ? BigInt(row.memory) * MIB : config?.definition.memory;
  return {
    ...(uuid !== undefined && { uuid }),
    ...(cpus !== undefined && { cpus }),
    ...(memory !== undefined && { memory }),
    ips: vifs.flatMap(({ ips }) => ips),
    macs: macsOf(vifs),
    disks: await dom0.disks.describe(disks, signal),
    host: hostname(),
    persistent: config !== undefined,
    ...(autostart !== undefined && { autostart }),
    more: {
      ...(type !== undefined && { virtualization: type }),
      ...(row && { domid: String(row.domid) }),
      ...(config && { config: config.path }),
    },
  };
}

/** Those of its configuration, else what the system's resolver says of its name. */
export async function readAddresses(dom0: Dom0, name: string, signal: AbortSignal): Promise<readonly string[]> {
  const { vifs } = await devices(dom0, name, await dom0.find(name, signal), signal);
  const fixed = vifs.flatMap(({ ips }) => ips);
  if (fixed.length > 0) return fixed;
  const found = dom0.view.lookup(name).catch((error: unknown) => {
    throw new ArgoError('FAILED', 'its configuration has no ip=, and its name cannot be resolved', { cause: error });
  });
  const addresses = await within(LOOKUP_LIMIT, [signal], (limit) => unlessAborted(found, limit, () => new ArgoError('TIMEOUT', 'its configuration has no ip=, and DNS does not answer')));
  return [...new Set(addresses)];
}

export async function readMacs(dom0: Dom0, name: string, signal: AbortSignal): Promise<readonly string[]> {
  const { vifs } = await devices(dom0, name, await dom0.find(name, signal), signal);
  const macs = macsOf(vifs);
  if (macs.length < vifs.length && macs.length === 0) throw new ArgoError('WRONG STATE', 'it gets its address at each start; its file has no mac=');
  return macs;
}

export async function readUptime(dom0: Dom0, name: string, signal: AbortSignal): Promise<number> {
  const { domid } = await dom0.running(name, signal);
  const { stdout } = await dom0.xl.run(['uptime', '--', String(domid)], { signal });
  return parseUptime(stdout, domid);
}

export async function readRx(dom0: Dom0, name: string, signal: AbortSignal): Promise<bigint> {
  return (await traffic(dom0, name, signal)).received;
}

export async function readTx(dom0: Dom0, name: string, signal: AbortSignal): Promise<bigint> {
  return (await traffic(dom0, name, signal)).sent;
}

/** The share of its virtual CPUs that it used since the last listing, or over the next {@link LOAD_WINDOW}. */
export async function readLoad(dom0: Dom0, name: string, signal: AbortSignal): Promise<Load> {
  const now = await dom0.running(name, signal);
  const earlier = dom0.samples.get(name);
  const age = earlier ? performance.now() - earlier.at : 0;
  if (earlier?.domid === now.domid && age >= LOAD_WINDOW && age <= LOAD_MAX_AGE) return share(earlier, now);
  const first: Sample = { domid: now.domid, seconds: now.seconds, at: performance.now() };
  await sleep(LOAD_WINDOW, undefined, { signal }).catch(() => {
    throw new ArgoError('TIMEOUT', `its load takes ${LOAD_WINDOW / 1000} s to measure`);
  });
  const later = await dom0.running(name, signal);
  if (later.domid !== now.domid) throw new ArgoError('WRONG STATE', 'it rebooted meanwhile');
  return share(first, later);
}

export async function readDisks(dom0: Dom0, name: string, signal: AbortSignal): Promise<readonly Disk[]> {
  const { disks } = await devices(dom0, name, await dom0.find(name, signal), signal);
  return dom0.disks.describe(disks, signal);
}

async function traffic(dom0: Dom0, name: string, signal: AbortSignal): Promise<Counters> {
  const row = await dom0.running(name, signal);
  const interfaces = parseNetDev(await readFile(dom0.view.procNetDev, 'utf8'));
  const counted = guestTraffic(interfaces, row.domid, [])
    ?? guestTraffic(interfaces, row.domid, ifnames((await devices(dom0, name, row, signal)).vifs));
  if (counted) return counted;
  throw new ArgoError('NOT SUPPORTED', 'domain 0 carries none of its network interfaces');
}

async function devices(dom0: Dom0, name: string, row: Row | undefined, signal: AbortSignal): Promise<Devices> {
  const details = row && stateOf(row.flags) !== 'stopping' ? await dom0.details(row, signal) : undefined;
  const definition = dom0.configs.get(name)?.definition;
  if (details ?? definition) return details ?? definition!;
  if (row) throw new ArgoError('FAILED', 'xl does not tell its configuration');
  if (await dom0.saves.find(name)) throw new ArgoError('WRONG STATE', 'it is suspended and has no configuration file');
  throw new ArgoError('NO SUCH INSTANCE');
}

function macsOf(vifs: readonly Vif[]): string[] {
  return vifs.flatMap(({ mac }) => mac ?? []);
}

function ifnames(vifs: readonly Vif[]): string[] {
  return vifs.flatMap(({ ifname }) => ifname ?? []);
}

function share(before: Sample, now: Row): Load {
  const elapsed = (performance.now() - before.at) / 1000;
  const percent = ((now.seconds - before.seconds) / elapsed / Math.max(1, now.vcpus)) * 100;
  return { cpuPercent: Math.min(100, Math.max(0, percent)) };
}

/** Bytes that passed an interface of domain 0. */
export interface Counters {
  readonly received: bigint;
  readonly sent: bigint;
}

/** The interfaces of /proc/net/dev (proc(5)): received bytes are the first figure, sent bytes the ninth. */
export function parseNetDev(text: string): Map<string, Counters> {
  const interfaces = new Map<string, Counters>();
  for (const line of text.split('\n')) {
    const colon = line.lastIndexOf(':');
    if (colon < 0) continue;
    const figures = line.slice(colon + 1).trim().split(/\s+/);
    const [received, sent] = [figures[0], figures[8]];
    if (!received || !sent || !/^\d+$/.test(received) || !/^\d+$/.test(sent)) continue;
    interfaces.set(line.slice(0, colon).trim(), { received: BigInt(received), sent: BigInt(sent) });
  }
  return interfaces;
}

/**
 * What a guest received and sent. Domain 0 holds the other end of each cable: what it received the
 * guest sent. An HVM guest without PV drivers uses the emulated card behind `vif<domid>.<n>-emu`.
 * @param named interfaces whose names in domain 0 were set with `vifname=`
 * @returns undefined when domain 0 carries none of its interfaces
 */
export function guestTraffic(interfaces: ReadonlyMap<string, Counters>, domid: number, named: readonly string[]): Counters | undefined {
  const ours = [...interfaces].filter(([name]) => {
    const plain = name.replace(/-emu$/, '');
    return named.includes(plain) || new RegExp(`^vif${domid}\\.\\d+$`).test(plain);
  });
  if (ours.length === 0) return undefined;
  return {
    received: ours.reduce((sum, [, { sent }]) => sum + sent, 0n),
    sent: ours.reduce((sum, [, { received }]) => sum + received, 0n),
  };
}
