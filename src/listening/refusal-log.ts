import { REFUSALS_LOG_EVERY } from '../kit/limits.js';
import type { Log } from '../kit/log.js';

/** Tells who is refused: the first one at once, and of any number that follow within a second one line more. */
export class RefusalLog {
  readonly #log: Log;
  #timer: NodeJS.Timeout | undefined;
  /** of the latest that was not told yet */
  #facts: Readonly<Record<string, unknown>> | undefined;
  #untold = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  add(facts: Readonly<Record<string, unknown>>): void {
    if (this.#timer === undefined) {
      this.#log('warn', 'connection refused', facts);
      this.#wait();
      return;
    }
    this.#facts = facts;
    this.#untold += 1;
  }

  #wait(): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#untold === 0) return;
      this.#log('warn', 'connection refused', { ...this.#facts, ...(this.#untold > 1 && { refused: this.#untold }) });
      this.#untold = 0;
      this.#facts = undefined;
      this.#wait();
    }, REFUSALS_LOG_EVERY);
    this.#timer.unref();
  }
}
