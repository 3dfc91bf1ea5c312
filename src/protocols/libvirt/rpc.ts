import type { Duplex } from 'node:stream';
import { onAbort } from '../../kit/within.js';
import { ConnectionLostError, CrowdedError, LibvirtError, ProtocolError, QueueFullError, UnsentError } from './errors.js';
import { encodePacket, MessageType, PacketReader, Program, Status, type Packet } from './packet.js';
import type { RpcStream } from './stream.js';
import { RpcStreams } from './streams.js';
import { XdrReader } from './xdr.js';

/**
 * Calls at a time on one connection. libvirtd takes max_client_requests, 5 unless configured
 * otherwise, and while that many run it reads nothing more from this client, not even a keepalive:
 * one place is left free so that it always reads.
 */
export const MAX_IN_FLIGHT = 4;

/** Of these, calls that may wait for a guest: one place is left for a quick question meanwhile. */
export const MAX_SLOW_IN_FLIGHT = 3;

/** Calls that may wait for their turn; the next one is refused. */
export const MAX_QUEUED = 10_000;

/** Milliseconds without an answer after which a connection without a free place is crowded. */
const CROWDED_MS = 50;

/** Milliseconds between looks at whether the other side is alive; libvirt's own default. */
const TICK_MS = 5_000;

/** Silent ticks after which the peer is dead: a call, a ping or a pong has been due for 15 s. */
const DEAD_AFTER_TICKS = 3;

/** How long a given-up call may hold a place that others wait for, milliseconds. */
const ABANDONED_MS = 2_000;

const Keepalive = { PING: 1, PONG: 2 } as const;

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** It may wait for a guest, an agent or a disk, and so must not keep quick questions waiting. */
  readonly slow?: boolean;
  /** what it is about: of the slow calls about one thing, one is under way at a time, and so of the quick ones, so that it cannot hold all places */
  readonly about?: string;
  /** rejects with a CrowdedError, unsent, rather than wait while the connection is crowded with other things */
  readonly impatient?: boolean;
  /** goes before those that wait */
  readonly urgent?: boolean;
  /** told its serial just before it is sent */
  readonly onSerial?: (serial: number) => void;
}

/** Numbers that tests shorten. Milliseconds. */
export interface Pace {
  readonly tickMs: number;
  readonly abandonedMs: number;
}

interface Call {
  readonly procedure: number;
  readonly body: Buffer;
  readonly slow: boolean;
  readonly about: string | undefined;
  readonly impatient: boolean;
  /** told its serial just before it is sent */
  readonly onSerial: ((serial: number) => void) | undefined;
  /** decodes the reply and hands it over; throws when the bytes make no sense */
  readonly accept: (reply: XdrReader) => void;
  readonly reject: (error: unknown) => void;
  /** lets go of the signal */
  release: () => void;
  /** when the caller gave up (performance.now), while libvirt still works on it */
  abandonedAt?: number;
}

/**
 * One connection: calls, replies, events and keepalive over any stream. It knows no procedure.
 *
 * A call that is given up keeps its place until its reply comes, since libvirt still works on it. If
 * given-up calls hold every place that others wait for, the connection is ended: a new one begins
 * with all places free.
 */
export class RpcConnection {
  readonly #stream: Duplex;
  readonly #onEvent: (procedure: number, body: XdrReader) => void;
  readonly #pace: Pace;
  readonly #packets = new PacketReader();
  readonly #underWay = new Map<number, Call>();
  readonly #streams: RpcStreams;
  readonly #queue: Call[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #closed: Promise<Error>;
  #announce: (reason: Error) => void = () => undefined;
  #end: Error | undefined;
  #serial = 0;
  #slowUnderWay = 0;
  #isCrowded = false;
  #crowding: NodeJS.Timeout | undefined;
  #silentTicks = 0;
  #pinging = false;

