import { ArgoError } from '../../kit/errors.js';
import { beforeSending, isAbort, within } from '../../kit/within.js';
import type { Properties } from '../../protocols/vim/properties.js';
import { numberOf, textOf } from '../../protocols/vim/value.js';
import type { Facts, Machine } from '../driver.js';
import { stateOfHost, type Word } from '../host/host-status.js';
import type { RosterEntry } from '../host/roster.js';
import { ask, type Context } from './context.js';
import { standBy, takeDown, wakeUp, type HostContext, type TakeDown } from './host-power.js';
import { HOST_UUID, hostUuid, ipsOf, isConnectedHost, macsOf, refuseAnother, type Item } from './items.js';

/** An ESXi host: started by Wake-on-LAN, stopped and rebooted by the API. */

/** For the manager's word: one that hangs must not keep anybody from asking the host itself, ms. */
const MANAGER_LIMIT_MS = 2000;
/** For the network's: beyond the longest ping, ms. */
const NETWORK_LIMIT_MS = 10_000;

const STATE_PATHS = ['runtime.connectionState', 'runtime.powerState', 'runtime.bootTime'];

const FACT_PATHS = [
  'summary.hardware.uuid', 'summary.hardware.numCpuThreads', 'summary.hardware.memorySize', 'summary.hardware.model',
  'summary.config.product.fullName', 'runtime.connectionState', 'runtime.inMaintenanceMode',
];

/**
 * Properties of a host, and by the same answer whether it still is that one: references are reused after a restore from
 * backup, which the server may not have told of yet.
 * @throws ArgoError NO SUCH INSTANCE where it is gone, or another one has taken its place
 */
async function askHost(context: Context, item: Item, paths: readonly string[], signal: AbortSignal): Promise<Properties> {
  // Kept, since what is held of it may be replaced while the server is asked.
  const shown = hostUuid(item);
  const properties = await ask(context, item.ref, [...paths, HOST_UUID], signal);
  try {
    refuseAnother(hostUuid({ properties }), shown);
  } catch (error) {
    void context.inventory.doubt(item);
    throw error;
  }
  return properties;
}

async function readFacts(context: Context, item: Item, address: string, signal: AbortSignal): Promise<Facts> {
  const now = await askHost(context, item, FACT_PATHS, signal);
  const uuid = textOf(now.get('summary.hardware.uuid'));
  const cpus = numberOf(now.get('summary.hardware.numCpuThreads'));
  const memory = numberOf(now.get('summary.hardware.memorySize'));
  const more = {
    address, model: textOf(now.get('summary.hardware.model')), system: textOf(now.get('summary.config.product.fullName')),
    connection: textOf(now.get('runtime.connectionState')), maintenance: now.get('runtime.inMaintenanceMode') === true ? 'yes' : undefined,
  };
  return {
    ...(uuid === undefined ? {} : { uuid }),
    ...(cpus === undefined ? {} : { cpus }),
    ...(memory === undefined ? {} : { memory: BigInt(memory) }),
    macs: macsOf(item),
    more: Object.fromEntries(Object.entries(more).filter((entry): entry is [string, string] => entry[1] !== undefined)),
  };
}

async function readBoot(context: Context, item: Item, signal: AbortSignal): Promise<Date> {
  const booted = (await askHost(context, item, ['runtime.bootTime'], signal)).get('runtime.bootTime');
  if (booted instanceof Date) return booted;
  throw new ArgoError('NOT SUPPORTED', 'vSphere does not tell since when it runs');
}

const bootOf = (properties: Properties): string => {
  const booted = properties.get('runtime.bootTime');
  return booted instanceof Date ? booted.toISOString() : String(booted);
};

/** What its manager says of one host. */
class ManagersWord {
  /** the boot that we have ordered the end of: a manager goes on calling such a host connected for a minute */
  #ending: string | undefined;
  readonly #context: Context;
  readonly #find: () => Item | undefined;

  constructor(context: Context, find: () => Item | undefined) {
    this.#context = context;
    this.#find = find;
  }

