import { ArgoError } from '../../kit/errors.js';
import type { WmiObject, WmiPath } from '../../protocols/wmi/connection.js';
import { WmiFault } from '../../protocols/wmi/errors.js';
import type { Disk, Facts, Load } from '../driver.js';
import { isLinkLocal, meanLoad } from '../wmi/readings.js';
import { count, embedded, quoted, text, texts, whole } from '../wmi/values.js';
import { autostartFacts, autostartOf, readStartupAction } from './autostart.js';
import type { HyperVContext } from './context.js';
import { servicePath, vmPath, type Dialect } from './dialect.js';
import { toPowerState } from './errors.js';

/** What can be read of a virtual machine. */

export type Read<T> = (context: HyperVContext, id: string, signal: AbortSignal) => Promise<T>;

const BYTES_PER_MIB = 1_048_576n;

/** Images of disks; what else a drive may hold is no disk of the machine's own. */
const IMAGE = /\.(a?vhdx?|vhds)$/i;

/** Begun with the machine itself, so that one that is gone is told as such; then in the dialect in which that was found. */
const reading = <T>(read: (asked: Asked) => Promise<T>): Read<T> => (context, id, signal) => context.use('reads', async () => {
  const found = await context.dialects.speak(async (dialect) => ({ dialect, system: await context.readings.get(vmPath(dialect, id), signal) }));
  return read({ context, id, signal, ...found });
});

interface Asked {
  readonly context: HyperVContext;
  readonly dialect: Dialect;
  readonly id: string;
  readonly signal: AbortSignal;
  /** its Msvm_ComputerSystem */
  readonly system: WmiObject;
}

const query = ({ context, dialect: { namespace }, signal }: Asked, wql: string): Promise<readonly WmiObject[]> =>
  context.readings.query(namespace, wql, signal);

/** What belongs to a machine while it runs. */
const ofSystem = (asked: Asked, property: string, className: string): Promise<readonly WmiObject[]> =>
  query(asked, `SELECT ${property} FROM ${className} WHERE SystemName = ${quoted(asked.id)}`);

/** What a machine is made of: the settings' names begin with its own, those of its checkpoints with theirs. */
const settings = (asked: Asked, property: string, className: string): Promise<readonly WmiObject[]> =>
  query(asked, `SELECT ${property} FROM ${className} WHERE InstanceID LIKE ${quoted(`Microsoft:${asked.id}%`)}`);

const requireRunning = ({ system }: Asked): void => {
  const state = toPowerState(count(system.EnabledState));
  if (state !== 'on' && state !== 'paused' && state !== 'starting') throw new ArgoError('WRONG STATE', 'it is not running');
};

/** Milliseconds since it was booted. */
export const readUptime: Read<number> = reading((asked) => {
  requireRunning(asked);
  const uptime = whole(asked.system.OnTimeInMilliseconds);
  if (uptime === undefined) throw new ArgoError('FAILED', 'the host does not tell since when it runs');
  return Promise.resolve(Number(uptime));
});

export const readLoad: Read<Load> = reading(async (asked) => {
  requireRunning(asked);
  return { cpuPercent: meanLoad(await ofSystem(asked, 'LoadPercentage', 'Msvm_Processor')) };
});

/** What the guest tells of itself through the data exchange service; nothing where that does not run. */
async function guestFacts(asked: Asked): Promise<ReadonlyMap<string, string>> {
  const [exchange] = await ofSystem(asked, 'GuestIntrinsicExchangeItems', 'Msvm_KvpExchangeComponent');
  const items = exchange?.GuestIntrinsicExchangeItems;
  const list = Array.isArray(items) ? items : [items ?? null];
  return new Map(list.map(embedded).map(({ Name, Data }) => [text(Name), text(Data)]));
}

