import { setTimeout as pause } from 'node:timers/promises';
import { afterFailures } from '../kit/backoff.js';

/**
 * The times until something is tried again: twice as long each time. What has lasted longer than the longest of them begins
 * anew; what comes and goes at once, such as a program that crashes as soon as it is asked, does not.
 */
export class Retries {
  readonly #first: number;
  readonly #longest: number;
  #inARow = 0;

  /** Both in milliseconds. */
  constructor(first: number, longest: number) {
    this.#first = first;
    this.#longest = longest;
  }

  /** It has failed once more. @param lasted milliseconds that it was good for; 0: it never was @returns milliseconds until it is tried again */
  failed(lasted: number): number {
    this.#inARow = lasted > this.#longest ? 1 : this.#inARow + 1;
    return afterFailures(this.#inARow, this.#first, this.#longest);
  }

  /**
   * Waits until it is tried again; others who have lost it too do not wait just as long. Ends early, and does not throw, where
   * the signal is aborted. @param lasted as in {@link failed}
   */
  async pause(lasted: number, signal: AbortSignal): Promise<void> {
    await pause(this.failed(lasted) * (0.75 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
  }
}
