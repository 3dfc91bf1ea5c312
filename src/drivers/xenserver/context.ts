import { ArgoError } from '../../kit/errors.js';
import { XapiError } from '../../protocols/xapi/errors.js';
import type { Effect, XapiPool } from '../../protocols/xapi/pool.js';
import { Task } from '../../protocols/xapi/tasks.js';
import { ref, text, type XapiRecord } from '../../protocols/xapi/values.js';
import { isAbort, within } from '../../kit/within.js';
import type { DriverHost } from '../driver.js';
import { explain } from './errors.js';
import type { Inventory } from './inventory.js';

/** After acceptance, how long a task that waits for a guest is watched for a refusal, ms. */
export const GUEST_PATIENCE_MS = 1500;
/** How long a guest's task is followed after that: xapi itself gives a shutdown 20 minutes. Milliseconds. */
const GUEST_DEADLINE_MS = 25 * 60_000;
/** Guests' tasks that are followed at a time; the server removes those beyond after a day. */
const FOLLOWED_TASKS = 256;

/** How a task is run. */
export interface Running {
  /** ms after which it is taken as accepted, and followed behind the caller's back */
  readonly patience?: number;
  /** told before the pool may have begun it */
  readonly onSend?: () => void;
}

/** What the machines of a pool share. */
export class PoolContext {
  readonly #followed = new Set<AbortController>();

  constructor(readonly pool: XapiPool, readonly inventory: Inventory, readonly host: DriverHost) {}

  /** Several calls as one step, with errors in a user's words. @param hasHardWay the command takes --force. @throws ArgoError, or the signal's reason */
  async use<T>(effect: Effect, work: () => Promise<T>, hasHardWay = false): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const explained = explain(error, effect, hasHardWay);
      if (explained instanceof ArgoError && explained.phrase === 'NO SUCH INSTANCE') this.host.relist();
      throw explained;
    }
  }

  /** The handle of an object, asked for where events do not keep it at hand. */
  async handle(type: 'VM' | 'host', uuid: string, signal: AbortSignal): Promise<string> {
    const known = type === 'VM' ? this.inventory.refOf(uuid) : undefined;
    return known ?? text(await this.pool.call(`${type}.get_by_uuid`, [uuid], { signal }));
  }

  /** Work on a VM's handle; once more with a new one where a restart has made it invalid, which is a refusal. */
  async onVm<T>(uuid: string, signal: AbortSignal, work: (handle: string) => Promise<T>): Promise<T> {
    try {
      return await work(await this.handle('VM', uuid, signal));
    } catch (error) {
      if (!(error instanceof XapiError) || error.code !== 'HANDLE_INVALID' || error.params[0] !== 'VM') throw error;
      return work(text(await this.pool.call('VM.get_by_uuid', [uuid], { signal })));
    }
  }

  async record(type: string, handle: string, signal: AbortSignal): Promise<XapiRecord> {
    return await this.pool.call(`${type}.get_record`, [handle], { signal }) as XapiRecord;
  }

  /** Whether the pool has lost a host, so that it knows nothing new of what the host carries. */
  async isHostLost(host: string, signal: AbortSignal): Promise<boolean> {
    try {
      const metrics = this.inventory.hosts.get(host)?.metrics ?? ref(await this.pool.call('host.get_metrics', [host], { signal }));
      return metrics !== undefined && await this.pool.call('host_metrics.get_live', [metrics], { signal }) === false;
    } catch (error) {
      // Nothing is said of its life: the records stand for themselves.
      if (error instanceof XapiError && ['HANDLE_INVALID', 'MESSAGE_METHOD_UNKNOWN'].includes(error.code)) return false;
      throw error;
    }
  }

  /** A call that changes something, as a task that is followed to its end. */
  async run(method: string, args: readonly unknown[], signal: AbortSignal, { patience = Infinity, onSend }: Running = {}): Promise<void> {
    const task = await Task.begin(this.pool, method, args, signal, onSend);
    try {
      if (!await task.follow(signal, patience)) this.#followOn(task, method);
    } catch (error) {
      if (signal.aborted) void task.cancel();
      throw error;
    }
  }

  /** Stops following; what the pool does for a guest goes on there. */
  close(): void {
    this.#followed.forEach((stop) => stop.abort());
  }

  #followOn(task: Task, method: string): void {
    if (this.#followed.size >= FOLLOWED_TASKS) return;
    const stop = new AbortController();
    this.#followed.add(stop);
    within(GUEST_DEADLINE_MS, [stop.signal], (limit) => task.follow(limit))
      .catch((error: unknown) => {
        if (stop.signal.aborted) return undefined;
        const isLate = isAbort(error);
        this.host.log('warn', 'what a guest was asked to do did not come to a good end', { method, reason: isLate ? 'no end in sight' : String(explain(error, 'reads')) });
        return isLate ? task.cancel() : undefined;
      })
      .finally(() => this.#followed.delete(stop));
  }
}
