import type { Socket } from 'node:net';
import { Escape } from '../kit/console-escape.js';
import { CONSOLE_LAST_OUTPUT, CONSOLE_LET_GO } from '../kit/console-limits.js';
import { ArgoError } from '../kit/errors.js';
import { escapeIac, TERMINAL_BEGINS, TERMINAL_ENDS } from '../kit/telnet.js';
import type { LineEnd, RawEnd } from './reply.js';
import { TelnetTerminal } from './telnet-terminal.js';

export interface RawParts {
  readonly socket: Socket;
  readonly end: RawEnd;
  /** the client speaks telnet: it is put into character mode, and tells its size */
  readonly isTelnet: boolean;
  readonly eol: LineEnd;
  /** called once. @param error why it ended, where it was not left */
  readonly done: (error: ArgoError | undefined) => void;
  /** called once, at the same time or later: what the client sends is lines again. @param rest of what it has sent */
  readonly free: (rest: Buffer) => void;
}

const LF = 0x0a;
const NONE = Buffer.alloc(0);

/** A console on a connection: bytes both ways at the pace of the slower side, until the escape, or until either side ends. */
export class RawConsole {
  readonly #parts: RawParts;
  readonly #escape = new Escape();
  readonly #telnet: TelnetTerminal | undefined;
  #isOver = false;
  /** by the escape, which the client knows of */
  #isLeft = false;
  #last = LF;
  #lastOutput: NodeJS.Timeout | undefined;
  /** set while what the client had typed before it could know of the end is dropped */
  #dropping: NodeJS.Timeout | undefined;
  readonly #onDrain = (): void => { this.#parts.end.stream.resume(); };

  constructor(parts: RawParts) {
    this.#parts = parts;
    const { socket, end: { stream, notice, resize }, isTelnet, eol } = parts;
    if (isTelnet) {
      this.#telnet = new TelnetTerminal((bytes) => this.#send(bytes), resize);
      this.#send(TERMINAL_BEGINS);
    }
    if (notice !== undefined) this.#send(Buffer.from(`[${notice}]${eol}`));
    socket.on('drain', this.#onDrain);
    stream.on('data', (chunk: Buffer) => this.#show(chunk));
    stream.on('error', (error) => this.#finish(NONE, error instanceof ArgoError ? error : new ArgoError('UNREACHABLE', 'the console was cut off')));
    stream.on('end', () => this.#finish(NONE, undefined));
    stream.on('close', () => this.#finish(NONE, undefined));
  }

  /** What the client sends. */
  receive(chunk: Buffer): void {
    if (this.#dropping) return this.#drop(chunk);
    const keys: number[] = [];
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = this.#telnet ? this.#telnet.step(chunk[at]!) : chunk[at]!;
      if (byte === undefined) continue;
      const passed = this.#escape.step(byte);
      if (passed === undefined) {
        this.#type(keys);
        this.#isLeft = true;
        this.#finish(chunk.subarray(at + 1), undefined);
        return;
      }
      keys.push(...passed);
    }
    this.#type(keys);
  }

  /** The client sends no more: what its last words bring about is still shown. */
  receiveEnd(): void {
    if (!this.#isOver) this.#lastOutput ??= setTimeout(() => this.#finish(NONE, undefined), CONSOLE_LAST_OUTPUT);
  }

  /** Nobody is left. */
  gone(): void {
    this.#finish(NONE, undefined);
    clearTimeout(this.#dropping);
  }

  #drop(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; at += 1) {
      this.#telnet?.step(chunk[at]!);
      if (this.#telnet?.hasLetGo === true) return this.#free(chunk.subarray(at + 1));
    }
  }

  #free(rest: Buffer): void {
    clearTimeout(this.#dropping);
    this.#dropping = undefined;
    this.#parts.free(rest);
  }

  #type(keys: readonly number[]): void {
    const { socket, end: { stream } } = this.#parts;
    if (keys.length === 0 || stream.destroyed || stream.write(Buffer.from(keys))) return;
    socket.pause();
    stream.once('drain', () => socket.resume());
  }

  #show(chunk: Buffer): void {
    if (this.#isOver || chunk.length === 0) return;
    this.#last = chunk.at(-1)!;
    if (!this.#send(this.#telnet ? escapeIac(chunk) : chunk)) this.#parts.end.stream.pause();
  }

  #send(bytes: Buffer): boolean {
    const { socket } = this.#parts;
    return !socket.writable || socket.write(bytes);
  }

  /** What follows on the connection begins a line of its own. */
  #finish(rest: Buffer, error: ArgoError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#lastOutput);
    const { socket, end: { stream }, isTelnet, eol, done } = this.#parts;
    socket.off('drain', this.#onDrain);
    stream.destroy();
    if (isTelnet) this.#send(TERMINAL_ENDS);
    if (this.#last !== LF) this.#send(Buffer.from(eol));
    if (socket.isPaused()) socket.resume();
    // a command of a shell that has just ended must not become one of ours: telnet tells when it has understood
    if (isTelnet && !this.#isLeft) this.#dropping = setTimeout(() => this.#free(NONE), CONSOLE_LET_GO);
    else this.#free(rest);
    done(error);
  }
}
