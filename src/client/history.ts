import { appendFileSync, chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { trimmed } from '../kit/text.js';
import { isAuthLine } from './request.js';

/** Lines that the shell remembers. */
export const HISTORY_LINES = 1000;

/** The file is shortened when it holds this many lines more. */
const SLACK = 1000;

const PRIVATE = 0o600;

/** What was typed in the shell, kept in a file that only its owner may read. Lines with a password never enter it. */
export class History {
  readonly #path: string;
  #onFault: (message: string) => void;

  /** @param onFault told once, when the file cannot be used; the shell goes on without */
  constructor(path: string, onFault: (message: string) => void) {
    this.#path = path;
    this.#onFault = onFault;
  }

  /** The lines kept, the newest first, as readline wants them. */
  load(): string[] {
    let lines: string[];
    try {
      lines = readFileSync(this.#path, 'utf8').split('\n').filter((line) => line !== '' && !isAuthLine(line));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#fault(error);
      return [];
    }
    if (lines.length > HISTORY_LINES + SLACK) this.#shorten(lines.slice(-HISTORY_LINES));
    return lines.slice(-HISTORY_LINES).reverse();
  }

  /** Adds a line, unless it carries a password. */
  add(line: string): void {
    if (trimmed(line) === '' || isAuthLine(line)) return;
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      appendFileSync(this.#path, `${line}\n`, { mode: PRIVATE });
      chmodSync(this.#path, PRIVATE);
    } catch (error) {
      this.#fault(error);
    }
  }

  #shorten(lines: readonly string[]): void {
    const next = `${this.#path}.${process.pid}`;
    try {
      writeFileSync(next, lines.map((line) => `${line}\n`).join(''), { mode: PRIVATE });
      renameSync(next, this.#path);
    } catch (error) {
      this.#fault(error);
    }
  }

  #fault(error: unknown): void {
    this.#onFault(`the history in ${this.#path} cannot be kept (${(error as NodeJS.ErrnoException).code})`);
    this.#onFault = () => {};
  }
}
