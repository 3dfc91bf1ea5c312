import type { Outbox } from './state.js';

/**
 * Tells the outbox what has arrived, the newest only where it takes its time, or is to pause in between. What it could not tell is
 * sent again after a restart, under the same id.
 */
export class Acknowledger {
  readonly #outbox: Outbox;
  readonly #pause: number;
  #upTo = 0;
  #told = 0;
  #telling: Promise<void> | undefined;
  /** while it pauses */
  #timer: NodeJS.Timeout | undefined;
  #isSettling = false;

  /** @param pause milliseconds from one time that it tells to the next; 0: none */
  constructor(outbox: Outbox, pause = 0) {
    this.#outbox = outbox;
    this.#pause = pause;
  }

  upTo(position: number): void {
    this.#upTo = position;
    if (this.#timer === undefined) this.#telling ??= this.#tell();
  }

  /** Resolves when all is told, or cannot be. */
  async settle(): Promise<void> {
    this.#isSettling = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#told < this.#upTo) this.#telling ??= this.#tell();
    await this.#telling;
    this.#isSettling = false;
  }

  async #tell(): Promise<void> {
    try {
      while (this.#told < this.#upTo) {
        const position = this.#upTo;
        await this.#outbox.acknowledge(position);
        this.#told = position;
        if (this.#pause === 0 || this.#isSettling) continue;
        this.#timer = setTimeout(() => this.#goOn(), this.#pause).unref();
        break;
      }
    } catch {
      // told with the next one
    } finally {
      this.#telling = undefined;
    }
  }

  #goOn(): void {
    this.#timer = undefined;
    if (this.#told < this.#upTo) this.#telling ??= this.#tell();
  }
}
