import { ArgoError } from '../../kit/errors.js';
import { ref, text, refs } from '../../protocols/xapi/records.js';
import { beforeSending } from '../../kit/within.js';
import { GUEST_PATIENCE_MS, type PoolContext } from './context.js';
import { ForeignAnswerError, TaskLostError, XapiError } from '../../protocols/xapi/errors.js';
import { ConnectionLostError } from '../../protocols/tls/errors.js';
import { explain, isInDoubt, isMachine } from './errors.js';

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

/** Stopping and rebooting a host of the pool: it takes no more VMs, its VMs go elsewhere, and then it goes down. */

/** For putting a host back that did not go down after all, ms. */
const ENABLE_TIMEOUT_MS = 10_000;

export interface TakeDown {
  readonly how: 'shutdown' | 'reboot';
  /** pulls the plug of VMs that no other host takes */
  readonly force: boolean;
}

/** @throws ArgoError. A host that stays up takes VMs again, if it did before. */
export async function takeDown(context: PoolContext, uuid: string, { how, force }: TakeDown, signal: AbortSignal): Promise<void> {
  const { handle, wasEnabled } = await context.use('reads', () => beforeSending(signal, async () => {
    const found = await context.handle('host', uuid, signal);
    return { handle: found, wasEnabled: await context.pool.call('host.get_enabled', [found], { signal }) === true };
  }));
  await context.use('acts', () => beforeSending(signal, async (sending) => {
    try {
      await context.run('host.disable', [handle], signal, { onSend: sending });
    } catch (error) {
      // Else it may be left without VMs for ever, with nobody knowing.
      if (wasEnabled && isInDoubt(error)) await enable(context, handle);
      throw error;
    }
  }));
  try {
    await clear(context, handle, force, signal);
    await goDown(context, handle, how, signal);
  } catch (error) {
    if (error instanceof GoingDownInDoubt) throw explain(error.cause, 'acts');
    if (wasEnabled) await enable(context, handle);
    signal.throwIfAborted();
    const explained = explain(error, 'acts');
    // It was disabled, and its VMs may have moved: "nothing was done" would not be true.
    throw explained instanceof ArgoError && explained.phrase === 'UNREACHABLE' ? new ArgoError('UNCERTAIN', explained.detail, { cause: error }) : explained;
  }
}

/** The last order may have arrived, so that the host must not be made to take VMs. */
class GoingDownInDoubt extends Error {}

async function clear(context: PoolContext, handle: string, force: boolean, signal: AbortSignal): Promise<void> {
  try {
    await context.run('host.evacuate', [handle], signal);
  } catch (error) {
    if (!(error instanceof XapiError)) throw error;
    const residents = await residentsOf(context, handle, signal);
    if (!force && residents.size > 0) throw new ArgoError('FAILED', `${error.code}: VMs run on it and no other host takes them; stop them first, or use --force`, { cause: error });
    for (const vm of residents.keys()) await context.run('VM.hard_shutdown', [vm], signal);
  }
}

async function residentsOf(context: PoolContext, handle: string, signal: AbortSignal): Promise<Map<string, boolean>> {
  const vms = await context.pool.records('VM', (record) => isMachine(record) && refs(record.resident_on)[0] === handle && text(record.power_state) !== 'Suspended', signal);
  return new Map([...vms].filter(([, isResident]) => isResident));
}

/** A master that goes down takes the pool's API with it: once the task was begun, a loss is what was asked for. */
async function goDown(context: PoolContext, handle: string, how: TakeDown['how'], signal: AbortSignal): Promise<void> {
  try {
    await context.run(`host.${how}`, [handle], signal, { patience: GUEST_PATIENCE_MS });
  } catch (error) {
    const isMaster = context.inventory.hosts.get(handle)?.address === context.pool.master;
    if (isMaster && error instanceof TaskLostError && isSilence(error.cause)) return;
    throw isInDoubt(error) ? new GoingDownInDoubt('', { cause: error }) : error;
  }
}

/** Nobody is there, or one who was started anew; whoever refuses to tell is there. */
const isSilence = (error: unknown): boolean => error instanceof ConnectionLostError || error instanceof ForeignAnswerError
  || (error instanceof XapiError && error.code === 'HANDLE_INVALID');

async function enable(context: PoolContext, handle: string): Promise<void> {
  try {
    await context.pool.call('host.enable', [handle], { signal: AbortSignal.timeout(ENABLE_TIMEOUT_MS), effect: 'acts' });
  } catch (error) {
    context.host.log('warn', 'a host stays disabled: it takes no VMs until somebody enables it', { reason: String(explain(error, 'acts')) });
  }
}
