import type { ConsoleSize } from '../drivers/driver.js';
import { CONSOLE_LARGEST } from '../kit/console-limits.js';
import { SUBNEGOTIATION_SIZE, SUBNEGOTIATION_TIMEOUT } from '../kit/limits.js';
import { Telnet } from '../kit/telnet.js';

const { IAC, SE, SB, WILL, WONT, DO, DONT, ECHO, SUPPRESS_GO_AHEAD, NAWS } = Telnet;
const [CR, LF, NUL] = [0x0d, 0x0a, 0x00];

type State = 'text' | 'command' | 'option' | 'subnegotiation' | 'subnegotiation command';

/** Takes telnet's own bytes out of what a client sends while a console is open, a byte at a time. */
export class TelnetTerminal {
  #state: State = 'text';
  #verb = 0;
  #afterCr = false;
  #hasLetGo = false;
  #parameters: number[] = [];
  /** on the clock of performance.now(): when the subnegotiation under way began */
  #began = 0;
  readonly #answer: (bytes: Buffer) => void;
  readonly #resize: (size: ConsoleSize) => void;

  constructor(answer: (bytes: Buffer) => void, resize: (size: ConsoleSize) => void) {
    this.#answer = answer;
    this.#resize = resize;
  }

  /** Whether the client has agreed that its lines are its own again: DONT ECHO, which answers {@link TERMINAL_ENDS}. */
  get hasLetGo(): boolean {
    return this.#hasLetGo;
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
        this.#hasLetGo = this.#verb === DONT && byte === ECHO;
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