  /** @param onEvent is given each message that no call asked for; what it throws ends the connection */
  constructor(stream: Duplex, onEvent: (procedure: number, body: XdrReader) => void,
    pace: Pace = { tickMs: TICK_MS, abandonedMs: ABANDONED_MS }) {
    this.#stream = stream;
    this.#onEvent = onEvent;
    this.#pace = pace;
    this.#streams = new RpcStreams(stream, readError);
    this.#closed = new Promise((resolve) => { this.#announce = resolve; });
    this.#timer = setInterval(() => this.#tick(), pace.tickMs);
    stream.on('data', (chunk: Buffer) => this.#receive(chunk));
    stream.on('error', (error) => this.destroy(error));
    stream.on('end', () => this.destroy(new Error('closed by libvirt')));
    stream.on('close', () => this.destroy(new Error('closed by libvirt')));
  }

  /** Resolves with the reason once the connection is over. Never rejects. */
  get closed(): Promise<Error> {
    return this.#closed;
  }

  /** What calls are about that were given up, and on which libvirt still works: they hold places. */
  get abandoned(): string[] {
    return [...this.#underWay.values()].flatMap(({ about, abandonedAt }) => (about === undefined || abandonedAt === undefined ? [] : [about]));
  }

  /** Whether calls wait for a place, and none has come free for a while: what holds them may hang. */
  get isCrowded(): boolean {
    return this.#isCrowded;
  }

  /** Whether a quick call would be sent at once. */
  get hasPlace(): boolean {
    return this.#underWay.size < MAX_IN_FLIGHT;
  }

  /** Starts our own pings; only for a peer that has said that it answers them. */
  startPinging(): void {
    this.#pinging = true;
  }

  /**
   * Calls a procedure of the remote program.
   * @param read decodes the reply; bytes that it cannot make sense of end the connection
   * @throws LibvirtError when libvirt refuses, ConnectionLostError, QueueFullError, CrowdedError; at once when the
   *   signal is aborted, its reason where the call has been sent, else UnsentError
   */
  call<T>(procedure: number, body: Buffer, read: (reply: XdrReader) => T, options: CallOptions = {}): Promise<T> {
    const { signal, slow = false, about, urgent = false, impatient = false, onSerial } = options;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(unsent(signal.reason));
      if (this.#end) return reject(new ConnectionLostError(false, this.#end.message, { cause: this.#end }));
      if (this.#queue.length >= MAX_QUEUED) return reject(new QueueFullError(`${MAX_QUEUED} calls wait already`));
      const accept = (reply: XdrReader): void => resolve(read(reply));
      const call: Call = { procedure, body, slow, about, impatient, onSerial, accept, reject, release: () => undefined };
      if (signal) call.release = onAbort(signal, (reason) => this.#abandon(call, reason));
      if (urgent) this.#queue.unshift(call);
      else this.#queue.push(call);
      this.#send();
    });
  }

  /**
   * Calls a procedure that opens a stream.
   * @throws as {@link call}
   */
  async openStream(procedure: number, body: Buffer, options: CallOptions): Promise<RpcStream> {
    let opened: { readonly serial: number; readonly stream: RpcStream } | undefined;
    try {
      await this.call(procedure, body, () => undefined, {
        ...options,
        onSerial: (serial) => {
          opened = { serial, stream: this.#streams.begin(procedure, serial) };
        },
      });
      return opened!.stream;
    } catch (error) {
      // one that is given up may be opened after all: what is said of it then is about nothing
      if (opened) this.#streams.drop(opened.serial, error instanceof LibvirtError);
      throw error;
    }
  }

  /** Ends the connection; what is under way rejects with a ConnectionLostError. */
  destroy(reason: Error): void {
    if (this.#end) return;
    this.#end = reason;
    clearInterval(this.#timer);
    clearTimeout(this.#crowding);
    this.#stream.destroy();
    // First, so that whoever holds this connection has let go of it before a failed call is tried again.
    this.#announce(reason);
    const fail = (call: Call, sent: boolean): void => {
      call.release();
      call.reject(new ConnectionLostError(sent, reason.message, { cause: reason }));
    };
    for (const call of this.#underWay.values()) fail(call, true);
    for (const call of this.#queue.splice(0)) fail(call, false);
    this.#underWay.clear();
    this.#streams.end(reason);
  }

  #abandon(call: Call, reason: unknown): void {
    call.release();
    const waiting = this.#queue.indexOf(call);
    if (waiting >= 0) this.#queue.splice(waiting, 1);
    else call.abandonedAt = performance.now();
    call.reject(waiting >= 0 ? unsent(reason) : reason);
  }

  #send(): void {
    for (let at = 0; at < this.#queue.length && this.#underWay.size < MAX_IN_FLIGHT;) {
      const call = this.#queue[at]!;
      if ((call.slow && this.#slowUnderWay >= MAX_SLOW_IN_FLIGHT) || this.#isBusy(call)) {
        at += 1;
        continue;
      }
      this.#queue.splice(at, 1);
      this.#serial = (this.#serial + 1) >>> 0;
      this.#underWay.set(this.#serial, call);
      if (call.slow) this.#slowUnderWay += 1;
      call.onSerial?.(this.#serial);
      this.#write({ program: Program.REMOTE, procedure: call.procedure, type: MessageType.CALL, serial: this.#serial, body: call.body });
    }
    if (this.#queue.length > 0 && this.#underWay.size >= MAX_IN_FLIGHT) this.#crowding ??= setTimeout(() => this.#crowded(), CROWDED_MS);
  }

  /** Lets calls go that wait for others' places. Who waits for the answer about his own thing is no better off elsewhere. */
  #crowded(): void {
    this.#isCrowded = true;
    for (const call of this.#queue.filter((waiting) => waiting.impatient && !this.#isBusy(waiting))) {
      this.#queue.splice(this.#queue.indexOf(call), 1);
      call.release();
      call.reject(new CrowdedError(`no place on the connection came free in ${CROWDED_MS} ms`));
    }
  }

  /** Whether a call of its kind about the same thing is under way. */
  #isBusy({ about, slow }: Call): boolean {
    if (about === undefined) return false;
    for (const call of this.#underWay.values()) if (call.slow === slow && call.about === about) return true;
    return false;
  }

  #write(packet: Omit<Packet, 'status'>): void {
    this.#stream.write(encodePacket({ ...packet, status: Status.OK }));
  }

  #receive(chunk: Buffer): void {
    if (this.#end) return;
    this.#silentTicks = 0;
    try {
      for (const packet of this.#packets.push(chunk)) this.#dispatch(packet);
    } catch (error) {
      this.destroy(new ProtocolError(`not libvirt's protocol: ${(error as Error).message}`, { cause: error }));
    }
  }

  #dispatch(packet: Packet): void {
    if (packet.program === Program.KEEPALIVE) {
      if (packet.procedure === Keepalive.PING) this.#keepalive(Keepalive.PONG);
      return;
    }
    if (packet.program !== Program.REMOTE) throw new ProtocolError(`program 0x${packet.program.toString(16)}`);
    if (packet.type === MessageType.MESSAGE) return this.#onEvent(packet.procedure, new XdrReader(packet.body));
    if (packet.type === MessageType.STREAM) return this.#streams.take(packet);
    if (packet.type !== MessageType.REPLY) throw new ProtocolError(`a message of type ${packet.type}`);
    this.#reply(packet);
  }

  #reply(packet: Packet): void {
    const call = this.#underWay.get(packet.serial);
    if (!call) throw new ProtocolError(`a reply to call ${packet.serial}, which was not made`);
    if (call.procedure !== packet.procedure) throw new ProtocolError(`a reply from procedure ${packet.procedure} to ${call.procedure}`);
    if (packet.status !== Status.OK && packet.status !== Status.ERROR) throw new ProtocolError(`a reply of status ${packet.status}`);
    const body = new XdrReader(packet.body);
    if (packet.status === Status.ERROR) call.reject(readError(body));
    else if (call.abandonedAt === undefined) call.accept(body);
    this.#underWay.delete(packet.serial);
    if (call.slow) this.#slowUnderWay -= 1;
    call.release();
    clearTimeout(this.#crowding);
    this.#crowding = undefined;
    this.#isCrowded = false;
    this.#send();
  }

  #keepalive(procedure: number): void {
    this.#write({ program: Program.KEEPALIVE, procedure, type: MessageType.MESSAGE, serial: 0, body: Buffer.alloc(0) });
  }

  #tick(): void {
    if (this.#isBlocked()) {
      this.destroy(new Error('calls that were given up hold every place on the connection'));
      return;
    }
    // who does not read cannot hear an answer either
    if (!this.#pinging || this.#streams.isHeld) return;
    if (this.#silentTicks >= DEAD_AFTER_TICKS) {
      this.destroy(new Error(`libvirt has said nothing for ${(this.#silentTicks * this.#pace.tickMs) / 1000} s`));
      return;
    }
    this.#silentTicks += 1;
    this.#keepalive(Keepalive.PING);
  }

  /** Does somebody wait for places that are held by given-up calls alone? Who waits for his own guest does not. */
  #isBlocked(): boolean {
    const waiting = this.#queue.find((call) => !this.#isBusy(call));
    if (!waiting) return false;
    const longAgo = performance.now() - this.#pace.abandonedMs;
    const slowOnes = waiting.slow && this.#slowUnderWay >= MAX_SLOW_IN_FLIGHT;
    const holders = [...this.#underWay.values()].filter((call) => call.slow || !slowOnes);
    return holders.every((call) => call.abandonedAt !== undefined && call.abandonedAt <= longAgo);
  }
}

const unsent = (reason: unknown): UnsentError => new UnsentError('its time was over before it was sent', { cause: reason });

/** `struct remote_error`; what follows its message says nothing that a client needs. */
function readError(body: XdrReader): LibvirtError {
  const code = body.int();
  const domain = body.int();
  return new LibvirtError(code, domain, body.optionalString() ?? `error ${code}`);
}
