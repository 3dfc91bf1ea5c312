import { ArgoError } from '../kit/errors.js';

/** Something in the input that is not a line that can be worked on. */
export type BadLine = ArgoError;

/** What may stand in input whose lines need no look of their own: neither they nor their ends can be wrong. */
const NOT_PLAIN = /[^\x20-\x7e\t\n\r]|\r(?!\n)/;
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/;
const MORE_THAN_BLANKS = /[^ \t\r]/;
/** The byte 255, which stands in no UTF-8: what was no telnet command, or one that did not end, has left it. */
const IAC = '\xff';
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Cuts input into lines. Input is handled as one character a byte, so that neither a line nor a
 * character of several bytes suffers from how the chunks fall. One look at a chunk tells whether its
 * lines have to be decoded at all.
 */
export class LineReader {
  #text = '';
  #at = 0;
  /** nothing of what waits has to be decoded */
  #plain = true;
  /** the rest of a line that was too long is being dropped */
  #dropping = false;
  /** whether the last line ended in CRLF */
  crlf = false;

  /** @param maxLine bytes of a line, its end not counted */
  constructor(public maxLine: number) {}

  /** Bytes that wait to be taken. */
  get pending(): number {
    return this.#text.length - this.#at;
  }

  /** Whether a whole line waits. */
  get hasLine(): boolean {
    return this.#text.includes('\n', this.#at);
  }

  /** Takes all that waits, as it came: it is no longer lines. */
  takeAll(): string {
    const rest = this.#text.slice(this.#at);
    this.#text = '';
    this.#at = 0;
    return rest;
  }

  push(chunk: string): void {
    const rest = this.#at === this.#text.length ? '' : this.#text.slice(this.#at);
    this.#text = rest === '' ? chunk : rest + chunk;
    this.#plain = (rest === '' || this.#plain) && !NOT_PLAIN.test(chunk);
    this.#at = 0;
  }

  /** The next line without its end, what is wrong with it, or undefined while none is complete. */
  next(): string | BadLine | undefined {
    const end = this.#text.indexOf('\n', this.#at);
    if (end === -1) return this.#overflow();
    const start = this.#at;
    this.#at = end + 1;
    this.crlf = end > start && this.#text.charCodeAt(end - 1) === 0x0d;
    if (this.#dropping) {
      this.#dropping = false;
      return this.next();
    }
    const stop = this.crlf ? end - 1 : end;
    if (stop - start > this.maxLine) return tooLong(this.maxLine);
    const line = this.#text.slice(start, stop);
    return this.#plain ? line : decode(line);
  }

  /** What is left when the input has ended: a request that may have been cut off is not carried out. */
  rest(): BadLine | undefined {
    const unfinished = !this.#dropping && MORE_THAN_BLANKS.test(this.#text.slice(this.#at));
    this.#text = '';
    this.#at = 0;
    return unfinished ? new ArgoError('BAD REQUEST', 'the last line has no end') : undefined;
  }

  /** A line that is too long is answered when that is clear, not only at its end, which may never come. */
  #overflow(): BadLine | undefined {
    // one more for the CR of its end
    if (this.pending <= this.maxLine + 1 && !this.#dropping) return undefined;
    const news = !this.#dropping;
    this.#dropping = true;
    this.#text = '';
    this.#at = 0;
    return news ? tooLong(this.maxLine) : undefined;
  }
}

const tooLong = (maxLine: number): BadLine => new ArgoError('LINE TOO LONG', `more than ${maxLine} bytes`);

function decode(line: string): string | BadLine {
  if (!NOT_PLAIN.test(line)) return line;
  try {
    const text = UTF8.decode(Buffer.from(line, 'latin1'));
    return CONTROL.test(text) ? new ArgoError('BAD REQUEST', 'control characters') : text;
  } catch {
    return new ArgoError('BAD REQUEST', line.includes(IAC) ? 'not UTF-8: the byte 255 and no whole telnet command' : 'not UTF-8');
  }
}
