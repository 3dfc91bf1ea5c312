import type { Readable } from 'node:stream';
import { formatDuration } from '../../kit/text.js';
import { onAbort } from '../../kit/within.js';
import { ZabbixError } from './errors.js';
import { MESSAGE_LIMITS, readHeader, unpack, type Frame, type FrameHeader, type FrameLimits } from './frame.js';

/** What may be asked of whoever sends a frame. */
export interface ReadLimits extends FrameLimits {
  /** milliseconds until its first byte */
  readonly firstMs?: number;
  /** Waited for before a frame is read on that is longer than any message but a configuration: the memory has room for a few. */
  admitLong?(): Promise<void>;
}

/** Puts one frame together of the pieces in which it comes. Its memory grows with what has come, not with what is claimed. */
class Assembly {
  readonly #limits: FrameLimits;
  #bytes: Buffer = Buffer.alloc(0);
  #size = 0;
  #header: FrameHeader | undefined;

  constructor(limits: FrameLimits) {
    this.#limits = limits;
  }

  /** whether anything of it came */
  get begun(): boolean {
    return this.#size > 0;
  }

  /** whether it is known to be longer than any message but a configuration */
  get isLong(): boolean {
    const header = this.#header;
    return header !== undefined && (header.wire > MESSAGE_LIMITS.wire || header.raw > MESSAGE_LIMITS.raw);
  }

  /** for people: how much of it is there */
  get progress(): string {
    return this.#header ? `${this.#size - this.#header.header} of ${this.#header.wire} bytes` : `${this.#size} bytes`;
  }

  /** @returns the header and the content, once all of it is there */
  add(piece: Buffer): readonly [FrameHeader, Buffer] | undefined {
    this.#append(piece);
    this.#header ??= readHeader(this.#bytes.subarray(0, this.#size), this.#limits);
    if (this.#header === undefined) return undefined;
    const { header, wire } = this.#header;
    if (this.#size < header + wire) return undefined;
    if (this.#size > header + wire) throw new ZabbixError('GARBAGE', `${this.#size - header - wire} bytes more than the message is said to have`);
    return [this.#header, this.#bytes.subarray(header, this.#size)];
  }

  #append(piece: Buffer): void {
    const size = this.#size + piece.length;
    if (this.#size === 0) this.#bytes = piece;
    else {
      if (size > this.#bytes.length) {
        const grown = Buffer.allocUnsafe(Math.max(size, this.#bytes.length * 2));
        this.#bytes.copy(grown, 0, 0, this.#size);
        this.#bytes = grown;
      }
      piece.copy(this.#bytes, this.#size);
    }
    this.#size = size;
  }
}

/**
 * Reads the next frame of a connection, of which nothing may be left over: each side waits for the other's answer.
 * Nobody else may read of the stream meanwhile.
 * @param ms for the whole frame, its unpacking with it
 * @returns undefined where the stream ends before a frame begins
 * @throws ZabbixError CUT, LATE, ABORTED, GARBAGE, LARGE; then the connection is of no more use
 */
export async function readFrame(stream: Readable, limits: ReadLimits, ms: number, signal: AbortSignal): Promise<Frame | undefined> {
  const end = performance.now() + ms;
  if (signal.aborted) throw givenUp();
  const whole = await new Reading(stream, limits, ms, signal).result;
  if (whole === undefined) return undefined;
  const [header, wire] = whole;
  const content = await unpack(header, wire);
  if (performance.now() > end) throw late(ms, 'its unpacking was not done');
  return { content, packed: header.packed, large: header.large };
}

const late = (ms: number, how: string): ZabbixError => new ZabbixError('LATE', `no whole message within ${formatDuration(ms)}: ${how}`);

const givenUp = (): ZabbixError => new ZabbixError('ABORTED', 'it was given up');

/** A frame's header, and its bytes on the wire. */
type Whole = readonly [FrameHeader, Buffer];

/** One frame on its way. */
class Reading {
  /** undefined: the stream has ended before one began */
  readonly result: Promise<Whole | undefined>;
  readonly #stream: Readable;
  readonly #frame: Assembly;
  readonly #admitLong: (() => Promise<void>) | undefined;
  readonly #timers: readonly NodeJS.Timeout[];
  readonly #forget: () => void;
  #admission: 'not asked' | 'asked' | 'given' = 'not asked';
  #whole: Whole | undefined;
  #resolve!: (whole: Whole | undefined) => void;
  #reject!: (error: ZabbixError) => void;

  constructor(stream: Readable, limits: ReadLimits, ms: number, signal: AbortSignal) {
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#stream = stream;
    const frame = this.#frame = new Assembly(limits);
    this.#admitLong = limits.admitLong;
    const { firstMs = ms } = limits;
    this.#timers = [
      setTimeout(() => { if (!frame.begun) this.#fail(late(firstMs, 'nothing came')); }, firstMs),
      setTimeout(() => this.#fail(late(ms, frame.begun ? `${frame.progress} came` : 'nothing came')), ms),
    ];
    this.#forget = onAbort(signal, () => this.#fail(givenUp()));
    stream.on('readable', this.#read).on('end', this.#ended).on('close', this.#ended).on('error', this.#lost);
    if (stream.readableEnded || stream.destroyed) this.#ended();
    else this.#read();
  }

  readonly #read = (): void => {
    try {
      while (this.#admission !== 'asked' && this.#whole === undefined) {
        const piece = this.#stream.read() as Buffer | null;
        if (piece === null) return;
        this.#whole = this.#frame.add(piece);
        if (this.#frame.isLong && this.#admitLong && this.#admission === 'not asked') this.#wait(this.#admitLong());
        else if (this.#whole) this.#succeed();
      }
    } catch (error) {
      this.#fail(error as ZabbixError);
    }
  };

  #wait(admission: Promise<void>): void {
    this.#admission = 'asked';
    admission.then(() => {
      this.#admission = 'given';
      if (this.#whole) this.#succeed();
      else this.#read();
    }, (error: unknown) => this.#fail(error as ZabbixError));
  }

  readonly #ended = (): void => {
    if (this.#whole !== undefined) return;
    if (this.#frame.begun) this.#fail(new ZabbixError('CUT', `the connection ended in the middle of a message, after ${this.#frame.progress}`));
    else this.#succeed();
  };

  readonly #lost = (error: Error): void => this.#fail(new ZabbixError('CUT', `the connection was lost (${(error as NodeJS.ErrnoException).code ?? error.message})`, { cause: error }));

  #succeed(): void {
    this.#leave();
    this.#resolve(this.#whole);
  }

  #fail(error: ZabbixError): void {
    this.#leave();
    this.#reject(error);
  }

  #leave(): void {
    this.#timers.forEach(clearTimeout);
    this.#forget();
    this.#stream.off('readable', this.#read).off('end', this.#ended).off('close', this.#ended).off('error', this.#lost);
  }
}
