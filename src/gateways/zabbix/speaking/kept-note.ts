import type { History } from '../../../store/history.js';

/**
 * A text beside the values that has to outlive the process. Where it could not be written, or somebody has taken away the
 * file that had it, it is written again: its owner asks for that whenever the server says something.
 */
export class KeptNote {
  readonly #history: Pick<History, 'open' | 'note' | 'setNote'>;
  readonly #key: string;
  #text: string | undefined;
  /** the session of the file that has it */
  #keptIn = '';
  /** one write after the other */
  #turn: Promise<void> = Promise.resolve();

  constructor(history: Pick<History, 'open' | 'note' | 'setNote'>, key: string) {
    this.#history = history;
    this.#key = key;
  }

  /** What was kept at the last end. @throws StateError */
  read(): Promise<string | undefined> {
    return this.#history.note(this.#key);
  }

  set(text: string): void {
    this.#text = text;
    this.#keptIn = '';
  }

  /** On the disk when it resolves, where that is possible; never rejects. */
  keep(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#write()).catch(() => undefined);
    return this.#turn;
  }

  async #write(): Promise<void> {
    const text = this.#text;
    if (text === undefined) return;
    const { session } = await this.#history.open();
    if (session === this.#keptIn) return;
    await this.#history.setNote(this.#key, text);
    if (text === this.#text) this.#keptIn = session;
  }
}
