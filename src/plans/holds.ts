import type { KeyValue } from '../store/state.js';
import type { Disk } from './disk.js';

const PREFIX = 'held/';

export interface HoldsParts {
  readonly kv: KeyValue;
  readonly disk: Disk;
  /** aborted: nothing is written any longer */
  readonly closing: AbortSignal;
}

/** Which plans are held, so that nothing begins them: kept over restarts. One is held, or is not any longer, once that is written. */
export class Holds {
  readonly #parts: HoldsParts;
  readonly #held = new Set<string>();
  /** of which it is not known whether the file says what is here */
  readonly #doubtful = new Set<string>();
  /** one after the other: of two that hold and release at a time the later one counts */
  #last: Promise<void> = Promise.resolve();

  constructor(parts: HoldsParts) {
    this.#parts = parts;
  }

  /** @throws StateError */
  async load(): Promise<void> {
    const { kv } = this.#parts;
    for (let page = await kv.list(PREFIX); page.length > 0; page = await kv.list(PREFIX, page.at(-1)!.key)) {
      for (const { key } of page) this.#held.add(key.slice(PREFIX.length));
    }
  }

  has(plan: string): boolean {
    return this.#held.has(plan);
  }

  /** Whether it is held when all that was asked for until now is written, or was refused. */
  async keeps(plan: string): Promise<boolean> {
    await this.#last;
    return this.has(plan);
  }

  /** @throws StateError where it could not be written: then it is as it was before */
  set(plan: string, isHeld: boolean): Promise<void> {
    return this.#inTurn(async () => {
      try {
        await this.#write(plan, isHeld);
      } catch (thrown) {
        this.#mend(plan);
        throw thrown;
      }
      if (isHeld) this.#held.add(plan);
      else this.#held.delete(plan);
    });
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }

  #write(plan: string, isHeld: boolean): Promise<void> {
    const { kv } = this.#parts;
    return isHeld ? kv.set(`${PREFIX}${plan}`, 'held') : kv.delete(`${PREFIX}${plan}`);
  }

  /** What was refused because the disk took too long may have been written all the same, and must not come to hold at the next start. */
  #mend(plan: string): void {
    if (this.#doubtful.has(plan)) return;
    const { disk, closing } = this.#parts;
    this.#doubtful.add(plan);
    disk.write(() => this.#inTurn(() => this.#write(plan, this.has(plan))), closing)
      .catch(() => undefined)
      .finally(() => this.#doubtful.delete(plan));
  }
}
