import type { Socket } from 'node:net';
import { VMSERVERD_PENDING } from '../../../kit/vmserverd-limits.js';

/** What a connection sends, piece by piece. It is read a little ahead of whoever takes it, so that a client that goes away is noticed. */
export class Inflow {
  readonly #socket: Socket;
  readonly #chunks: Buffer[] = [];
  #size = 0;
  #isOver = false;
  #wake: (() => void) | undefined;
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

  /** @returns undefined: nothing more comes */
  async next(): Promise<Buffer | undefined> {
    while (this.#chunks.length === 0) {
      if (this.#isOver) return undefined;
      await new Promise<void>((resolve) => { this.#wake = resolve; });
    }
    const chunk = this.#chunks.shift()!;
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
    if (this.#isOver) return;
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size >= VMSERVERD_PENDING) this.#socket.pause();
    this.#tell();
  }

  #end(): void {
    this.#isOver = true;
    this.#tell();
  }

  #tell(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
