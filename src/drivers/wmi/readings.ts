import { ArgoError } from '../../kit/errors.js';
import type { WmiObject } from '../../protocols/wmi/connection.js';
import type { Disk, Facts, Load } from '../driver.js';
import type { WmiLink } from './link.js';
import { count, text, texts, time, whole } from './values.js';

/** What can be read of a Windows host, from the classes of root/cimv2. */

export const CIMV2 = 'root/cimv2';

/** Win32_LogicalDisk.DriveType of a disk that is built in. */
const LOCAL_DISK = 3;

/** When it booted as it writes it, and since when it is up, ms. */
export interface Boot {
  readonly written: string;
  readonly uptime: number;
}

const ask = (link: WmiLink, wql: string, signal: AbortSignal): Promise<readonly WmiObject[]> => link.use('reads', () => link.query(CIMV2, wql, signal));

async function askOne(link: WmiLink, wql: string, signal: AbortSignal): Promise<WmiObject> {
  const [found] = await ask(link, wql, signal);
  if (found === undefined) throw new ArgoError('FAILED', 'WMI answers without the object that every Windows has');
  return found;
}

/** Both times come from one answer, so that neither our clock nor the way to it counts. */
export async function readBoot(link: WmiLink, signal: AbortSignal): Promise<Boot> {
  const { LastBootUpTime, LocalDateTime } = await askOne(link, 'SELECT LastBootUpTime, LocalDateTime FROM Win32_OperatingSystem', signal);
  const [booted, now] = [time(LastBootUpTime), time(LocalDateTime)];
  if (booted === undefined || now === undefined) throw new ArgoError('FAILED', 'Windows does not tell when it was booted');
  return { written: text(LastBootUpTime), uptime: Math.max(0, now - booted) };
}

/** Share of its processors in use, percent; the mean over its sockets. */
export async function readLoad(link: WmiLink, signal: AbortSignal): Promise<Load> {
  return { cpuPercent: meanLoad(await ask(link, 'SELECT LoadPercentage FROM Win32_Processor', signal)) };
}

/** @throws ArgoError FAILED where none of the processors tells its load */
export function meanLoad(processors: readonly WmiObject[]): number {
  const shares = processors.map(({ LoadPercentage }) => count(LoadPercentage)).filter((share) => share !== undefined);
  if (shares.length === 0) throw new ArgoError('FAILED', 'Windows has not measured the load yet');
  return shares.reduce((sum, share) => sum + share, 0) / shares.length;
}

interface Adapter {
  readonly description: string;
  readonly ips: readonly string[];
  readonly mac: string;
}

/** The adapters by which the host is reached: those with a default gateway, or all where none has one. */
async function readAdapters(link: WmiLink, signal: AbortSignal): Promise<Adapter[]> {
  const rows = await ask(link, 'SELECT Description, IPAddress, MACAddress, DefaultIPGateway FROM Win32_NetworkAdapterConfiguration WHERE IPEnabled = TRUE', signal);
  const routed = rows.filter(({ DefaultIPGateway }) => texts(DefaultIPGateway).length > 0);
  return (routed.length > 0 ? routed : rows).map(({ Description, IPAddress, MACAddress }) => ({
    description: text(Description),
    ips: texts(IPAddress).filter((address) => !isLinkLocal(address)),
    mac: text(MACAddress).toLowerCase(),
  }));
}

/** Addresses that machines give themselves say nothing about where they are to be had. */
export const isLinkLocal = (address: string): boolean => /^(fe[89ab][\da-f]:|169\.254\.)/i.test(address);

const unique = (values: readonly string[]): string[] => [...new Set(values)].filter((value) => value !== '');

export const readAddresses = async (link: WmiLink, signal: AbortSignal): Promise<string[]> =>
  unique((await readAdapters(link, signal)).flatMap(({ ips }) => ips));

export const readMacs = async (link: WmiLink, signal: AbortSignal): Promise<string[]> =>
  unique((await readAdapters(link, signal)).map(({ mac }) => mac));

