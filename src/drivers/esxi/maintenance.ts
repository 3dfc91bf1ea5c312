import { textOf, type VimValue } from '../../protocols/vim/value.js';
import { ask, beginTask, endTask, order, type Context } from './context.js';
import { hostName, isConnectedHost } from './host-item.js';
import type { Item } from './inventory.js';

/** Maintenance mode of hosts that are stopped or rebooted: a host stays in it when it has booted, until somebody ends that. */

/** Entering it on a host without running machines, and leaving it, s. */
const MODE_TIMEOUT_S = 60;
/** Leaving it, with the following of the task, ms. */
const LEAVE_TIMEOUT = 70_000;
/** Giving up on entering it, ms. */
const CANCEL_TIMEOUT = 5000;

interface Entered {
  /** when it had booted before */
  readonly booted: VimValue;
  leaving: boolean;
}

const bootTime = (item: Item): VimValue => {
  const value = item.properties.get('runtime.bootTime');
  return value instanceof Date ? value.toISOString() : textOf(value) ?? null;
};

/** The hosts that we have put into maintenance mode, for them to be taken out of it. */
export class Maintenance {
  readonly #entered = new Map<string, Entered>();

  /** @throws ArgoError. Where the signal ends it, what was begun is undone behind the caller's back. */
  async enter(context: Context, item: Item, signal: AbortSignal): Promise<void> {
    const now = await ask(context, item.ref, ['runtime.inMaintenanceMode'], signal);
    if (now.get('runtime.inMaintenanceMode') === true) return;
    const args = { timeout: MODE_TIMEOUT_S, evacuatePoweredOffVms: false };
    const task = await beginTask(context, 'EnterMaintenanceMode_Task', item.ref, args, signal);
    this.#entered.set(item.ref.value, { booted: bootTime(item), leaving: false });
    try {
      await endTask(context, task, signal);
    } catch (error) {
      await order(context, 'CancelTask', task, {}, AbortSignal.timeout(CANCEL_TIMEOUT)).catch(() => undefined);
      void this.leave(context, item);
      throw error;
    }
  }

  /** Leaves it, if it was we who entered it. Never rejects. */
  async leave(context: Context, item: Item): Promise<void> {
    const entered = this.#entered.get(item.ref.value);
    if (entered === undefined || entered.leaving) return;
    entered.leaving = true;
    const signal = AbortSignal.timeout(LEAVE_TIMEOUT);
    try {
      const now = await ask(context, item.ref, ['runtime.inMaintenanceMode'], signal);
      if (now.get('runtime.inMaintenanceMode') === true) {
        await endTask(context, await beginTask(context, 'ExitMaintenanceMode_Task', item.ref, { timeout: MODE_TIMEOUT_S }, signal), signal);
        context.log('info', 'a host was taken out of maintenance mode', { host: hostName(item) });
      }
      this.#entered.delete(item.ref.value);
    } catch (error) {
      entered.leaving = false;
      context.log('warn', 'a host stays in maintenance mode', { host: hostName(item), error: String(error) });
    }
  }

  /** Takes hosts out of it that have booted since. */
  heed(context: Context, item: Item): void {
    const entered = this.#entered.get(item.ref.value);
    const booted = bootTime(item);
    if (entered === undefined || booted === null || booted === entered.booted || !isConnectedHost(item.properties)) return;
    void this.leave(context, item);
  }
}
