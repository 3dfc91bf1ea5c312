import { ArgoError } from './errors.js';
import { Link, LinkedList } from './linked-list.js';
import { SignalLoan, type Signals } from './signals.js';
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
  #loan: SignalLoan | undefined;
  readonly #signals: Signals | undefined;
  #reason: Error | undefined;
  readonly #listeners = new LinkedList<(reason: Error) => void>();
  readonly #timer: NodeJS.Timeout;
  readonly #ends: number;

  /**
   * @param ms from now
   * @param signals from where it takes its signal, and where it leaves it when it is cleared
   */
  constructor(readonly ms: number, signals?: Signals) {
    this.#signals = signals;
    this.#ends = performance.now() + ms;
    this.#timer = setTimeout(() => this.#end(new DeadlineExceeded(ms)), ms);
  }

  get signal(): AbortSignal {
    if (this.#loan === undefined) {
      this.#loan = this.#signals?.take() ?? new SignalLoan();
      if (this.#reason) this.#loan.abort(this.#reason);
    }
    return this.#loan.signal;
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

  /** What it was for has ended. */
  clear(): void {
    clearTimeout(this.#timer);
    if (this.#loan) this.#signals?.putBack(this.#loan);
    this.#loan = undefined;
  }

  /**
   * The work's result, or a rejection at the deadline even where the work goes on in spite of the signal.
   * @param whenOver called once as soon as that is clear, before anybody who waits for it goes on
   */
  run<T>(work: (signal: AbortSignal) => Promise<T>, whenOver?: () => void): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const refuse = (reason: unknown): void => {
        if (isOver()) reject(reason as Error);
      };
      const link = new Link(refuse);
      const isOver = (): boolean => {
        if (link.list === undefined) return false;
        link.leave();
        whenOver?.();
        return true;
      };
      this.#listeners.append(link);
      if (this.#reason) return refuse(this.#reason);
      try {
        work(this.signal).then((value) => { if (isOver()) resolve(value); }, refuse);
      } catch (thrown) {
        refuse(thrown);
      }
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
        link.leave();
        forget();
        resolve();
      };
      const timer = setTimeout(end, Math.min(ms, this.left));
      const link = new Link<(reason: Error) => void>(end);
      this.#listeners.append(link);
      const forget = onWake(end);
    });
  }

  #end(reason: Error): void {
    clearTimeout(this.#timer);
    if (this.#reason) return;
    this.#reason = reason;
    this.#loan?.abort(reason);
    for (const listener of this.#listeners) listener(reason);
  }
}

/** A rejection at our own deadline as what the user is told; everything else as it is. */
export function explainDeadline(thrown: unknown, who: string): unknown {
  return thrown instanceof DeadlineExceeded
    ? new ArgoError('TIMEOUT', `no answer from ${who} in ${formatDuration(thrown.ms)}`)
    : thrown;
}
