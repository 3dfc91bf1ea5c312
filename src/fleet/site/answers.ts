import { FLEET_ANSWERS_AT_HAND } from '../../kit/fleet-limits.js';
import type { Answer } from './door.js';

/** What was answered last, by the keys of the orders. */
export class Answers {
  readonly #kept = new Map<string, Answer>();
  #floor = '';

  /** Of an order of a greater key, what was answered by this process is at hand, if anything was. */
  get floor(): string {
    return this.#floor;
  }

  get(key: string): Answer | undefined {
    return this.#kept.get(key);
  }

  set(key: string, answer: Answer): void {
    this.#kept.set(key, answer);
    if (this.#kept.size <= FLEET_ANSWERS_AT_HAND) return;
    const [oldest] = this.#kept.keys();
    this.#kept.delete(oldest!);
    if (oldest! > this.#floor) this.#floor = oldest!;
  }
}
