import { write, writeSync } from 'node:fs';

/** Text that waits to be written; further lines are dropped, so that a reader who stops cannot stop us. Characters. */
const BACKLOG = 1024 * 1024;

/** Lines that come this soon after others are written together: a write each would cost more than all the rest of a line. Milliseconds. */
const GATHER = 20;

/** So much is written at once, however soon. Characters. */
const GATHERED_MOST = 16 * 1024;

/** Milliseconds until a full pipe is tried again. */
const FULL_PAUSE = 100;

/** The longest that the end of the process waits for a full pipe. Milliseconds. */
const FLUSH_TIMEOUT = 1000;
const FLUSH_PAUSE = 10;

const isFull = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'EAGAIN';

/** Holds up the whole thread. */
const sleep = (ms: number): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

/**
 * Lines for a file descriptor, such as standard error. Nobody waits for whoever reads them, and where they can't be
 * written, there is nowhere left to say so.
 */
export class LogOutput {
  readonly #descriptor: number;
  /** whole lines that wait */
  #text = '';
  /** what a write has left of the lines before */
  #rest: Buffer | undefined;
  #isWriting = false;
  /** until more is written */
  #pause: NodeJS.Timeout | undefined;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** Writes a line, now or soon together with others. @param line with its end */
  append(line: string): void {
    if (this.#text.length + line.length > BACKLOG) return;
    this.#text += line;
    if (this.#isWriting || (this.#pause !== undefined && (this.#rest !== undefined || this.#text.length < GATHERED_MOST))) return;
    this.#write();
  }

  /** Writes what waits, before the process ends. What is being written already is with the system. */
  flush(): void {
    const ends = performance.now() + FLUSH_TIMEOUT;
    for (let left = Buffer.concat([this.#take(), this.#take()]); left.length > 0 && performance.now() < ends;) {
      try {
        left = left.subarray(writeSync(this.#descriptor, left));
      } catch (error) {
        if (!isFull(error)) return;
        sleep(FLUSH_PAUSE);
      }
    }
  }

  #write(): void {
    const bytes = this.#take();
    if (bytes.length === 0) return;
    this.#isWriting = true;
    write(this.#descriptor, bytes, (error, written) => {
      this.#isWriting = false;
      const isToWait = error !== null && isFull(error);
      if (isToWait) this.#rest = bytes;
      else if (error === null && written < bytes.length) this.#rest = bytes.subarray(written);
      if (!isToWait && (this.#rest !== undefined || this.#text.length >= GATHERED_MOST)) this.#write();
      else this.#pause = setTimeout(() => this.#write(), isToWait ? FULL_PAUSE : GATHER).unref();
    });
  }

  /** What is to be written next: what was left of lines, else all lines that wait. */
  #take(): Buffer {
    clearTimeout(this.#pause);
    this.#pause = undefined;
    const rest = this.#rest;
    this.#rest = undefined;
    if (rest !== undefined) return rest;
    const lines = Buffer.from(this.#text);
    this.#text = '';
    return lines;
  }
}
