import { ArgoError } from '../../kit/errors.js';
import { text, time, entries } from '../../protocols/xapi/records.js';
import type { Facts, Machine } from '../driver.js';
import { stateOfHost, type Word } from '../host/host-status.js';
import type { RosterEntry } from '../host/roster.js';
import { takeDown, type TakeDown } from './power.js';
import type { PoolContext } from './context.js';
import { beforeSending, isAbort, within } from '../../kit/within.js';
import { XapiError } from '../../protocols/xapi/errors.js';
import { ConnectionLostError } from '../../protocols/tls/errors.js';

/** For the pool's word, ms: a pool whose master is off does not answer at all. */
const POOL_WORD_MS = 3000;

/** Refusals by which a host is not in touch with the pool, or the pool not to be had. */
const SILENT = ['HOST_OFFLINE', 'HOST_NOT_LIVE', 'HOST_IS_SLAVE', 'HOST_STILL_BOOTING', 'UUID_INVALID', 'HANDLE_INVALID'];

/** A host of a pool: on when the pool or the host itself says so, woken by Wake-on-LAN, taken down by the pool. */
export function createHost(context: PoolContext, { id, settings, uuid, power }: RosterEntry): Machine {
  const down = (order: TakeDown) => async (signal: AbortSignal): Promise<void> => {
    const found = await beforeSending(signal, () => uuidOf(signal));
    await power.goDown(() => takeDown(context, found, order, signal));
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
  return {
    id,
    name: settings.name,
    type: 'host',
    status: async (signal) => {
      const state = await stateOfHost([(limit) => askPool(context, findUuid, limit), (limit) => power.status(limit)], signal);
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
    bootMarkLasts: true,
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

/**
 * The pool's word on a host, which outlives the host for minutes where it lost its power: so the pool
 * is made to ask the host as well: get_servertime is passed on to it (xapi's message forwarding).
 * @param findUuid rejects with NO SUCH INSTANCE where the pool has no such host
 */
export async function askPool(context: PoolContext, findUuid: (signal: AbortSignal) => Promise<string>, signal: AbortSignal): Promise<Word> {
  let isCountedOn = false;
  try {
    return await within(POOL_WORD_MS, [signal], async (limit) => {
      const handle = await context.handle('host', await findUuid(limit), limit);
      if (await context.isHostLost(handle, limit)) return 'off';
      isCountedOn = true;
      await context.pool.call('host.get_servertime', [handle], { signal: limit });
      return 'on';
    });
  } catch (error) {
    signal.throwIfAborted();
    return wordOf(error, isCountedOn);
  }
}

function wordOf(error: unknown, isCountedOn: boolean): Word {
  if (error instanceof XapiError && error.code === 'MESSAGE_METHOD_UNKNOWN' && isCountedOn) return 'on';
  if (error instanceof XapiError && SILENT.includes(error.code)) return 'off';
  if (isCountedOn) return 'unknown';
  const isSilence = isAbort(error) || error instanceof ConnectionLostError || (error instanceof ArgoError && error.phrase === 'NO SUCH INSTANCE');
  // A pool that answers, but not us, knows more than it says.
  return isSilence ? 'off' : 'unknown';
}