const addresses = (guest: ReadonlyMap<string, string>): string[] => {
  const found = ['NetworkAddressIPv4', 'NetworkAddressIPv6'].flatMap((name) => (guest.get(name) ?? '').split(';'));
  return [...new Set(found.map((address) => address.trim()))].filter((address) => address !== '' && !isLinkLocal(address));
};

export const readAddresses: Read<string[]> = reading(async (asked) => addresses(await guestFacts(asked)));

async function macs(asked: Asked): Promise<string[]> {
  const ports = ['Msvm_SyntheticEthernetPortSettingData', 'Msvm_EmulatedEthernetPortSettingData'];
  const rows = (await Promise.all(ports.map((port) => settings(asked, 'Address', port)))).flat();
  return [...new Set(rows.map(({ Address }) => text(Address)).filter((address) => /^[\da-f]{12}$/i.test(address)).map(spellMac))];
}

const spellMac = (digits: string): string => digits.toLowerCase().replace(/(..)(?=.)/g, '$1:');

export const readMacs: Read<string[]> = reading(macs);

async function disks(asked: Asked): Promise<Disk[]> {
  const { className, property } = asked.dialect.disks;
  const rows = await settings(asked, `InstanceID, ${property}`, className);
  const images = rows.flatMap((row) => texts(row[property])).filter((path) => IMAGE.test(path));
  const service = images.length === 0 ? undefined : await servicePath(asked.context.readings, asked.dialect.namespace, 'Msvm_ImageManagementService', asked.signal);
  return Promise.all(images.map(async (source, index): Promise<Disk> => {
    const size = service && await imageSize(asked, service, source);
    return {
      target: `disk${index}`, type: 'file', format: (/[^.]+$/.exec(source)?.[0] ?? '').toLowerCase(), source,
      ...(size !== undefined && { size }),
    };
  }));
}

/** Undefined where the host cannot look: the image may be on a share to which it has no way now. */
async function imageSize({ context, dialect: { images }, signal }: Asked, service: WmiPath, path: string): Promise<bigint | undefined> {
  try {
    const answer = await context.readings.invoke(service, images.method, { Path: path }, signal);
    return whole(embedded(answer[images.output]).MaxInternalSize);
  } catch (error) {
    if (error instanceof WmiFault) return undefined;
    throw error;
  }
}

export const readDisks: Read<Disk[]> = reading(disks);

const startupAction = ({ context, dialect, id, signal }: Asked): Promise<number | undefined> =>
  (dialect.hasStartupAction ? readStartupAction(context.readings, dialect, id, signal) : Promise.resolve(undefined));

export const readAutostart: Read<boolean | undefined> = reading(async (asked) =>
  autostartOf(await readStartupAction(asked.context.readings, asked.dialect, asked.id, asked.signal)),
);

export const readFacts: Read<Facts> = reading(async (asked) => {
  const [guest, hardware, media, startup, processors, memories] = await Promise.all([
    guestFacts(asked), macs(asked), disks(asked), startupAction(asked),
    settings(asked, 'VirtualQuantity', 'Msvm_ProcessorSettingData'), settings(asked, 'VirtualQuantity', 'Msvm_MemorySettingData'),
  ]);
  const cpus = count(processors[0]?.VirtualQuantity);
  const memory = whole(memories[0]?.VirtualQuantity);
  const ips = addresses(guest);
  const { autostart, more: moreOfStartup } = autostartFacts(startup);
  const more = { hostname: guest.get('FullyQualifiedDomainName') ?? '', system: guest.get('OSName') ?? '', ...moreOfStartup };
  return {
    uuid: asked.id.toLowerCase(), macs: hardware, disks: media,
    ...(cpus !== undefined && { cpus }),
    ...(memory !== undefined && { memory: memory * BYTES_PER_MIB }),
    ...(ips.length > 0 && { ips }),
    ...(autostart !== undefined && { autostart }),
    more: Object.fromEntries(Object.entries(more).filter(([, value]) => value !== '')),
  };
});
