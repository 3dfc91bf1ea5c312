import { PACED_LOG_EVERY } from './limits.js';
import type { Log } from './log.js';

/** Of what is told. */
interface Kind {
  readonly level: Parameters<Log>[0];
  /** by which name a line says how many it stands for */
  readonly count: string;
}

const REFUSALS: Kind = { level: 'warn', count: 'refused' };

/** Tells what may happen to very many at once: of the first at once, and of any number that follow within a second one line more. */
export class PacedLog {
  readonly #log: Log;
  readonly #message: string;
  #timer: NodeJS.Timeout | undefined;
  /** of the latest that was not told yet */
  #facts: Readonly<Record<string, unknown>> | undefined;
  #untold = 0;

  readonly #kind: Kind;

  /** @param message of each line */
  constructor(log: Log, message: string, kind: Kind = REFUSALS) {
    this.#log = log;
    this.#message = message;
    this.#kind = kind;
  }

  add(facts: Readonly<Record<string, unknown>>): void {
    if (this.#timer === undefined) {
      this.#log(this.#kind.level, this.#message, facts);
      this.#wait();
      return;
    }
    this.#facts = facts;
    this.#untold += 1;
  }

  #wait(): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#untold === 0) return;
      const { level, count } = this.#kind;
      this.#log(level, this.#message, { ...this.#facts, ...(this.#untold > 1 && { [count]: this.#untold }) });
      this.#untold = 0;
      this.#facts = undefined;
      this.#wait();
    }, PACED_LOG_EVERY);
    this.#timer.unref();
  }
}