/** Performance counters write an adapter's description with other characters in the place of these. */
export const counterName = (description: string): string =>
  description.replaceAll('(', '[').replaceAll(')', ']').replace(/[#/\\]/g, '_');

/** Bytes over the adapters of {@link readAdapters}, since the host was booted. */
export async function readTraffic(link: WmiLink, side: 'Received' | 'Sent', signal: AbortSignal): Promise<bigint> {
  const [adapters, counters] = await Promise.all([
    readAdapters(link, signal),
    ask(link, 'SELECT Name, BytesReceivedPersec, BytesSentPersec FROM Win32_PerfRawData_Tcpip_NetworkInterface', signal),
  ]);
  const names = new Set(adapters.map(({ description }) => counterName(description)));
  const counted = counters.filter(({ Name }) => names.has(text(Name))).map((counter) => whole(counter[`Bytes${side}Persec`]));
  const known = counted.filter((bytes) => bytes !== undefined);
  if (known.length === 0) throw new ArgoError('FAILED', 'Windows has no counters of the adapters by which it is reached');
  return known.reduce((sum, bytes) => sum + bytes, 0n);
}

export async function readDisks(link: WmiLink, signal: AbortSignal): Promise<Disk[]> {
  const rows = await ask(link, `SELECT DeviceID, FileSystem, Size, VolumeName FROM Win32_LogicalDisk WHERE DriveType = ${LOCAL_DISK}`, signal);
  return rows.map(({ DeviceID, FileSystem, Size, VolumeName }) => {
    const size = whole(Size);
    return {
      target: text(DeviceID), type: 'block',
      ...(text(FileSystem) !== '' && { format: text(FileSystem) }),
      ...(size !== undefined && { size }),
      ...(text(VolumeName) !== '' && { source: text(VolumeName) }),
    };
  });
}

export async function readFacts(link: WmiLink, signal: AbortSignal): Promise<Facts> {
  const [system, computer, product, adapters, disks] = await Promise.all([
    askOne(link, 'SELECT Caption, Version, CSName, LastBootUpTime, LocalDateTime FROM Win32_OperatingSystem', signal),
    askOne(link, 'SELECT TotalPhysicalMemory, NumberOfLogicalProcessors, Domain, Manufacturer, Model FROM Win32_ComputerSystem', signal),
    ask(link, 'SELECT UUID FROM Win32_ComputerSystemProduct', signal),
    readAdapters(link, signal),
    readDisks(link, signal),
  ]);
  const cpus = count(computer.NumberOfLogicalProcessors);
  const memory = whole(computer.TotalPhysicalMemory);
  const uuid = text(product[0]?.UUID).toLowerCase();
  const more = {
    hostname: text(system.CSName), system: `${text(system.Caption).trim()} ${text(system.Version)}`.trim(),
    model: `${text(computer.Manufacturer)} ${text(computer.Model)}`.trim(), domain: text(computer.Domain),
  };
  return {
    ...(uuid !== '' && { uuid }),
    ...(cpus !== undefined && { cpus }),
    ...(memory !== undefined && { memory }),
    ips: unique(adapters.flatMap(({ ips }) => ips)), macs: unique(adapters.map(({ mac }) => mac)), disks,
    more: Object.fromEntries(Object.entries(more).filter(([, value]) => value !== '')),
  };
}

/** What a machine tells of its boot, with when it was asked and answered by our own clock, in milliseconds. */
export interface BootReading {
  /** when it booted, as the machine writes it; undefined where it tells but how long it has been up */
  readonly written?: string | undefined;
  /** how long it has been up */
  readonly uptime: number;
  /** what told it, where that may change: one cannot go on counting where another left off */
  readonly carrier?: object | undefined;
  readonly asked: number;
  readonly answered: number;
}

interface SeenBoot {
  readonly written: string | undefined;
  readonly carrier: object | undefined;
  readonly earliest: number;
  readonly latest: number;
  readonly mark: string;
}

/**
 * Tells whether a machine has booted since the last look. Windows shifts its time of boot when its
 * clock is set, so another time alone proves nothing: the time that it has been up, by our clock, must
 * speak for another boot as well. In doubt it is the same boot.
 */
export class BootMarks {
  #last: SeenBoot | undefined;
  #boots = 0;
  readonly #slack: number;

  /** @param slack milliseconds by which two computations of one boot's time may differ beyond what the network explains */
  constructor(slack: number) {
    this.#slack = slack;
  }

  /** @returns a mark that differs from that of the last look where the machine has booted since */
  record({ written, uptime, carrier, asked, answered }: BootReading): string {
    const earliest = asked - uptime - this.#slack;
    const latest = answered - uptime + this.#slack;
    const last = this.#last;
    const isSame
      = last !== undefined
        && (carrier !== last.carrier
          || (written !== undefined && written === last.written)
          || (earliest <= last.latest && latest >= last.earliest));
    const mark = isSame ? last.mark : String(this.#boots += 1);
    this.#last = { written, carrier, earliest, latest, mark };
    return mark;
  }
}
