import type { Socket } from 'node:net';
import { flushInTurn } from '../../../kit/flushes.js';
import { VMSERVERD_BLOCK } from '../../../kit/vmserverd-limits.js';

/** What nearly all answers are: such text is copied as it is. */
const ASCII = /^[\u0000-\u007f]*$/;

/** What a connection is sent: put together for a write, and held back while the client does not read. */
export class Outflow {
  readonly #socket: Socket;
  #output = '';
  #isBlocked = false;
  #waiting: (() => void)[] = [];
  /** it is among those that are flushed next */
  #isDue = false;
  readonly #flushNow = (): void => {
    this.#isDue = false;
    this.flush();
  };

  /** @param moved called when a client that did not read has read on */
  constructor(socket: Socket, moved: () => void) {
    this.#socket = socket;
    socket.on('drain', () => {
      moved();
      this.#unblock();
    });
    socket.once('close', () => this.#unblock());
  }

  /** whether the client does not take what was written */
  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  append(text: string): void {
    this.#output += text;
    if (this.#output.length >= VMSERVERD_BLOCK) this.flush();
  }

  /** Writes it with what others are sent in this turn of the event loop. */
  flushInTurn(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    flushInTurn(this.#flushNow);
  }

  flush(): void {
    if (this.#output === '') return;
    const text = this.#output;
    this.#output = '';
    if (!this.#socket.writable) return;
    if (!this.#socket.write(text, ASCII.test(text) ? 'latin1' : 'utf8')) this.#isBlocked = true;
  }

  /** Until the client has taken what was written, or is gone; undefined where nothing holds up. */
  drain(): Promise<void> | undefined {
    if (!this.#isBlocked || this.#socket.destroyed) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #unblock(): void {
    this.#isBlocked = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    waiting.forEach((resolve) => resolve());
  }
}
