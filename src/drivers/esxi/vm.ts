import { ArgoError } from '../../kit/errors.js';
import { textOf } from '../../protocols/vim/value.js';
import { beforeSending } from '../../kit/within.js';
import type { Machine } from '../driver.js';
import { readAutostart, setAutostart } from './autostart.js';
import { consolesOf } from './consoles.js';
import type { Context } from './context.js';
import { objectName, type Item } from './items.js';
import { askGuest, powerOn, powerTask } from './power.js';
import { readBootMark, readDevices, readFacts, readIps, readLoad, readState, readTraffic, readUptime } from './readings.js';

/** Names are not unique, and references are reused after a restore from backup: both together are. */
export const vmId = (item: Item): string => `${item.ref.value}:${textOf(item.properties.get('config.instanceUuid')) ?? 'unknown'}`;

export function createVm(context: Context, item: Item): Machine {
  /** A machine that is another one, or none any more, without a word of its server is looked at anew. */
  const unlessGone = <T>(work: (signal: AbortSignal) => Promise<T>) => async (signal: AbortSignal): Promise<T> => {
    try {
      return await work(signal);
    } catch (error) {
      if (error instanceof ArgoError && error.phrase === 'NO SUCH INSTANCE') void context.inventory.doubt(item);
      throw error;
    }
  };
  const task = (method: Parameters<typeof powerTask>[2], wanted?: string) => unlessGone((signal) => powerTask(context, item, method, wanted, signal));
  const read = <T>(reader: (context: Context, item: Item, signal: AbortSignal) => Promise<T>) => unlessGone((signal) => reader(context, item, signal));
  return {
    id: vmId(item),
    name: objectName(item),
    type: 'vm',
    status: read(readState),
    start: unlessGone((signal) => powerOn(context, item, signal)),
    shutdown: unlessGone((signal) => askGuest(context, item, 'ShutdownGuest', signal)),
    powerOff: task('PowerOffVM_Task', 'poweredOff'),
    reboot: unlessGone((signal) => askGuest(context, item, 'RebootGuest', signal)),
    reset: unlessGone(async (signal) => {
      await powerTask(context, item, 'ResetVM_Task', undefined, signal);
      item.boots += 1;
    }),
    suspend: task('SuspendVM_Task', 'suspended'),
    resume: unlessGone(async (signal) => {
      if (await beforeSending(signal, () => readState(context, item, signal)) !== 'suspended') throw new ArgoError('WRONG STATE', 'it is not suspended');
      await powerOn(context, item, signal);
    }),
    console: consolesOf(context, item),
    bootMark: read(readBootMark),
    autostart: { read: read(readAutostart), set: (isOn, signal) => unlessGone((limit) => setAutostart(context, item, isOn, limit))(signal) },
    info: read(readFacts),
    ip: read(readIps),
    mac: unlessGone(async (signal) => (await readDevices(context, item, signal)).macs),
    disk: unlessGone(async (signal) => (await readDevices(context, item, signal)).disks),
    uptime: read(readUptime),
    load: read(readLoad),
    rx: (signal) => readTraffic(context, item, 'rx', signal),
    tx: (signal) => readTraffic(context, item, 'tx', signal),
  };
}
