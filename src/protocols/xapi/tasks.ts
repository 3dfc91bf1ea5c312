import { setTimeout as pause } from 'node:timers/promises';
import { ForeignAnswerError, TaskLostError, XapiError } from './errors.js';
import type { XapiPool } from './pool.js';

/** Between two looks at a task, ms: the first, and the longest. */
const LOOK_FIRST_MS = 20;
const LOOK_LONGEST_MS = 500;
/** Looks in a row that may fail before the task counts as lost: a master needs a moment to be replaced. */
const LOOKS_IN_VAIN = 4;
/** For cancelling and removing a task, ms. */
const CLEAN_UP_TIMEOUT_MS = 5000;

/** The task could not be looked at, whatever refused or prevented it: the task itself goes on. */
class LookInVain extends Error {}

/** A task that the server has begun. */
export class Task {
  readonly #pool: XapiPool;
  readonly #ref: string;

  private constructor(pool: XapiPool, ref: string) {
    this.#pool = pool;
    this.#ref = ref;
  }

  /**
   * Begins `Async.METHOD`.
   * @param onSend told before the server may have begun it
   * @throws as {@link XapiPool.call}; a lost connection with `sent` leaves it open whether it was begun
   */
  static async begin(pool: XapiPool, method: string, args: readonly unknown[], signal: AbortSignal, onSend?: () => void): Promise<Task> {
    const ref = await pool.call(`Async.${method}`, args, { signal, effect: 'acts', onSend });
    if (typeof ref !== 'string') throw new ForeignAnswerError('its answer is not a task');
    return new Task(pool, ref);
  }

  /**
   * Follows it to its end, and removes it then.
   * @param patience ms after which it is left running
   * @returns false where it still runs
   * @throws XapiError with why it failed; TaskLostError; the signal's reason, after which it has to be cancelled
   */
  async follow(signal: AbortSignal, patience = Infinity): Promise<boolean> {
    const until = performance.now() + patience;
    let inVain = 0;
    for (let wait = LOOK_FIRST_MS; ; wait = Math.min(wait * 1.5, LOOK_LONGEST_MS)) {
      try {
        if (await this.#hasEnded(signal)) return true;
        inVain = 0;
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof LookInVain)) throw error;
        inVain += 1;
        if (inVain === LOOKS_IN_VAIN) throw new TaskLostError('the pool could not be asked any more what came of it', { cause: error.cause });
      }
      if (performance.now() > until) return false;
      await pause(wait, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }

  /** Stops it where it can be stopped, and removes it. Never rejects. */
  async cancel(): Promise<void> {
    await this.#tidy('task.cancel');
    await this.#tidy('task.destroy');
  }

  async #hasEnded(signal: AbortSignal): Promise<boolean> {
    const record = await this.#read(signal);
    if (record.status === 'pending' || record.status === 'cancelling') return false;
    void this.#tidy('task.destroy');
    if (record.status === 'success') return true;
    if (record.status === 'cancelled') throw new XapiError('TASK_CANCELLED', []);
    const [code = 'INTERNAL_ERROR', ...params] = Array.isArray(record.error_info) ? record.error_info.map(String) : [];
    throw new XapiError(code, params);
  }

  async #read(signal: AbortSignal): Promise<{ status?: unknown; error_info?: unknown }> {
    try {
      return await this.#pool.call('task.get_record', [this.#ref], { signal }) as { status?: unknown; error_info?: unknown };
    } catch (error) {
      // A master that was restarted or replaced knows nothing of it.
      if (error instanceof XapiError && error.code === 'HANDLE_INVALID') throw new TaskLostError('the pool no longer knows of the task', { cause: error });
      throw new LookInVain('', { cause: error });
    }
  }

  async #tidy(method: string): Promise<void> {
    await this.#pool.call(method, [this.#ref], { signal: AbortSignal.timeout(CLEAN_UP_TIMEOUT_MS), effect: 'acts' }).catch(() => undefined);
  }
}
