import type { Socket } from 'node:net';
import { Escape } from '../kit/console-escape.js';
import { CONSOLE_LAST_OUTPUT, CONSOLE_LET_GO, CONSOLE_SILENCE, CONSOLE_SILENCE_LONGEST, CONSOLE_STUCK } from '../kit/console-limits.js';
import { ArgoError } from '../kit/errors.js';
import { escapeIac, TERMINAL_BEGINS, TERMINAL_ENDS } from '../kit/telnet.js';
import { formatDuration } from '../kit/text.js';
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
  /** nothing goes either way any longer */
  #isOver = false;
  #isDone = false;
  /** set while a telnet client that was told of the end has not said that it understands */
  #dropping: NodeJS.Timeout | undefined;
  #last = LF;
  /** those of the part of its life in which it is */
  readonly #timers = new Set<NodeJS.Timeout>();
  #silence: NodeJS.Timeout | undefined;
  /** why it has ended */
  #error: ArgoError | undefined;
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
    stream.on('error', (error) => this.#end(asTold(error)));
    stream.on('end', () => this.#end(undefined));
    stream.on('close', () => this.#end(undefined));
    // it may have ended while the client was not ready for it
    if (stream.destroyed) setImmediate(() => this.#end(stream.errored ? asTold(stream.errored) : undefined));
  }

  /** What the client sends. */
  receive(chunk: Buffer): void {
    if (this.#dropping) return this.#drop(chunk);
    if (this.#isOver) return this.#awaitSilence();
    const keys: number[] = [];
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = this.#telnet ? this.#telnet.step(chunk[at]!) : chunk[at]!;
      if (byte === undefined) continue;
      const passed = this.#escape.step(byte);
      if (passed === undefined) {
        this.#type(keys);
        this.#finish(chunk.subarray(at + 1), undefined);
        return;
      }
      keys.push(...passed);
    }
    this.#type(keys);
  }

  /** The client sends no more: what its last words bring about is still shown. */
  receiveEnd(): void {
    if (this.#isOver) this.#finish(NONE, this.#error);
    else this.#after(CONSOLE_LAST_OUTPUT, () => this.#finish(NONE, undefined));
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
    // neither an escape nor that the client has gone is seen meanwhile
    const stuck = this.#after(CONSOLE_STUCK, () => this.#end(new ArgoError('TIMEOUT', `the machine has taken nothing of what was typed for ${formatDuration(CONSOLE_STUCK)}`)));
    stream.once('drain', () => {
      this.#stop(stuck);
      socket.resume();
    });
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

  /**
   * It has ended without its client's doing, who may not know yet: what it sends until then must not be taken for
   * requests. A telnet client is told, and says when it has understood; any other is told when nothing more comes.
   */
  #end(error: ArgoError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#error = error;
    this.#stopTimers();
    const { socket, end: { stream }, isTelnet } = this.#parts;
    stream.destroy();
    if (socket.destroyed || socket.readableEnded) return this.#finish(NONE, error);
    if (isTelnet) {
      this.#dropping = setTimeout(() => this.#free(NONE), CONSOLE_LET_GO);
      return this.#finish(NONE, error);
    }
    this.#after(CONSOLE_SILENCE_LONGEST, () => socket.destroy());
    this.#awaitSilence();
    socket.resume();
  }

  #awaitSilence(): void {
    this.#stop(this.#silence);
    // behind the timers comes what the socket has: after this process stood still, that may be much
    const silence = this.#silence = this.#after(CONSOLE_SILENCE, () => setImmediate(() => {
      if (this.#silence === silence) this.#finish(NONE, this.#error);
    }));
  }

  /** What follows on the connection begins a line of its own. */
  #finish(rest: Buffer, error: ArgoError | undefined): void {
    if (this.#isDone) return;
    this.#isDone = this.#isOver = true;
    this.#stopTimers();
    const { socket, end: { stream }, isTelnet, eol, done } = this.#parts;
    socket.off('drain', this.#onDrain);
    stream.destroy();
    if (isTelnet) this.#send(TERMINAL_ENDS);
    if (this.#last !== LF) this.#send(Buffer.from(eol));
    if (socket.isPaused()) socket.resume();
    if (this.#dropping === undefined) this.#free(rest);
    done(error);
  }

  #after(ms: number, work: () => void): NodeJS.Timeout {
    const timer = setTimeout(work, ms);
    this.#timers.add(timer);
    return timer;
  }

  #stop(timer: NodeJS.Timeout | undefined): void {
    if (timer === undefined) return;
    clearTimeout(timer);
    this.#timers.delete(timer);
  }

  #stopTimers(): void {
    this.#timers.forEach((timer) => this.#stop(timer));
  }
}

const asTold = (error: Error): ArgoError => (error instanceof ArgoError ? error : new ArgoError('UNREACHABLE', 'the console was cut off'));
