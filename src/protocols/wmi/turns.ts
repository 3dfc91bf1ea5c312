import { WmiFault } from './errors.js';

/** One after another, in the order in which they came; those who wait are limited. */
export class Turns {
  #taken = false;
  readonly #waiting: { readonly begin: () => void; readonly fail: (error: Error) => void }[] = [];
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Waits for a turn.
   * @returns what ends it
   * @throws WmiFault of kind `quota` where too many wait; the signal's reason
   */
  async enter(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#taken) {
      if (this.#waiting.length >= this.#limit) throw new WmiFault('quota', 0, `${this.#limit} requests wait for their turn`);
      await this.#wait(signal);
    }
    this.#taken = true;
    return () => {
      this.#taken = false;
      const next = this.#waiting.shift();
      if (!next) return;
      this.#taken = true;
      next.begin();
    };
  }

  /** Sends those away who wait. */
  clear(error: Error): void {
    for (const { fail } of this.#waiting.splice(0)) fail(error);
  }

  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(place), 1);
        reject(signal.reason as Error);
      };
      const settled = (): void => signal.removeEventListener('abort', leave);
      const place = {
        begin: () => { settled(); resolve(); },
        fail: (error: Error) => { settled(); reject(error); },
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#waiting.push(place);
    });
  }
}
