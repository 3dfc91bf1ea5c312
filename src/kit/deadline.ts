import { ArgoError } from './errors.js';
import { formatDuration } from './text.js';

/** Why a signal of ours was aborted: the time was over. */
export class DeadlineExceeded extends Error {
  constructor(readonly ms: number) {
    super(`deadline of ${formatDuration(ms)} exceeded`);
  }
}

/** A point in time by which something must have ended. Uses a clock that nobody sets back. */
export class Deadline {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #ends: number;

  /** @param ms from now */
  constructor(readonly ms: number) {
    this.#ends = performance.now() + ms;
    this.#timer = setTimeout(() => this.#controller.abort(new DeadlineExceeded(ms)), ms);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get exceeded(): boolean {
    return this.signal.aborted;
  }

  /** Milliseconds left, never negative. */
  get left(): number {
    return Math.max(0, this.#ends - performance.now());
  }

  /** Ends it early. What still listens to the signal is told, so that nothing is left hanging. */
  abort(reason: Error): void {
    this.clear();
    this.#controller.abort(reason);
  }

  clear(): void {
    clearTimeout(this.#timer);
  }

  /**
   * The work's result, or a rejection at the deadline even where the work does not heed the signal.
   */
  run<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal } = this;
    return new Promise<T>((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const stop = () => reject(signal.reason as Error);
      signal.addEventListener('abort', stop, { once: true });
      void work(signal).then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
    });
  }

  /** Waits, but not past the deadline. Resolves early when `wake` is called with the resolver's help. */
  pause(ms: number, onWake: (wake: () => void) => () => void): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.signal.removeEventListener('abort', end);
        forget();
        resolve();
      };
      const timer = setTimeout(end, Math.min(ms, this.left));
      this.signal.addEventListener('abort', end, { once: true });
      const forget = onWake(end);
    });
  }
}

/** A rejection at our own deadline as what the user is told; everything else as it is. */
export function explainDeadline(thrown: unknown, who: string): unknown {
  return thrown instanceof DeadlineExceeded
    ? new ArgoError('TIMEOUT', `no answer from ${who} in ${formatDuration(thrown.ms)}`)
    : thrown;
}
