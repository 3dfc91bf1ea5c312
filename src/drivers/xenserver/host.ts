import { ArgoError } from '../../kit/errors.js';
import { text, time, entries } from '../../protocols/xapi/values.js';
import { beforeSending } from '../before-sending.js';
import type { Facts, Machine } from '../driver.js';
import type { RosterEntry } from '../host/roster.js';
import { askPool, askPort, stateOfHost, type Witness } from './host-status.js';
import { takeDown, type TakeDown } from './host-actions.js';
import type { PoolContext } from './context.js';

/** A host of a pool: on when the pool or the host itself says so, woken by Wake-on-LAN, taken down by the pool. @param port its xapi's */
export function createHost(context: PoolContext, { id, settings, uuid, power }: RosterEntry, port: number): Machine {
  const down = (order: TakeDown) => async (signal: AbortSignal): Promise<void> => {
    power.forgetWake();
    await takeDown(context, await beforeSending(signal, () => uuidOf(signal)), order, signal);
  };
  /** Of a host that was listed without the pool: asked for when it is needed. */
  const findUuid = async (signal: AbortSignal): Promise<string> => {
    if (uuid !== undefined) return uuid;
    const hosts = await context.pool.records('host', (record) => ({ uuid: text(record.uuid), keys: [text(record.name_label), text(record.address)] }), signal);
    const found = [...hosts.values()].find(({ keys }) => keys.includes(settings.name) || keys.includes(settings.address));
    if (!found) throw new ArgoError('NO SUCH INSTANCE', `the pool has no host ${settings.name}`);
    return found.uuid;
  };
  const uuidOf = (signal: AbortSignal): Promise<string> => context.use('reads', () => findUuid(signal));
  const record = (signal: AbortSignal) => context.use('reads', async () => {
    const handle = await context.handle('host', await uuidOf(signal), signal);
    return { handle, fields: await context.record('host', handle, signal) };
  });
  const booted = (fields: Readonly<Record<string, unknown>>): string => entries(fields.other_config).find(([key]) => key === 'boot_time')?.[1] ?? '';
  const { address, ping } = settings;
  const witnesses: Witness[] = [
    (signal) => askPool(context, findUuid, signal), (signal) => power.sign(signal),
    // One that the configuration names is asked together with the ping.
    ...(ping['tcp-port'] === undefined ? [(signal: AbortSignal) => askPort(address, port, ping.timeout, signal)] : []),
  ];
  return {
    id,
    name: settings.name,
    type: 'host',
    status: async (signal) => {
      const state = await stateOfHost(witnesses, signal);
      // Further magic packets would undo the next order to stop.
      if (state === 'on') power.forgetWake();
      return state;
    },
    ...(power.canWake && { start: (signal: AbortSignal) => power.wake(signal) }),
    shutdown: down({ how: 'shutdown', force: false }),
    powerOff: down({ how: 'shutdown', force: true }),
    reboot: down({ how: 'reboot', force: false }),
    reset: down({ how: 'reboot', force: true }),
    bootMark: async (signal) => booted((await record(signal)).fields),
    uptime: async (signal) => {
      const { handle, fields } = await record(signal);
      const now = time(await context.use('reads', () => context.pool.call('host.get_servertime', [handle], { signal }))) ?? Date.now();
      const since = Number.parseFloat(booted(fields));
      if (!(since > 0)) throw new ArgoError('FAILED', 'the pool does not know since when it runs');
      return Math.max(0, now / 1000 - since);
    },
    ip: () => Promise.resolve([settings.address]),
    ...(settings.mac !== undefined && { mac: () => Promise.resolve([settings.mac ?? '']) }),
    info: async (signal): Promise<Facts> => {
      const { fields } = await record(signal);
      const version = new Map(entries(fields.software_version));
      return {
        uuid: text(fields.uuid), ips: [settings.address], ...(settings.mac !== undefined && { macs: [settings.mac] }),
        more: { product: `${version.get('product_brand') ?? ''} ${version.get('product_version') ?? ''}`.trim(), enabled: String(fields.enabled === true) },
      };
    },
  };
}
