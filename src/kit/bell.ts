import { Link, LinkedList } from './linked-list.js';
import { onAbort } from './within.js';

/** Those who sleep until something happens: each has an end of its own as well. */
export class Sleepers {
  readonly #wakers = new LinkedList<() => void>();

  get size(): number {
    return this.#wakers.size;
  }

  /** What wakes each of those who sleep now: for who has to give way in between. */
  wakers(): readonly (() => void)[] {
    return [...this.#wakers];
  }

  wakeAll(): void {
    this.wakers().forEach((wake) => wake());
  }

  /** One who sleeps many times, until the signal is aborted. */
  enter(signal: AbortSignal): Sleeper {
    return new Sleeper(this.#wakers, signal);
  }

  /** Resolves when it is woken, after so many milliseconds (left out: never), or when the signal is aborted. */
  sleep(signal: AbortSignal, ms?: number): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        leave();
        link.leave();
        resolve();
      };
      const link = new Link(wake);
      const timer = ms === undefined ? undefined : setTimeout(wake, ms);
      const leave = onAbort(signal, wake);
      this.#wakers.append(link);
    });
  }
}

/**
 * One who sleeps again and again, as whoever follows what happens does many times a second: its end and its clock are
 * watched once for all that.
 */
export class Sleeper {
  readonly #sleepers: LinkedList<() => void>;
  readonly #signal: AbortSignal;
  readonly #leave: () => void;
  readonly #wake = (): void => {
    const resolve = this.#resolve;
    this.#resolve = undefined;
    this.#link.leave();
    resolve?.();
  };

  readonly #link = new Link(this.#wake);
  #resolve: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param sleepers who is woken together with it */
  constructor(sleepers: LinkedList<() => void>, signal: AbortSignal) {
    this.#sleepers = sleepers;
    this.#signal = signal;
    this.#leave = onAbort(signal, this.#wake);
  }

  /** Resolves when it is woken, when the signal is aborted, or at the latest after so many milliseconds: earlier where an earlier sleep would have lasted until then. */
  sleep(ms: number): Promise<void> {
    if (this.#signal.aborted) return Promise.resolve();
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#wake();
    }, ms);
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#sleepers.append(this.#link);
    });
  }

  /** It sleeps no more. */
  end(): void {
    clearTimeout(this.#timer);
    this.#leave();
    this.#wake();
  }
}

/** Lets work sleep until somebody rings, so that it looks again at once when something has changed. */
export class Bell {
  readonly #sleepers = new Sleepers();
  /** how often it was rung: who looks first and sleeps then hands it in, so that no ring in between is missed */
  rings = 0;

  ring(): void {
    this.rings += 1;
    this.#sleepers.wakeAll();
  }

  /** Resolves at the first ring after so many, after so many milliseconds, or when the signal is aborted. */
  wait(signal: AbortSignal, rings: number, ms?: number): Promise<void> {
    return rings === this.rings ? this.#sleepers.sleep(signal, ms) : Promise.resolve();
  }
}
