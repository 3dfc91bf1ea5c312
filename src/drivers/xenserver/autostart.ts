import { ArgoError } from '../../kit/errors.js';
import { entries, type XapiRecord } from '../../protocols/xapi/records.js';
import { beforeSending } from '../../kit/within.js';
import type { PoolContext } from './context.js';

/** Whether a VM is started when its host boots. */

/** By which a VM, and its pool, say that it is started when the host boots (xapi's `auto_poweron` of `other_config`). */
const AUTOSTART_KEY = 'auto_poweron';

const startsWithHost = (record: XapiRecord): boolean => entries(record.other_config).some(([key, value]) => key === AUTOSTART_KEY && value === 'true');

/** Whether the pool starts VMs that ask for it at all. */
async function poolStartsVms(context: PoolContext, signal: AbortSignal): Promise<boolean> {
  const pools = await context.pool.records('pool', startsWithHost, signal);
  return [...pools.values()].includes(true);
}

/** Only where the pool allows it is a VM started that asks for it. */
export const autostartOf = (context: PoolContext, record: XapiRecord, signal: AbortSignal): Promise<boolean> =>
  (startsWithHost(record) ? poolStartsVms(context, signal) : Promise.resolve(false));

/** @throws ArgoError WRONG STATE where the pool starts no VM by itself: that is its own setting, and concerns them all */
export async function setAutostart(context: PoolContext, uuid: string, isOn: boolean, signal: AbortSignal): Promise<void> {
  const before = await context.use('reads', () => beforeSending(signal, () => context.onVm(uuid, signal, async (handle) => {
    if (isOn && !await poolStartsVms(context, signal)) throw new ArgoError('WRONG STATE', `the pool starts no VM by itself: ${AUTOSTART_KEY} is not set in its other_config`);
    return context.record('VM', handle, signal);
  })));
  if (startsWithHost(before) === isOn) return;
  const isThere = entries(before.other_config).some(([key]) => key === AUTOSTART_KEY);
  await context.use('acts', () => beforeSending(signal, (onSend) => context.onVm(uuid, signal, async (handle) => {
    if (isThere) await context.pool.call('VM.remove_from_other_config', [handle, AUTOSTART_KEY], { signal, effect: 'acts', onSend });
    if (isOn) await context.pool.call('VM.add_to_other_config', [handle, AUTOSTART_KEY, 'true'], { signal, effect: 'acts', onSend });
  })));
}
