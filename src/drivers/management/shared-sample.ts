import { ArgoError } from '../../kit/errors.js';
import { isAbort, unlessAborted, within } from '../../kit/within.js';

/** A reading that costs something: whoever asks while it is under way, or soon after it, gets the same. */
export class SharedSample<T> {
  readonly #read: (signal: AbortSignal) => Promise<T>;
  readonly #freshFor: number;
  readonly #limit: number;
  #kept: { readonly value: T; readonly at: number } | undefined;
  #underWay: Promise<T> | undefined;

  /**
   * @param freshFor milliseconds for which it is told again
   * @param limit milliseconds of one reading, whoever still waits for it
   */
  constructor(read: (signal: AbortSignal) => Promise<T>, { freshFor, limit }: { readonly freshFor: number; readonly limit: number }) {
    this.#read = read;
    this.#freshFor = freshFor;
    this.#limit = limit;
  }

  /** @throws what reading throws; ArgoError TIMEOUT; the signal's reason, and the reading goes on for others */
  take(signal: AbortSignal): Promise<T> {
    const kept = this.#kept;
    if (kept !== undefined && performance.now() - kept.at < this.#freshFor) return Promise.resolve(kept.value);
    this.#underWay ??= this.#once().finally(() => { this.#underWay = undefined; });
    return unlessAborted(this.#underWay, signal);
  }

  async #once(): Promise<T> {
    try {
      const value = await within(this.#limit, [], (limit) => this.#read(limit));
      this.#kept = { value, at: performance.now() };
      return value;
    } catch (error) {
      throw isAbort(error) ? new ArgoError('TIMEOUT', `no answer within ${this.#limit / 1000} s`, { cause: error }) : error;
    }
  }
}
