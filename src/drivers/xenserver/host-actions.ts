import { ArgoError } from '../../kit/errors.js';
import { TaskLostError, XapiError } from '../../protocols/xapi/errors.js';
import { refs, text } from '../../protocols/xapi/values.js';
import { beforeSending } from '../before-sending.js';
import { explain, isInDoubt } from './errors.js';
import { isMachine } from './states.js';
import { GUEST_PATIENCE_MS, type PoolContext } from './context.js';

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
    if (error instanceof TaskLostError && isMaster) return;
    throw isInDoubt(error) ? new GoingDownInDoubt('', { cause: error }) : error;
  }
}

async function enable(context: PoolContext, handle: string): Promise<void> {
  try {
    await context.pool.call('host.enable', [handle], { signal: AbortSignal.timeout(ENABLE_TIMEOUT_MS), effect: 'acts' });
  } catch (error) {
    context.host.log('warn', 'a host stays disabled: it takes no VMs until somebody enables it', { reason: String(explain(error, 'acts')) });
  }
}
