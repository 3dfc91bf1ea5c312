import type { KeyValue } from '../store/state.js';

const PREFIX = 'held/';

/** Which plans are held, so that nothing begins them: kept over restarts. */
export class Holds {
  readonly #kv: KeyValue;
  readonly #held = new Set<string>();
  /** one after the other: of two that hold and release at a time the later one counts */
  #last: Promise<void> = Promise.resolve();

  constructor(kv: KeyValue) {
    this.#kv = kv;
  }

  /** @throws StateError */
  async load(): Promise<void> {
    for (let page = await this.#kv.list(PREFIX); page.length > 0; page = await this.#kv.list(PREFIX, page.at(-1)!.key)) {
      for (const { key } of page) this.#held.add(key.slice(PREFIX.length));
    }
  }

  has(plan: string): boolean {
    return this.#held.has(plan);
  }

  /** It holds at once where it is to keep something from beginning; the other way only when that is written. @throws StateError */
  set(plan: string, isHeld: boolean): Promise<void> {
    if (isHeld) this.#held.add(plan);
    const done = this.#last.then(() => this.#write(plan, isHeld));
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #write(plan: string, isHeld: boolean): Promise<void> {
    if (isHeld) {
      this.#held.add(plan);
      await this.#kv.set(`${PREFIX}${plan}`, 'held');
    } else {
      await this.#kv.delete(`${PREFIX}${plan}`);
      this.#held.delete(plan);
    }
  }
}
