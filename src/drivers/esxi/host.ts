import { ArgoError } from '../../kit/errors.js';
import { numberOf, textOf } from '../../protocols/vim/value.js';
import type { Facts, Machine } from '../driver.js';
import type { RosterEntry } from '../host/roster.js';
import { ask, type Context } from './context.js';
import { takeDown, type TakeDown } from './host-power.js';
import { ipsOf, macsOf } from './items.js';
import { HostState } from './host-state.js';
import type { Item } from './inventory.js';
import type { HostContext } from './maintenance.js';

/** An ESXi host: started by Wake-on-LAN, stopped and rebooted by the API. */

const FACT_PATHS = [
  'summary.hardware.uuid', 'summary.hardware.numCpuThreads', 'summary.hardware.memorySize', 'summary.hardware.model',
  'summary.config.product.fullName', 'runtime.connectionState', 'runtime.inMaintenanceMode',
];

async function readFacts(context: Context, item: Item, address: string, signal: AbortSignal): Promise<Facts> {
  const now = await ask(context, item.ref, FACT_PATHS, signal);
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
  const booted = (await ask(context, item.ref, ['runtime.bootTime'], signal)).get('runtime.bootTime');
  if (booted instanceof Date) return booted;
  throw new ArgoError('NOT SUPPORTED', 'vSphere does not tell since when it runs');
}

/** @param find its object in the inventory, at the moment */
export function createHost(context: HostContext, { id, settings, power }: RosterEntry, find: () => Item | undefined): Machine {
  const { name, address } = settings;
  const here = (): Item => {
    const item = find();
    if (item) return item;
    if (context.inventory.isCurrent) throw new ArgoError('NO SUCH INSTANCE', `vSphere has no host ${name}`);
    throw new ArgoError('UNREACHABLE', 'vSphere does not answer');
  };
  const state = new HostState({ context, find, network: (signal) => power.sign(signal) });
  const down = (method: TakeDown, force: boolean) => async (signal: AbortSignal): Promise<void> => {
    power.forgetWake();
    try {
      await takeDown(context, here(), method, force, signal);
      state.expectEnd();
    } catch (error) {
      if (!(error instanceof ArgoError) || error.phrase === 'UNCERTAIN') state.expectEnd();
      throw error;
    }
  };
  return {
    id,
    name,
    type: 'host',
    status: (signal) => state.read(signal),
    ...(power.canWake && { start: (signal: AbortSignal) => power.wake(signal) }),
    shutdown: down('ShutdownHost_Task', false),
    powerOff: down('ShutdownHost_Task', true),
    reboot: down('RebootHost_Task', false),
    reset: down('RebootHost_Task', true),
    bootMark: async (signal) => (await readBoot(context, here(), signal)).toISOString(),
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
