import type { Socket } from 'node:net';
import { VMSERVERD_PENDING } from '../../../kit/vmserverd-limits.js';

/** What a connection sends, piece by piece. It is read a little ahead of whoever takes it, so that a client that goes away is noticed. */
export class Inflow {
  readonly #socket: Socket;
  readonly #chunks: Buffer[] = [];
  #size = 0;
  #isOver = false;
  #wake: ((chunk: Buffer | undefined) => void) | undefined;
  readonly #onData = (chunk: Buffer): void => this.#take(chunk);
  readonly #onEnd = (): void => this.#end();

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('close', this.#onEnd);
  }

  /** whether something has come that nobody has taken */
  get hasMore(): boolean {
    return this.#chunks.length > 0;
  }

  /** For one who takes, not several. @returns undefined: nothing more comes */
  next(): Buffer | undefined | Promise<Buffer | undefined> {
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return this.#isOver ? undefined : new Promise((resolve) => { this.#wake = resolve; });
    this.#size -= chunk.length;
    if (this.#size < VMSERVERD_PENDING && this.#socket.isPaused() && !this.#socket.destroyed) this.#socket.resume();
    return chunk;
  }

  /** Hands back what belongs to whoever takes next. */
  unread(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#chunks.unshift(chunk);
    this.#size += chunk.length;
  }

  /** Takes nothing more, also of what has come already: what comes yet is thrown away. */
  stop(): void {
    this.#chunks.length = this.#size = 0;
    this.#end();
    if (this.#socket.isPaused() && !this.#socket.destroyed) this.#socket.resume();
  }

  #take(chunk: Buffer): void {
    if (this.#isOver || this.#tell(chunk)) return;
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size >= VMSERVERD_PENDING) this.#socket.pause();
  }

  #end(): void {
    this.#isOver = true;
    this.#tell(undefined);
  }

  /** @returns whether somebody waited for it */
  #tell(chunk: Buffer | undefined): boolean {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.(chunk);
    return wake !== undefined;
  }
}
