import { Duplex } from 'node:stream';
import { ArgoError, withoutCause } from '../kit/errors.js';
import { CONSOLE_BUFFER } from '../kit/console-limits.js';
import { isLender, type Lender } from '../kit/lender.js';
import type { RfbViewer } from './rfb-viewer.js';

/**
 * The end of a console that is handed out: bytes both ways, and nothing of what carries them, which is a driver's
 * connection. A screen's security handshake is done with whoever has this end, and view-only is kept here, so that no
 * gateway can do without.
 */
export class ConsolePipe extends Duplex implements Lender {
  /** bytes that were sent to the machine, and that came from it */
  #sent = 0;
  #received = 0;
  readonly #inner: Duplex;
  readonly #viewer: RfbViewer | undefined;
  readonly #moved: () => void;

  /**
   * @param viewer for a screen
   * @param moved told of each chunk, for who looks whether it is idle
   */
  constructor(inner: Duplex, viewer: RfbViewer | undefined, moved: () => void) {
    super({ allowHalfOpen: false, readableHighWaterMark: CONSOLE_BUFFER, writableHighWaterMark: CONSOLE_BUFFER });
    this.#inner = inner;
    this.#viewer = viewer;
    this.#moved = moved;
    if (viewer) this.push(viewer.greeting);
    inner.on('data', (chunk: Buffer) => {
      this.#count(chunk);
      if (!this.push(chunk)) inner.pause();
    });
    inner.on('end', () => this.push(null));
    inner.on('error', (error: unknown) => this.destroy(error instanceof ArgoError ? withoutCause(error) : new ArgoError('UNREACHABLE', 'the console was cut off')));
    inner.on('close', () => {
      // what has come is still to be read
      if (!this.readableEnded) this.push(null);
    });
    inner.pause();
  }

  /** Bytes that went to the machine and came from it. */
  static bytesOf(pipe: ConsolePipe): { readonly sent: number; readonly received: number } {
    return { sent: pipe.#sent, received: pipe.#received };
  }

  /** What comes from the machine; what this end itself says during a screen's handshake stays `data`. */
  lend(take: (chunk: Buffer, giveBack: () => void) => void): boolean {
    return isLender(this.#inner) && this.#inner.lend((chunk, giveBack) => {
      this.#count(chunk);
      take(chunk, giveBack);
    });
  }

  #count(chunk: Buffer): void {
    this.#received += chunk.length;
    this.#moved();
  }

  override _read(): void {
    this.#inner.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    this.#moved();
    let bytes: Buffer | undefined = chunk;
    if (this.#viewer) {
      try {
        const passed = this.#viewer.receive(chunk);
        if (passed.toViewer) this.push(passed.toViewer);
        bytes = passed.toServer;
      } catch (error) {
        done(error as Error);
        return;
      }
    }
    if (bytes === undefined) return done();
    if (!this.#inner.writable) return done(new ArgoError('UNREACHABLE', 'the console has ended'));
    this.#sent += bytes.length;
    if (this.#inner.write(bytes)) return done();
    const go = (): void => {
      this.#inner.off('drain', go).off('close', go);
      done();
    };
    this.#inner.on('drain', go).on('close', go);
  }

  override _final(done: () => void): void {
    this.#inner.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#inner.destroy();
    done(error);
  }
}
