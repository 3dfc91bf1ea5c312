import { Duplex } from 'node:stream';
import type { ConsoleSize } from '../driver.js';

const HELP = ['help      what can be said', 'size      of the terminal', 'exit      ends the console', 'anything else is said back'];
/** Characters of a line; a simulated machine takes no more. */
const LONGEST = 1024;

const [CTRL_D, BACKSPACE, DELETE, CR, LF] = [0x04, 0x08, 0x7f, 0x0d, 0x0a];

/** A text console with nothing behind it, which says so: for a first look, and for tests. */
export class SimConsole extends Duplex {
  #line = '';
  #size: ConsoleSize | undefined;
  #isFull: (() => void) | undefined;
  /** what is to be shown of the chunk that is being worked on: in one go, since much may be typed at a time */
  #said: Buffer[] = [];
  #isLeft = false;
  readonly #name: string;

  constructor(name: string, size: ConsoleSize | undefined) {
    super({ allowHalfOpen: false });
    this.#name = name;
    this.#size = size;
    this.#say(`Simulated console of ${name}: nothing runs behind it. "help" says what it knows.\r\n${name}$ `);
    this.#show();
  }

  resize(size: ConsoleSize): void {
    this.#size = size;
  }

  override _read(): void {
    const go = this.#isFull;
    this.#isFull = undefined;
    go?.();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    for (const byte of chunk) if (!this.#isLeft) this.#type(byte);
    this.#show();
    // who does not read what he has typed may not type on
    if (this.readableLength < this.readableHighWaterMark || this.readableEnded) done();
    else this.#isFull = done;
  }

  #type(byte: number): void {
    if (byte === CTRL_D && this.#line === '') return this.#leave();
    if (byte === CR || byte === LF) return this.#answer();
    if (byte === BACKSPACE || byte === DELETE) {
      if (this.#line !== '') this.#say('\b \b');
      this.#line = this.#line.slice(0, -1);
      return;
    }
    if (byte < 0x20 || this.#line.length >= LONGEST) return;
    this.#line += String.fromCharCode(byte);
    this.#say(Buffer.from([byte]));
  }

  #answer(): void {
    const line = this.#line.trim();
    this.#line = '';
    if (line === 'exit') return this.#leave();
    const { columns = 0, rows = 0 } = this.#size ?? {};
    const said = line === '' ? [] : line === 'help' ? HELP : line === 'size' ? [columns === 0 ? 'unknown' : `${columns} x ${rows}`] : [line];
    this.#say(Buffer.from(`\r\n${said.map((one) => `${one}\r\n`).join('')}${this.#name}$ `, 'latin1'));
  }

  #leave(): void {
    this.#say('\r\nexit\r\n');
    this.#isLeft = true;
  }

  #say(text: string | Buffer): void {
    this.#said.push(typeof text === 'string' ? Buffer.from(text) : text);
  }

  #show(): void {
    if (this.readableEnded) return;
    if (this.#said.length > 0) this.push(Buffer.concat(this.#said));
    this.#said = [];
    if (this.#isLeft) this.push(null);
  }
}
