import { SUBNEGOTIATION_SIZE } from '../kit/limits.js';
import { Telnet } from '../kit/telnet.js';

/**
 * Telnet's part of the stream (RFC 854, 855): option negotiation is answered with refusals and taken
 * out, CR NUL becomes a line end. Text is handled as one character a byte. What is no sequence of
 * telnet's never takes a line's end with it: it leaves the byte 255 in its line, which so is not UTF-8.
 */

const { IAC, SB, SE, WILL, WONT, DO, DONT, FIRST_COMMAND } = Telnet;

const LF = 0x0a;
const CR = 0x0d;
const NUL = 0x00;

/** The byte 255 as text: its line is answered with BAD REQUEST. */
const BAD = '\xff';

type State = 'text' | 'command' | 'option' | 'subnegotiation' | 'subnegotiation command';

/** Whether a chunk needs the filter at all, when no sequence is open. */

const NEEDS_FILTER = /[\u0000\u00ff]/;

/** Takes telnet's sequences out of one connection's input, across the borders of chunks. */
export class TelnetFilter {
  #state: State = 'text';
  #verb = 0;
  #afterCr = false;
  /** the line under way has text */
  #inLine = false;
  /** of the subnegotiation under way */
  #swallowed = '';

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
      this.#inLine = !chunk.endsWith('\n');
      return chunk;
    }
    let text = '';
    for (let at = 0; at < chunk.length; at += 1) text += this.#step(chunk.charCodeAt(at));
    return text;
  }

  /** whether a subnegotiation has begun and not ended */
  get isSwallowing(): boolean {
    return this.#state === 'subnegotiation' || this.#state === 'subnegotiation command';
  }

  /**
   * Gives up the subnegotiation under way. Nothing of it is carried out.
   * @returns a line that is not UTF-8 for each line in it, so that each is answered
   */
  giveUp(): string {
    if (!this.isSwallowing) return '';
    this.#state = 'text';
    const lines = BAD + this.#swallowed.replaceAll('\r\0', '\r\n').replace(/[^\r\n]+/g, BAD);
    this.#swallowed = '';
    this.#afterCr = lines.endsWith('\r');
    this.#inLine = !lines.endsWith('\n');
    return lines;
  }

  #step(byte: number): string {
    switch (this.#state) {
      case 'text':
        return this.#stepText(byte);
      case 'command':
        return this.#stepCommand(byte);
      case 'option':
        this.#state = 'text';
        // between lines it is the option 10; within one, a verb that was cut off must not join two lines
        if (byte === LF && this.#inLine) return BAD + this.#stepText(byte);
        if (this.#verb === DO) this.#answers.push(IAC, WONT, byte);
        if (this.#verb === WILL) this.#answers.push(IAC, DONT, byte);
        return '';
      case 'subnegotiation':
        if (this.#swallowed.length >= SUBNEGOTIATION_SIZE) return this.giveUp() + this.#stepText(byte);
        if (byte === IAC) this.#state = 'subnegotiation command';
        else this.#swallowed += String.fromCharCode(byte);
        return '';
      case 'subnegotiation command':
        return this.#stepSubnegotiationCommand(byte);
    }
  }

  #stepText(byte: number): string {
    const ends = byte === NUL && this.#afterCr;
    this.#afterCr = byte === CR;
    if (byte === IAC) {
      this.#state = 'command';
      return '';
    }
    this.#inLine = byte !== LF && !ends;
    return ends ? '\n' : String.fromCharCode(byte);
  }

  #stepCommand(byte: number): string {
    this.#state = 'text';
    if (byte === IAC) {
      this.#inLine = true;
      return BAD;
    }
    if (byte < FIRST_COMMAND) return BAD + this.#stepText(byte);
    if (byte === SB) this.#state = 'subnegotiation';
    if (byte >= WILL) {
      this.#verb = byte;
      this.#state = 'option';
    }
    return '';
  }

  /** IAC within a subnegotiation: only its end and the doubled byte 255 belong there (RFC 855). */
  #stepSubnegotiationCommand(byte: number): string {
    if (byte === SE) {
      this.#swallowed = '';
      this.#state = 'text';
      return '';
    }
    this.#state = 'subnegotiation';
    if (byte !== IAC) return this.giveUp() + this.#stepCommand(byte);
    this.#swallowed += BAD;
    return '';
  }
}
