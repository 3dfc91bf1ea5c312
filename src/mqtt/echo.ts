import { ArgoError } from '../kit/errors.js';
import { unlessAborted, within } from '../kit/within.js';

/**
 * What comes back of what was written on topics that one reads as well: MQTT 3.1.1 tells nobody that he may not write
 * somewhere, and it is as if he had.
 */
export class Echo {
  readonly #text: string;
  readonly #open: Set<string>;
  #isBack!: () => void;
  readonly #back = new Promise<void>((resolve) => { this.#isBack = resolve; });

  /** @param text what is written on each; nobody else writes the same */
  constructor(topics: readonly string[], text: string) {
    this.#text = text;
    this.#open = new Set(topics);
  }

  /** @returns whether that was the last one */
  heard(topic: string, text: string): boolean {
    if (text !== this.#text || !this.#open.delete(topic) || this.#open.size > 0) return false;
    this.#isBack();
    return true;
  }

  /** @param most milliseconds @throws ArgoError NOT ALLOWED · the signal's reason */
  async back(most: number, signal: AbortSignal): Promise<void> {
    await within(most, [signal], (ends) => unlessAborted(this.#back, ends)).catch(() => undefined);
    signal.throwIfAborted();
    if (this.#open.size > 0) throw new ArgoError('NOT ALLOWED', `what is written to ${[...this.#open].join(' and ')} does not come back: the broker must let us write and read there, and keep it`);
  }
}
