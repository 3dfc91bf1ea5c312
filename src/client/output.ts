import { ArgoError } from '../kit/errors.js';
import { harmless } from '../kit/text.js';

/** One way out of the process: standard output or standard error. */
export type Stream = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number };

/** The reader of our output is gone, as with `argo list | head -1`. */
export class BrokenPipe extends Error {}

/** Lines for people and programs, written in as few pieces as they arrive in. */
export class Output {
  #broken: Error | undefined;
  readonly #stream: Stream;

  constructor(stream: Stream) {
    this.#stream = stream;
    stream.on('error', ({ code }: NodeJS.ErrnoException) => {
      this.#broken ??= code === 'EPIPE' ? new BrokenPipe() : new ArgoError('FAILED', `the output cannot be written (${code})`);
    });
  }

  get isTerminal(): boolean {
    return this.#stream.isTTY === true;
  }

  get columns(): number {
    // A pseudo-terminal that nobody sized says 0.
    return this.#stream.columns || 80;
  }

  get rows(): number {
    return this.#stream.rows || 24;
  }

  /** Calls back when a terminal has got another size. @returns ends that */
  onResize(listener: () => void): () => void {
    this.#stream.on('resize', listener);
    return () => this.#stream.off('resize', listener);
  }

  /**
   * Writes lines and waits while the reader is slower than we are. What a terminal would obey is
   * taken out for a terminal, whatever the server has let through.
   * @throws BrokenPipe · ArgoError FAILED for a full disk and the like
   */
  async lines(texts: readonly string[]): Promise<void> {
    if (texts.length === 0) return;
    const shown = this.isTerminal ? texts.map(harmless) : texts;
    await this.write(`${shown.join('\n')}\n`);
  }

  /** Writes at once, and hears of no fault: for the last of what is written. */
  now(text: string): void {
    if (!this.#broken) this.#stream.write(text);
  }

  /** @throws as {@link lines} */
  async write(text: string | Uint8Array): Promise<void> {
    if (this.#broken) throw this.#broken;
    if (this.#stream.write(text)) {
      // An error of this very write comes a turn later.
      await new Promise((resolve) => { setImmediate(resolve); });
    } else {
      await new Promise<void>((resolve) => {
        const go = () => {
          this.#stream.off('drain', go).off('error', go).off('close', go);
          resolve();
        };
        this.#stream.on('drain', go).on('error', go).on('close', go);
      });
    }
    if (this.#broken) throw this.#broken;
  }
}
