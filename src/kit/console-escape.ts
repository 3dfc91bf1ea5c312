/**
 * How somebody leaves a console, on a connection that carries his every byte: Ctrl-] as in `virsh console` and `xl console`,
 * or, where that key is taken (as by telnet itself), Enter `~` `.` as in ssh. `~~` is one `~`, and `~` Ctrl-] sends that key.
 */

const CTRL_BRACKET = 0x1d;
const TILDE = 0x7e;
const DOT = 0x2e;
const CR = 0x0d;
const LF = 0x0a;

/** What leaves it wherever it comes. */
export const LEAVE = Buffer.from([CTRL_BRACKET]);

const NOTHING: readonly number[] = [];

const endsLine = (byte: number): boolean => byte === CR || byte === LF;

/** Looks for the escape in what is typed, a byte at a time. */
export class Escape {
  #atLineStart = true;
  #held = false;

  /** @returns what is to be passed on; undefined: this byte ends it */
  step(byte: number): readonly number[] | undefined {
    if (this.#held) {
      this.#held = false;
      if (byte === DOT) return undefined;
      this.#atLineStart = endsLine(byte);
      return byte === TILDE || byte === CTRL_BRACKET ? [byte] : [TILDE, byte];
    }
    if (byte === CTRL_BRACKET) return undefined;
    if (byte === TILDE && this.#atLineStart) {
      this.#held = true;
      return NOTHING;
    }
    this.#atLineStart = endsLine(byte);
    return [byte];
  }
}

/** Says of bytes that nobody types what they are, so that those that would leave do not. Ctrl-] within a line cannot be said. */
export class Literally {
  #atLineStart = true;

  of(bytes: Buffer): Buffer {
    const said: number[] = [];
    for (const byte of bytes) {
      if (this.#atLineStart && (byte === TILDE || byte === CTRL_BRACKET)) said.push(TILDE);
      said.push(byte);
      this.#atLineStart = endsLine(byte);
    }
    return Buffer.from(said);
  }
}
