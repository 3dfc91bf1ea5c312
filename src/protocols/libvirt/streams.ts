import type { Duplex } from 'node:stream';
import { ConnectionLostError, type LibvirtError } from './errors.js';
import { encodePacket, MessageType, Program, Status, type Packet } from './packet.js';
import { RpcStream } from './stream.js';
import { XdrReader } from './xdr.js';

/** The streams of one connection, by the serial of the call that opened each. */
export class RpcStreams {
  readonly #connection: Duplex;
  readonly #readError: (body: XdrReader) => LibvirtError;
  readonly #open = new Map<number, RpcStream>();
  readonly #full = new Set<number>();

  /** @param readError reads libvirt's words from a packet that ends a stream */
  constructor(connection: Duplex, readError: (body: XdrReader) => LibvirtError) {
    this.#connection = connection;
    this.#readError = readError;
  }

  /** whether a slow reader keeps the connection from being read */
  get isHeld(): boolean {
    return this.#full.size > 0;
  }

  /** Makes a stream; before its call is answered, as data may come with the answer. */
  begin(procedure: number, serial: number): RpcStream {
    const write = (status: number, body: Buffer): boolean =>
      this.#connection.write(encodePacket({ program: Program.REMOTE, procedure, type: MessageType.STREAM, serial, status, body }));
    const stream = new RpcStream({
      data: (bytes, done) => {
        if (this.#connection.destroyed || write(Status.CONTINUE, bytes)) return done();
        const go = (): void => {
          this.#connection.off('drain', go).off('close', go);
          done();
        };
        this.#connection.on('drain', go).on('close', go);
      },
      finish: () => {
        this.#forget(serial);
        if (!this.#connection.destroyed) write(Status.OK, Buffer.alloc(0));
      },
      full: (isFull) => this.#hold(serial, isFull),
    });
    // whoever gets it may not listen yet when it fails
    stream.on('error', () => undefined);
    this.#open.set(serial, stream);
    return stream;
  }

  /** A packet of a stream. One of a stream that we have ended may still be on its way. */
  take({ serial, status, body }: Packet): void {
    const stream = this.#open.get(serial);
    if (stream === undefined) return;
    if (status === Status.CONTINUE && body.length > 0) return stream.arrive(body);
    this.#open.delete(serial);
    stream.over(status === Status.ERROR ? this.#readError(new XdrReader(body)) : undefined);
    this.#forget(serial);
  }

  /** The call that was to open it has failed. @param isRefused libvirt has said so: it need not be told that nobody wants it */
  drop(serial: number, isRefused: boolean): void {
    const stream = this.#open.get(serial);
    if (isRefused) stream?.over();
    stream?.destroy();
    this.#forget(serial);
  }

  /** The connection is gone, and they with it. */
  end(reason: Error): void {
    for (const stream of this.#open.values()) stream.over(new ConnectionLostError(true, reason.message, { cause: reason }));
    this.#open.clear();
  }

  #forget(serial: number): void {
    this.#open.delete(serial);
    this.#hold(serial, false);
  }

  #hold(serial: number, isFull: boolean): void {
    if (isFull) this.#full.add(serial);
    else if (!this.#full.delete(serial)) return;
    if (this.#full.size > 0) this.#connection.pause();
    else this.#connection.resume();
  }
}
