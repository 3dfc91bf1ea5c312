import { onAbort } from '../../kit/within.js';

/** What holds a place and can be asked to give it up. */
export interface Holder {
  isBusy(): boolean;
  /** Gives its place back, by what {@link HelperPlaces.take} returned. */
  leave(): void;
}

interface Waiting {
  readonly begin: () => void;
}

/**
 * A limited number of places, whose holders keep them when they are idle: another thing than a semaphore. Who comes to full ones gets that of a holder that is not busy, the one
 * that has had it longest first; or waits for one.
 */
export class HelperPlaces {
  readonly #holders = new Set<Holder>();
  readonly #waiting = new Set<Waiting>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get taken(): number {
    return this.#holders.size;
  }

  /** @returns what gives the place back. @throws the signal's reason */
  async take(holder: Holder, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#holders.size >= this.#limit) this.#makeRoom();
    if (this.#holders.size >= this.#limit) await this.#wait(holder, signal);
    else this.#holders.add(holder);
    return () => {
      if (!this.#holders.delete(holder)) return;
      const [next] = this.#waiting;
      next?.begin();
    };
  }

  /** To be told by a holder that has become idle. */
  noteIdle(): void {
    if (this.#waiting.size > 0) this.#makeRoom();
  }

  #makeRoom(): void {
    [...this.#holders].find((holder) => !holder.isBusy())?.leave();
  }

  #wait(holder: Holder, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        forget();
        this.#waiting.delete(waiting);
      };
      const waiting: Waiting = {
        begin: () => {
          end();
          this.#holders.add(holder);
          resolve();
        },
      };
      this.#waiting.add(waiting);
      const forget = onAbort(signal, (reason) => { end(); reject(reason as Error); });
    });
  }
}