  /** It was told to go down, or may have been. */
  expectEnd(): void {
    const item = this.#find();
    this.#ending = item && bootOf(item.properties);
  }

  /** @returns `unknown` for one that is called connected, but may be so no longer; `off` also where the manager does not answer, or knows another one in its place */
  async ask(signal: AbortSignal): Promise<Word> {
    const item = this.#find();
    if (item === undefined) return 'off';
    const said = await within(MANAGER_LIMIT_MS, [signal], (limit) => askHost(this.#context, item, STATE_PATHS, limit)).catch(() => undefined);
    if (said === undefined) return 'off';
    const isConnected = isConnectedHost(said);
    if (!isConnected || bootOf(said) !== this.#ending) this.#ending = undefined;
    if (said.get('runtime.powerState') === 'standBy') return 'suspended';
    if (!isConnected) return 'off';
    return this.#ending === undefined ? 'on' : 'unknown';
  }
}

/** Before an order. @returns the item */
async function unlessAnother(context: Context, item: Item, signal: AbortSignal): Promise<Item> {
  await beforeSending(signal, () => askHost(context, item, [], signal));
  return item;
}

/**
 * @param find its object in the inventory, at the moment
 * @param hasManager whether a vCenter can take it out of standby; an ESXi alone cannot
 */
export function createHost(context: HostContext, { id, settings, power }: RosterEntry, find: () => Item | undefined, hasManager: boolean): Machine {
  const { name, address } = settings;
  const here = (): Item => {
    const item = find();
    if (item) return item;
    if (context.inventory.isCurrent) throw new ArgoError('NO SUCH INSTANCE', `vSphere has no host ${name}`);
    throw new ArgoError('UNREACHABLE', 'vSphere does not answer');
  };
  const stillHere = (signal: AbortSignal): Promise<Item> => unlessAnother(context, here(), signal);
  const manager = new ManagersWord(context, find);
  const network = (signal: AbortSignal): Promise<Word> => within(NETWORK_LIMIT_MS, [signal], (limit) => power.status(limit)).catch((error: unknown) => {
    signal.throwIfAborted();
    throw isAbort(error) ? new ArgoError('UNREACHABLE', `it cannot be told in time whether ${name} is on`) : error;
  });
  const down = (method: TakeDown, force: boolean) => (signal: AbortSignal): Promise<void> => power.goDown(async () => {
    try {
      await takeDown(context, await stillHere(signal), method, force, signal);
      manager.expectEnd();
    } catch (error) {
      if (!(error instanceof ArgoError) || error.phrase === 'UNCERTAIN') manager.expectEnd();
      throw error;
    }
  });
  return {
    id,
    name,
    type: 'host',
    status: (signal) => stateOfHost([(limit) => manager.ask(limit), network], signal),
    ...(power.canWake && { start: (signal: AbortSignal) => power.wake(signal) }),
    shutdown: down('ShutdownHost_Task', false),
    powerOff: down('ShutdownHost_Task', true),
    reboot: down('RebootHost_Task', false),
    reset: down('RebootHost_Task', true),
    ...(hasManager && {
      suspend: (signal: AbortSignal) => power.goDown(async () => standBy(context, await stillHere(signal), signal)),
      resume: async (signal: AbortSignal) => wakeUp(context, await stillHere(signal), signal),
    }),
    bootMark: async (signal) => (await readBoot(context, here(), signal)).toISOString(),
    bootMarkLasts: true,
    info: async (signal) => readFacts(context, here(), address, signal),
    ip: () => {
      const item = find();
      const ips = item ? ipsOf(item) : [];
      return Promise.resolve(ips.length > 0 ? ips : [address]);
    },
    mac: () => {
      const item = find();
      const macs = item ? macsOf(item) : [];
      return Promise.resolve(macs.length === 0 && settings.mac !== undefined ? [settings.mac] : macs);
    },
    uptime: async (signal) => {
      const { session } = context;
      const booted = await readBoot(context, here(), signal);
      return Math.max(0, ((await session.serverTime(await session.login(signal), signal)).getTime() - booted.getTime()) / 1000);
    },
  };
}
