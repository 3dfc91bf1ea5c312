import type { ConsoleSize } from '../drivers/driver.js';
import { CONSOLE_LARGEST } from '../kit/console-limits.js';
import { SUBNEGOTIATION_SIZE, SUBNEGOTIATION_TIMEOUT } from '../kit/limits.js';

/**
 * Telnet while a console is open (RFC 854): each key is sent at once and echoed by the machine alone (ECHO of RFC 857
 * with SUPPRESS-GO-AHEAD of RFC 858), and the client tells the size of its window (NAWS, RFC 1073).
 */

const IAC = 0xff;
const [SE, SB, WILL, WONT, DO, DONT] = [0xf0, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe];
const [ECHO, SUPPRESS_GO_AHEAD, NAWS] = [1, 3, 31];
const [CR, LF, NUL] = [0x0d, 0x0a, 0x00];

/** What turns a client's own line editing off. */
export const TERMINAL_BEGINS = Buffer.from([IAC, WILL, ECHO, IAC, WILL, SUPPRESS_GO_AHEAD, IAC, DO, NAWS]);

/** What turns it on again; a program sees by its first three bytes that the console's own ones have ended. */
export const TERMINAL_ENDS = Buffer.from([IAC, WONT, ECHO, IAC, WONT, SUPPRESS_GO_AHEAD, IAC, DONT, NAWS]);

/** A machine's bytes as telnet has them: 255 is doubled. */
export function escapeIac(bytes: Buffer): Buffer {
  if (!bytes.includes(IAC)) return bytes;
  const escaped = Buffer.allocUnsafe(bytes.length * 2);
  let length = 0;
  for (const byte of bytes) {
    escaped[length++] = byte;
    if (byte === IAC) escaped[length++] = IAC;
  }
  return escaped.subarray(0, length);
}

type State = 'text' | 'command' | 'option' | 'subnegotiation' | 'subnegotiation command';

/** Takes telnet's own bytes out of what a client sends, a byte at a time. */
export class TelnetTerminal {
  #state: State = 'text';
  #verb = 0;
  #afterCr = false;
  #parameters: number[] = [];
  /** on the clock of performance.now(): when the subnegotiation under way began */
  #began = 0;
  readonly #answer: (bytes: Buffer) => void;
  readonly #resize: (size: ConsoleSize) => void;

  constructor(answer: (bytes: Buffer) => void, resize: (size: ConsoleSize) => void) {
    this.#answer = answer;
    this.#resize = resize;
  }

  /** @returns the byte that was typed, if this is one */
  step(byte: number): number | undefined {
    // one that does not end must not take what is typed, the escape neither
    if (this.#isWithin && performance.now() - this.#began > SUBNEGOTIATION_TIMEOUT) this.#state = 'text';
    switch (this.#state) {
      case 'text': return this.#stepText(byte);
      case 'command':
        this.#state = 'text';
        if (byte === IAC) return byte;
        if (byte === SB) this.#begin();
        else if (byte >= WILL) [this.#verb, this.#state] = [byte, 'option'];
        return undefined;
      case 'option':
        this.#state = 'text';
        // what we have asked for is not answered: these are the answers
        if (byte === ECHO || byte === SUPPRESS_GO_AHEAD || byte === NAWS) return undefined;
        if (this.#verb === DO) this.#answer(Buffer.from([IAC, WONT, byte]));
        if (this.#verb === WILL) this.#answer(Buffer.from([IAC, DONT, byte]));
        return undefined;
      case 'subnegotiation':
        if (byte === IAC) this.#state = 'subnegotiation command';
        else this.#keep(byte);
        return undefined;
      case 'subnegotiation command':
        if (byte === IAC) {
          this.#state = 'subnegotiation';
          this.#keep(byte);
          return undefined;
        }
        this.#state = 'text';
        if (byte === SE) this.#end();
        return undefined;
    }
  }

  /** Enter is CR NUL or CR LF in telnet, and CR to a terminal. */
  #stepText(byte: number): number | undefined {
    const isRest = this.#afterCr && (byte === LF || byte === NUL);
    this.#afterCr = byte === CR;
    if (isRest) return undefined;
    if (byte !== IAC) return byte;
    this.#state = 'command';
    return undefined;
  }

  get #isWithin(): boolean {
    return this.#state === 'subnegotiation' || this.#state === 'subnegotiation command';
  }

  #begin(): void {
    this.#state = 'subnegotiation';
    this.#began = performance.now();
    this.#parameters = [];
  }

  #keep(byte: number): void {
    if (this.#parameters.length < SUBNEGOTIATION_SIZE) this.#parameters.push(byte);
    else this.#state = 'text';
  }

  #end(): void {
    const [option, ...size] = this.#parameters;
    if (option !== NAWS || size.length !== 4) return;
    const columns = size[0]! * 256 + size[1]!;
    const rows = size[2]! * 256 + size[3]!;
    // 0 stands for a side that is not known
    if (columns >= 1 && rows >= 1 && columns <= CONSOLE_LARGEST && rows <= CONSOLE_LARGEST) this.#resize({ columns, rows });
  }
}
