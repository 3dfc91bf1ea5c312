import type { Outbox } from './state.js';

/** Tells the outbox what has arrived, the newest only where it takes its time. What it could not tell is sent again after a restart, under the same id. */
export class Acknowledger {
  readonly #outbox: Outbox;
  #upTo = 0;
  #told = 0;
  #telling: Promise<void> | undefined;

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  upTo(position: number): void {
    this.#upTo = position;
    this.#telling ??= this.#tell();
  }

  /** Resolves when all is told, or cannot be. */
  async settle(): Promise<void> {
    if (this.#told < this.#upTo) this.#telling ??= this.#tell();
    await this.#telling;
  }

  async #tell(): Promise<void> {
    try {
      while (this.#told < this.#upTo) {
        const position = this.#upTo;
        await this.#outbox.acknowledge(position);
        this.#told = position;
      }
    } catch {
      // told with the next one
    } finally {
      this.#telling = undefined;
    }
  }
}
