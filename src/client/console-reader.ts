import { Telnet } from '../kit/telnet.js';
import { isEnd, ReplyParser, type ReplyEvent } from './replies.js';

const { IAC, SE, SB, WILL, WONT, DONT, ECHO, NAWS } = Telnet;

type State = 'lines' | 'text' | 'command' | 'option' | 'subnegotiation' | 'subnegotiation command';

/** What one chunk of a connection brings. */
export interface ConsoleNews {
  /** what the machine has said */
  readonly output: Buffer;
  /** the console is there from here on */
  readonly isBegun: boolean;
  /** how the reply has ended, and with it the console */
  readonly end: ReplyEvent | undefined;
}

/**
 * Takes the bytes apart that come after `console` was sent as telnet does (line protocol, "console"): the lines of the
 * reply, and between them, from IAC WILL ECHO to what begins with IAC WONT ECHO, what the machine says.
 */
export class ConsoleReader {
  readonly #lines = new ReplyParser();
  #state: State = 'lines';
  #verb = 0;
  #isBegun = false;
  /** the machine says no more */
  #isOver = false;

  /** @throws ReplyFault for lines that are none of the line protocol */
  push(chunk: Buffer): ConsoleNews {
    const output: number[] = [];
    const wasBegun = this.#isBegun;
    let at = 0;
    while (at < chunk.length) {
      if (this.#state !== 'lines') {
        this.#step(chunk[at]!, output);
        at += 1;
        continue;
      }
      const iac = this.#isOver ? -1 : chunk.indexOf(IAC, at);
      const end = this.#lines.push(chunk.subarray(at, iac === -1 ? chunk.length : iac)).find(isEnd);
      if (end !== undefined || iac === -1) return this.#news(output, wasBegun, end);
      this.#state = 'text';
      at = iac;
    }
    return this.#news(output, wasBegun, undefined);
  }

  #news(output: readonly number[], wasBegun: boolean, end: ReplyEvent | undefined): ConsoleNews {
    return { output: Buffer.from(output), isBegun: this.#isBegun && !wasBegun, end };
  }

  #step(byte: number, output: number[]): void {
    switch (this.#state) {
      case 'lines': return;
      case 'text':
        if (byte === IAC) this.#state = 'command';
        else output.push(byte);
        return;
      case 'command':
        this.#state = byte === SB ? 'subnegotiation' : byte >= WILL && byte <= DONT ? 'option' : 'text';
        this.#verb = byte;
        if (byte === IAC) output.push(byte);
        return;
      case 'option':
        this.#state = 'text';
        if (this.#verb === WILL && byte === ECHO) this.#isBegun = true;
        if (this.#verb === WONT && byte === ECHO) this.#isOver = true;
        // the last of what belongs to the end
        if (this.#isOver && this.#verb === DONT && byte === NAWS) this.#state = 'lines';
        return;
      case 'subnegotiation':
        if (byte === IAC) this.#state = 'subnegotiation command';
        return;
      case 'subnegotiation command':
        this.#state = byte === SE ? 'text' : 'subnegotiation';
    }
  }
}

/** Agrees to tell the window's size (RFC 1073). */
export const TELLS_SIZE = Buffer.from([IAC, WILL, NAWS]);

/** The window's size. */
export function sizeMessage(columns: number, rows: number): Buffer {
  const sides = [columns, rows].flatMap((side) => [side >> 8 & 0xff, side & 0xff]).flatMap((byte) => (byte === IAC ? [IAC, IAC] : [byte]));
  return Buffer.from([IAC, SB, NAWS, ...sides, IAC, SE]);
}

const [CR, NUL] = [0x0d, 0x00];

/** Enter is CR NUL in telnet (RFC 854, NVT); it is CR to a terminal. */
export function escapeCr(bytes: Buffer): Buffer {
  return bytes.includes(CR) ? Buffer.from([...bytes].flatMap((byte) => (byte === CR ? [CR, NUL] : [byte]))) : bytes;
}
