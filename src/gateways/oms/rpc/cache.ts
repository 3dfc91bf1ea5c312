import { OMS_CACHED, OMS_CACHED_SIZE } from '../../../kit/oms-limits.js';
import { keyHash } from '../../../kit/random-key.js';

interface Kept {
  readonly at: number;
  readonly value: unknown;
  readonly size: number;
}

/** Answers to readings, for clients that say how old one may be. Whoever asks has been checked before he is given one. */
export class AnswerCache {
  /** the oldest first */
  readonly #kept = new Map<string, Kept>();
  #size = 0;

  /**
   * @param key what tells the question from all others, the account that asks among it
   * @param seconds how old the answer may be; 0: it is asked for now
   */
  async get(key: string, seconds: number, ask: () => Promise<unknown>): Promise<unknown> {
    const hash = keyHash(key);
    const kept = this.#kept.get(hash);
    if (seconds > 0 && kept !== undefined && performance.now() - kept.at < seconds * 1000) return kept.value;
    const at = performance.now();
    const value = await ask();
    this.#drop(hash);
    const size = JSON.stringify(value).length;
    if (size <= OMS_CACHED_SIZE / 8) {
      this.#kept.set(hash, { at, value, size });
      this.#size += size;
    }
    while (this.#kept.size > OMS_CACHED || this.#size > OMS_CACHED_SIZE) this.#drop(this.#kept.keys().next().value!);
    return value;
  }

  #drop(hash: string): void {
    this.#size -= this.#kept.get(hash)?.size ?? 0;
    this.#kept.delete(hash);
  }
}
