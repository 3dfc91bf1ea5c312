import { ArgoError } from '../../kit/errors.js';
import { ref, text } from '../../protocols/xapi/values.js';
import { beforeSending } from '../before-sending.js';
import { GUEST_PATIENCE_MS, type PoolContext } from './context.js';

/** The steps of a virtual machine. Asking and acting are apart: a question that is cut off leaves no doubt about what was done. */

export type VmStep = (context: PoolContext, uuid: string, signal: AbortSignal) => Promise<void>;

/** Begin paused: no. Force, even where the host might not carry it: no. */
const START_FLAGS = [false, false];

const vmTask = (method: string, flags: readonly unknown[] = [], patience?: number): VmStep => (context, uuid, signal) =>
  context.use('acts', () => beforeSending(signal, (sending) => context.onVm(uuid, signal, (handle) =>
    context.run(`VM.${method}`, [handle, ...flags], signal, { onSend: sending, ...(patience !== undefined && { patience }) }))), patience !== undefined);

export const pause = vmTask('pause');
export const unpause = vmTask('unpause');
export const suspend = vmTask('suspend');
export const resume = vmTask('resume', START_FLAGS);
export const powerOff = vmTask('hard_shutdown');
export const reset = vmTask('hard_reboot');
/** A guest may take its time, or never obey: the pool's task ends only with it. */
export const shutdown = vmTask('clean_shutdown', [], GUEST_PATIENCE_MS);
export const reboot = vmTask('clean_reboot', [], GUEST_PATIENCE_MS);

const boot = vmTask('start', START_FLAGS);

/** XenAPI starts only what is halted: what is paused goes on, and what is saved is brought back. */
export const start: VmStep = async (context, uuid, signal) => {
  const state = await context.use('reads', () => beforeSending(signal, () => context.onVm(uuid, signal, async (handle) =>
    text(await context.pool.call('VM.get_power_state', [handle], { signal })))));
  // No order would help: the pool starts nothing that it counts as running.
  if (state === 'Running') await context.use('reads', () => beforeSending(signal, () => context.onVm(uuid, signal, (handle) => refuseWhereLost(context, handle, signal))));
  const step = state === 'Paused' ? unpause : state === 'Suspended' ? resume : boot;
  return step(context, uuid, signal);
};

/** @throws ArgoError UNREACHABLE where the pool counts it as running on a host that it has lost */
async function refuseWhereLost(context: PoolContext, handle: string, signal: AbortSignal): Promise<void> {
  const host = ref(await context.pool.call('VM.get_resident_on', [handle], { signal }));
  if (host === undefined || !await context.isHostLost(host, signal)) return;
  const name = context.inventory.hosts.get(host)?.name ?? 'a host';
  throw new ArgoError('UNREACHABLE', `the pool still counts it as running on ${name}, which does not answer the pool`);
}
