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
  /** made when somebody asks for the signal: it is dearer than all the rest */
  #controller: AbortController | undefined;
  #reason: Error | undefined;
  readonly #listeners = new Set<(reason: Error) => void>();
  readonly #timer: NodeJS.Timeout;
  readonly #ends: number;

  /** @param ms from now */
  constructor(readonly ms: number) {
    this.#ends = performance.now() + ms;
    this.#timer = setTimeout(() => this.#end(new DeadlineExceeded(ms)), ms);
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  get exceeded(): boolean {
    return this.#reason !== undefined;
  }

  /** why it has ended; undefined before */
  get reason(): Error | undefined {
    return this.#reason;
  }

  /** Milliseconds left, never negative. */
  get left(): number {
    return Math.max(0, this.#ends - performance.now());
  }

  /** Ends it early. What still listens to the signal is told, so that nothing is left hanging. */
  abort(reason: Error): void {
    this.#end(reason);
  }

  clear(): void {
    clearTimeout(this.#timer);
  }

  /**
   * The work's result, or a rejection at the deadline even where the work goes on in spite of the signal.
   */
  run<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#reason) {
        reject(this.#reason);
        return;
      }
      this.#listeners.add(reject);
      const forget = () => this.#listeners.delete(reject);
      work(this.signal).then((value) => {
        forget();
        resolve(value);
      }, (error: Error) => {
        forget();
        reject(error);
      });
    });
  }

  /** Waits, but not past the deadline. Resolves early when `wake` is called with the resolver's help. */
  pause(ms: number, onWake: (wake: () => void) => () => void): Promise<void> {
    return new Promise((resolve) => {
      if (this.#reason) {
        resolve();
        return;
      }
      const end = () => {
        clearTimeout(timer);
        this.#listeners.delete(end);
        forget();
        resolve();
      };
      const timer = setTimeout(end, Math.min(ms, this.left));
      this.#listeners.add(end);
      const forget = onWake(end);
    });
  }

  #end(reason: Error): void {
    this.clear();
    if (this.#reason) return;
    this.#reason = reason;
    this.#controller?.abort(reason);
    const told = [...this.#listeners];
    this.#listeners.clear();
    told.forEach((listener) => listener(reason));
  }
}

/** A rejection at our own deadline as what the user is told; everything else as it is. */
export function explainDeadline(thrown: unknown, who: string): unknown {
  return thrown instanceof DeadlineExceeded
    ? new ArgoError('TIMEOUT', `no answer from ${who} in ${formatDuration(thrown.ms)}`)
    : thrown;
}
