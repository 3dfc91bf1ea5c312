import { Duplex } from 'node:stream';

/** VIR_NET_MESSAGE_LEGACY_PAYLOAD_MAX, bytes: what any libvirtd takes in one packet of a stream. */
const MOST_IN_PACKET = 262_120;

/** Bytes that wait for their reader before the connection is no longer read. */
const READ_AHEAD = 64 * 1024;

/** How a stream speaks on its connection. */
export interface StreamWire {
  /** @param done when there is room for more */
  data(bytes: Buffer, done: () => void): void;
  /** tells libvirt that nothing more is said nor wanted */
  finish(): void;
  /** the reader takes no more, or does again */
  full(isFull: boolean): void;
}

/**
 * A stream of libvirt's RPC (virnetprotocol.x, VIR_NET_STREAM), such as a console: bytes both ways beside the calls of a
 * connection. A reader that is slow holds up the whole connection, since a single stream cannot be held back.
 */
export class RpcStream extends Duplex {
  readonly #wire: StreamWire;
  #isDone = false;

  constructor(wire: StreamWire) {
    super({ allowHalfOpen: false, readableHighWaterMark: READ_AHEAD, writableHighWaterMark: READ_AHEAD });
    this.#wire = wire;
  }

  /** Bytes that libvirt has sent. */
  arrive(bytes: Buffer): void {
    if (!this.#isDone && !this.push(Buffer.from(bytes))) this.#wire.full(true);
  }

  /** libvirt has ended it. @param error where it did not end well */
  over(error?: Error): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#wire.full(false);
    if (error) this.destroy(error);
    else this.push(null);
  }

  override _read(): void {
    this.#wire.full(false);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.#isDone) return done();
    let at = 0;
    const next = (): void => {
      const part = chunk.subarray(at, at + MOST_IN_PACKET);
      at += part.length;
      this.#wire.data(part, at < chunk.length ? next : done);
    };
    next();
  }

  override _final(done: () => void): void {
    this.#finish();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#finish();
    done(error);
  }

  #finish(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#wire.full(false);
    this.#wire.finish();
  }
}
