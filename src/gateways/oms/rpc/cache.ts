import { OMS_CACHED, OMS_CACHED_SIZE } from '../../../kit/oms-limits.js';
import { keyHash } from '../../../kit/random-key.js';

interface Kept {
  readonly at: number;
  readonly json: string;
}

/** Answers to readings, as JSON, for clients that say how old one may be. Whoever asks has been checked before he is given one. */
export class AnswerCache {
  /** the oldest first */
  readonly #kept = new Map<string, Kept>();
  #size = 0;

  /**
   * @param key what tells the question from all others, the account that asks among it
   * @param seconds how old the answer may be; 0: it is asked for now
   */
  async get(key: string, seconds: number, ask: () => Promise<string>): Promise<string> {
    const hash = keyHash(key);
    const kept = this.#kept.get(hash);
    if (seconds > 0 && kept !== undefined && performance.now() - kept.at < seconds * 1000) return kept.json;
    const at = performance.now();
    const json = await ask();
    this.#drop(hash);
    if (json.length <= OMS_CACHED_SIZE / 8) {
      this.#kept.set(hash, { at, json });
      this.#size += json.length;
    }
    while (this.#kept.size > OMS_CACHED || this.#size > OMS_CACHED_SIZE) this.#drop(this.#kept.keys().next().value!);
    return json;
  }

  #drop(hash: string): void {
    this.#size -= this.#kept.get(hash)?.json.length ?? 0;
    this.#kept.delete(hash);
  }
}
