/**
 * How somebody leaves a console, on a connection that carries his every byte: Ctrl-] as in `virsh console` and `xl console`,
 * or, where that key is taken (as by telnet itself), Enter `~` `.` as in ssh. `~~` is one `~`, and `~` Ctrl-] sends that key.
 */

const CTRL_BRACKET = 0x1d;
const TILDE = 0x7e;
const DOT = 0x2e;
const CR = 0x0d;
const LF = 0x0a;

const NOTHING: readonly number[] = [];

/** Looks for the escape in what is typed, a byte at a time. */
export class Escape {
  #atLineStart = true;
  #held = false;

  /** @returns what is to be passed on; undefined: this byte ends it */
  step(byte: number): readonly number[] | undefined {
    if (this.#held) {
      this.#held = false;
      if (byte === DOT) return undefined;
      this.#atLineStart = byte === CR || byte === LF;
      return byte === TILDE || byte === CTRL_BRACKET ? [byte] : [TILDE, byte];
    }
    if (byte === CTRL_BRACKET) return undefined;
    if (byte === TILDE && this.#atLineStart) {
      this.#held = true;
      return NOTHING;
    }
    this.#atLineStart = byte === CR || byte === LF;
    return [byte];
  }
}
