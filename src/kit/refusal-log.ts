import { REFUSALS_LOG_EVERY } from './limits.js';
import type { Log } from './log.js';

/** Tells who is refused: the first one at once, and of any number that follow within a second one line more. */
export class RefusalLog {
  readonly #log: Log;
  readonly #message: string;
  #timer: NodeJS.Timeout | undefined;
  /** of the latest that was not told yet */
  #facts: Readonly<Record<string, unknown>> | undefined;
  #untold = 0;

  /** @param message of each line */
  constructor(log: Log, message: string) {
    this.#log = log;
    this.#message = message;
  }

  add(facts: Readonly<Record<string, unknown>>): void {
    if (this.#timer === undefined) {
      this.#log('warn', this.#message, facts);
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
      this.#log('warn', this.#message, { ...this.#facts, ...(this.#untold > 1 && { refused: this.#untold }) });
      this.#untold = 0;
      this.#facts = undefined;
      this.#wait();
    }, REFUSALS_LOG_EVERY);
    this.#timer.unref();
  }
}
