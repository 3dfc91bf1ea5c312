import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Lender } from '../../kit/lender.js';
import { onAbort } from '../../kit/within.js';

/**
 * Bytes that are read at a time, and how many such pieces of memory a connection has: one is read into while the other is sent on.
 * Larger ones are some per cent faster, and keep others waiting longer.
 */
const SLAB_BYTES = 64 * 1024;
const SLABS = 2;

/** A plain connection that reads into memory of its own, for what may flood. What nobody has asked to be lent is copied. */
class LendingSocket extends Duplex implements Lender {
  readonly #socket: Socket;
  readonly #slabs = Array.from({ length: SLABS }, () => Buffer.allocUnsafeSlow(SLAB_BYTES));
  /** of the slab that is read into next, and how many are lent: those before it */
  #next = 0;
  #lent = 0;
  #take: ((chunk: Buffer, giveBack: () => void) => void) | undefined;

  private constructor(where: NetConnectOpts) {
    super({ allowHalfOpen: false });
    const socket = this.#socket = connect({
      ...where,
      onread: { buffer: () => this.#slabs[this.#next]!, callback: (length, slab) => this.#came((slab as Buffer).subarray(0, length)) },
    });
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  /** An error brings nobody down before somebody listens for himself. @throws the error of connect(2); the signal's reason */
  static connect(where: NetConnectOpts, signal: AbortSignal): Promise<LendingSocket> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const stream = new LendingSocket(where);
      stream.on('error', reject);
      const forget = onAbort(signal, (reason) => {
        stream.destroy();
        reject(reason as Error);
      });
      stream.once('close', forget);
      stream.#socket.once('connect', () => {
        forget();
        resolve(stream);
      });
    });
  }

  lend(take: (chunk: Buffer, giveBack: () => void) => void): boolean {
    const before = this.read() as Buffer | null;
    if (before !== null) take(before, () => undefined);
    this.#take = take;
    // its end is still told as any stream's, to whoever reads on
    this.resume();
    return true;
  }

  override _read(): void {
    if (this.#lent < SLABS) this.#socket.resume();
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, encoding, done);
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  /** @returns whether more is to be read */
  #came(chunk: Buffer): boolean {
    if (this.#take === undefined) return this.push(Buffer.from(chunk));
    this.#next = (this.#next + 1) % SLABS;
    this.#lent += 1;
    this.#take(chunk, () => {
      this.#lent -= 1;
      if (this.#lent === SLABS - 1) this.#socket.resume();
    });
    return this.#lent < SLABS;
  }
}

/** A plain connection for a console. @throws the error of connect(2); the signal's reason */
export const connectConsole = (where: NetConnectOpts, signal: AbortSignal): Promise<Duplex> => LendingSocket.connect(where, signal);
