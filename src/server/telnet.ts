/**
 * Telnet's part of the stream (RFC 854): option negotiation is answered with refusals and taken out,
 * CR NUL becomes a line end. Text is handled as one character a byte.
 */

const IAC = 0xff;
const SUBNEGOTIATION_BEGIN = 0xfa;
const SUBNEGOTIATION_END = 0xf0;
const WILL = 0xfb;
const WONT = 0xfc;
const DO = 0xfd;
const DONT = 0xfe;

const CR = 0x0d;
const NUL = 0x00;

type State = 'text' | 'command' | 'option' | 'subnegotiation' | 'subnegotiation command';

/** Whether a chunk needs the filter at all, when no sequence is open. */
 
const NEEDS_FILTER = /[\u0000\u00ff]/;

/** Takes telnet's sequences out of one connection's input, across the borders of chunks. */
export class TelnetFilter {
  #state: State = 'text';
  #verb = 0;
  #afterCr = false;

  #answers: number[] = [];

  /** The answers to what was pushed so far, to be sent back; they are handed out once. */
  takeAnswers(): Buffer | undefined {
    if (this.#answers.length === 0) return undefined;
    const bytes = Buffer.from(this.#answers);
    this.#answers = [];
    return bytes;
  }

  /** The text of a chunk: one character a byte, sequences taken out. */
  push(chunk: string): string {
    if (this.#state === 'text' && !NEEDS_FILTER.test(chunk)) {
      this.#afterCr = chunk.endsWith('\r');
      return chunk;
    }
    let text = '';
    for (let at = 0; at < chunk.length; at += 1) text += this.#step(chunk.charCodeAt(at));
    return text;
  }

  #step(byte: number): string {
    switch (this.#state) {
      case 'text':
        return this.#stepText(byte);
      case 'command':
        return this.#stepCommand(byte);
      case 'option':
        this.#state = 'text';
        if (this.#verb === DO) this.#answers.push(IAC, WONT, byte);
        if (this.#verb === WILL) this.#answers.push(IAC, DONT, byte);
        return '';
      case 'subnegotiation':
        if (byte === IAC) this.#state = 'subnegotiation command';
        return '';
      case 'subnegotiation command':
        this.#state = byte === SUBNEGOTIATION_END ? 'text' : 'subnegotiation';
        return '';
    }
  }

  #stepText(byte: number): string {
    const ends = byte === NUL && this.#afterCr;
    this.#afterCr = byte === CR;
    if (byte === IAC) {
      this.#state = 'command';
      return '';
    }
    return ends ? '\n' : String.fromCharCode(byte);
  }

  #stepCommand(byte: number): string {
    this.#state = 'text';
    if (byte === IAC) return String.fromCharCode(IAC);
    if (byte === SUBNEGOTIATION_BEGIN) this.#state = 'subnegotiation';
    if (byte >= WILL && byte <= DONT) {
      this.#verb = byte;
      this.#state = 'option';
    }
    return '';
  }
}
