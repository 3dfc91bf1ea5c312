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
    const output: Buffer[] = [];
    const wasBegun = this.#isBegun;
    let at = 0;
    while (at < chunk.length) {
      if (this.#state !== 'lines' && this.#state !== 'text') {
        if (this.#step(chunk[at]!)) output.push(chunk.subarray(at, at + 1));
        at += 1;
        continue;
      }
      const iac = this.#isOver && this.#state === 'lines' ? -1 : chunk.indexOf(IAC, at);
      const plain = chunk.subarray(at, iac === -1 ? chunk.length : iac);
      if (this.#state === 'text') output.push(plain);
      else {
        const end = this.#lines.push(plain).find(isEnd);
        if (end !== undefined) return this.#news(output, wasBegun, end);
      }
      if (iac === -1) break;
      this.#state = 'command';
      at = iac + 1;
    }
    return this.#news(output, wasBegun, undefined);
  }

  #news(output: readonly Buffer[], wasBegun: boolean, end: ReplyEvent | undefined): ConsoleNews {
    return { output: output.length === 1 ? output[0]! : Buffer.concat(output), isBegun: this.#isBegun && !wasBegun, end };
  }

  /** A byte of a sequence of telnet's own. @returns whether it is the machine's after all */
  #step(byte: number): boolean {
    switch (this.#state) {
      case 'lines': case 'text': return true;
      case 'command':
        this.#state = byte === SB ? 'subnegotiation' : byte >= WILL && byte <= DONT ? 'option' : 'text';
        this.#verb = byte;
        return byte === IAC;
      case 'option':
        this.#state = 'text';
        if (this.#verb === WILL && byte === ECHO) this.#isBegun = true;
        if (this.#verb === WONT && byte === ECHO) this.#isOver = true;
        // the last of what belongs to the end
        if (this.#isOver && this.#verb === DONT && byte === NAWS) this.#state = 'lines';
        return false;
      case 'subnegotiation':
        if (byte === IAC) this.#state = 'subnegotiation command';
        return false;
      case 'subnegotiation command':
        this.#state = byte === SE ? 'text' : 'subnegotiation';
        return false;
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
