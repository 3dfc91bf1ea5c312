import type { Output } from './output.js';

/** Between two changes of the status line, in milliseconds: what the eye can follow. */
export const REFRESH = 100;

const ERASE = '\r\u001b[K';

/** `[#####-----]` in so many columns; empty while nobody knows how many there are. */
export function bar(ended: number, all: number, columns: number): string {
  const filled = all === 0 ? 0 : Math.floor(Math.min(1, ended / all) * (columns - 2));
  return `[${'#'.repeat(filled)}${'-'.repeat(columns - 2 - filled)}]`;
}

/** A status line at the bottom of a terminal while many targets are worked on. */
export class Progress {
  #shown = false;
  #drawnAt = 0;
  readonly #terminal: Output;
  readonly #total: number | undefined;

  /**
   * @param total targets in all, where that could be told
   */
  constructor(terminal: Output, total: number | undefined) {
    this.#terminal = terminal;
    this.#total = total;
  }

  /** Takes the line away, so that other output can be written. */
  async clear(): Promise<void> {
    if (!this.#shown) return;
    this.#shown = false;
    await this.#terminal.write(ERASE);
  }

  async draw(ended: number, failed: number): Promise<void> {
    const now = performance.now();
    if (this.#shown && now - this.#drawnAt < REFRESH) return;
    this.#drawnAt = now;
    this.#shown = true;
    // A total that was told before the command ran may be overtaken by new instances.
    const of = this.#total === undefined || this.#total < ended ? `${ended} ended` : `${ended} of ${this.#total} ended`;
    const text = failed === 0 ? of : `${of}, ${failed} failed`;
    await this.#terminal.write(`${ERASE}${text.slice(0, this.#terminal.columns - 1)}`);
  }
}
