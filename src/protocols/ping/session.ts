import { randomBytes, randomInt } from 'node:crypto';
import { addressBytes, formatAddress, standsAt, type Family } from './address.js';
import { echoRequest, readAnswer, type Answer, type Identity } from './echo.js';
import { Fifo } from './fifo.js';
import {
  BACKGROUND_IN_FLIGHT, BACKOFF, BUSY_PAUSE, CATCH_UP, MOST_IN_FLIGHT, MOST_WAITING, SEND_AT_ONCE,
} from './limits.js';
import { onAbort } from './on-abort.js';
import { CannotTell } from './outcome.js';
import { SendFailure, type OnPacket, type PacketSocket } from './socket.js';

/** How one host is asked. */
export interface EchoOptions {
  readonly signal: AbortSignal;
  /** requests after the first one */
  readonly retries: number;
  /** milliseconds for all of them, from the first that is sent */
  readonly timeout: number;
  /** one of many: questions of people go first */
  readonly background: boolean;
}

export type EchoOutcome = { readonly alive: true; readonly ms: number } | { readonly alive: false; readonly reason: string; readonly isTold?: boolean };

export type OpenSocket = (onPacket: OnPacket, onLost: (error: Error) => void) => Promise<PacketSocket>;

/** One host that is being asked. */
interface Probe {
  readonly address: string;
  readonly bytes: Uint8Array;
  readonly background: boolean;
  /** milliseconds to wait after each request */
  readonly waits: readonly number[];
  readonly resolve: (outcome: EchoOutcome) => void;
  readonly reject: (reason: unknown) => void;
  unwatch: () => void;
  /** undefined until the first request */
  sequence: number | undefined;
  serial: number;
  /** when each request was sent; undefined where our system did not send it */
  readonly sent: (number | undefined)[];
  /** since when the kernel has been too busy to send */
  busySince: number | undefined;
  failure: string | undefined;
  timer: NodeJS.Timeout | undefined;
  settled: boolean;
}

/**
 * Asks any number of hosts of one address family by one socket: paced, with a limit on how many are
 * waited for, and each request sent again where nothing comes back.
 */
export class EchoSession {
  readonly #identity: Identity = { id: randomInt(0x1_0000), nonce: randomBytes(8) };
  readonly #pending = new Map<number, Probe>();
  /** In the order in which they are served: hosts to be asked again, questions of people, sweeps. */
  readonly #again = new Fifo<Probe>();
  readonly #urgent = new Fifo<Probe>();
  readonly #background = new Fifo<Probe>();
  #socket: PacketSocket | undefined;
  #opening = false;
  #reading = false;
  #timer: { cancel: () => void } | undefined;
  /** when the next packet may leave */
  #next = 0;
  #drained = 0;
  #sequence = randomInt(0x1_0000);
  #serial = 0;
  #lastWaits: { readonly timeout: number; readonly waits: readonly number[] } = { timeout: 0, waits: [] };
  #closed = false;
  readonly #family: Family;
  readonly #open: OpenSocket;
  readonly #interval: number;

  /** @param interval milliseconds between two packets on the average */
  constructor(family: Family, open: OpenSocket, interval: number) {
    this.#family = family;
    this.#open = open;
    this.#interval = interval;
  }

  /**
   * @param address of this session's family
   * @returns silence only after every request was really sent
   * @throws CannotTell, or the signal's reason
   */
  ask(address: string, options: EchoOptions): Promise<EchoOutcome> {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw new CannotTell('not sent', 'the pinger is closed');
      if (this.#urgent.length + this.#background.length >= MOST_WAITING) throw new CannotTell('not sent', 'too many hosts wait to be asked');
      const probe: Probe = {
        address, bytes: addressBytes(address), background: options.background, waits: this.#waitsFor(options),
        resolve, reject, unwatch: () => undefined, sequence: undefined, serial: 0, sent: [],
        busySince: undefined, failure: undefined, timer: undefined, settled: false,
      };
      probe.unwatch = onAbort(options.signal, (reason) => this.#fail(probe, reason));
      if (probe.settled) return;
      (options.background ? this.#background : this.#urgent).push(probe);
      this.#schedule();
    });
  }

  /** Rejects what is under way. */
  close(): void {
    this.#closed = true;
    this.#abandon(new CannotTell('not sent', 'the pinger is closed'));
    this.#socket?.close();
    this.#socket = undefined;
  }

  /** Most hosts are asked in one way, so the waits of the last one are at hand. */
  #waitsFor({ timeout, retries }: EchoOptions): readonly number[] {
    if (this.#lastWaits.timeout !== timeout || this.#lastWaits.waits.length !== retries + 1) {
      this.#lastWaits = { timeout, waits: spread(timeout, retries) };
    }
    return this.#lastWaits.waits;
  }

  #schedule(): void {
    if (this.#timer || this.#opening || this.#closed) return;
    if (!this.#socket) return void this.#openSocket();
    const now = performance.now();
    this.#next = Math.max(this.#next, now - CATCH_UP);
    const wait = this.#next - now;
    if (wait <= 0) {
      const immediate = setImmediate(this.#pump);
      this.#timer = { cancel: () => clearImmediate(immediate) };
    } else {
      const timeout = setTimeout(this.#pump, wait);
      this.#timer = { cancel: () => clearTimeout(timeout) };
    }
  }

  async #openSocket(): Promise<void> {
    this.#opening = true;
    try {
      const socket = await this.#open(this.#onPacket, () => {
        this.#socket = undefined;
        this.#reading = false;
      });
      if (this.#closed) return socket.close();
      this.#socket = socket;
      this.#next = performance.now();
    } catch (error) {
      return this.#abandon(error);
    } finally {
      this.#opening = false;
    }
    this.#schedule();
  }

  /** Sends what may be sent now. */
  readonly #pump = (): void => {
    this.#timer = undefined;
    const socket = this.#socket;
    if (!socket) return this.#schedule();
    for (let count = 0; count < SEND_AT_ONCE && this.#next <= performance.now(); count += 1) {
      const probe = this.#take();
      if (!probe) return;
      this.#read(socket);
      if (this.#transmit(probe, socket)) this.#next += this.#interval;
    }
    if (this.#hasWork()) this.#schedule();
  };

  #read(socket: PacketSocket): void {
    if (this.#reading) return;
    this.#reading = true;
    // What came while nobody read lies before the answer, and may have filled the kernel's buffer.
    socket.drain();
    socket.resume();
  }

  #hasWork(): boolean {
    const again = this.#again;
    const urgent = this.#urgent;
    const background = this.#background;
    const { size } = this.#pending;
    return again.length > 0 || (urgent.length > 0 && size < MOST_IN_FLIGHT) || (background.length > 0 && size < BACKGROUND_IN_FLIGHT);
  }

  #take(): Probe | undefined {
    for (;;) {
      const { size } = this.#pending;
      const probe = this.#again.shift()
        ?? (size < MOST_IN_FLIGHT ? this.#urgent.shift() : undefined)
        ?? (size < BACKGROUND_IN_FLIGHT ? this.#background.shift() : undefined);
      if (!probe?.settled) return probe;
    }
  }

  /** @returns false where the kernel is too busy */
  #transmit(probe: Probe, socket: PacketSocket): boolean {
    const sequence = probe.sequence ?? this.#enter(probe);
    const now = performance.now();
    try {
      socket.send(echoRequest(this.#family, this.#identity, { sequence, serial: probe.serial, attempt: probe.sent.length }), probe.address);
      probe.sent.push(now);
    } catch (error) {
      if (!(error instanceof SendFailure)) throw error;
      probe.failure = error.message;
      probe.busySince ??= now;
      if (error.passing && now - probe.busySince < (probe.waits[0] ?? 0)) {
        this.#again.push(probe);
        this.#next = now + BUSY_PAUSE;
        return false;
      }
      probe.sent.push(undefined);
    }
    probe.busySince = undefined;
    probe.timer = setTimeout(() => this.#waitOver(probe), probe.waits[probe.sent.length - 1]);
    return true;
  }

  /** Gives a host its sequence number, one that has been free for as long as possible. */
  #enter(probe: Probe): number {
    do this.#sequence = (this.#sequence + 1) & 0xffff; while (this.#pending.has(this.#sequence));
    this.#serial = (this.#serial + 1) >>> 0;
    probe.sequence = this.#sequence;
    probe.serial = this.#serial;
    this.#pending.set(this.#sequence, probe);
    return this.#sequence;
  }

  /** No answer to the last request in its time: again, or that is the outcome. */
  #waitOver(probe: Probe): void {
    // When this process was held up, the answer may have come in time and not have been read.
    const now = performance.now();
    if (now - this.#drained >= 1) {
      this.#drained = now;
      this.#socket?.drain();
    }
    if (probe.settled) return;
    if (probe.sent.length < probe.waits.length) {
      this.#again.push(probe);
      this.#schedule();
    } else if (probe.sent.includes(undefined)) {
      this.#fail(probe, new CannotTell('not sent', `nothing could be sent to ${probe.address}: ${probe.failure ?? 'the system refused'}`));
    } else {
      this.#settle(probe);
      probe.resolve({ alive: false, reason: `no answer to ${probe.sent.length} requests` });
    }
  }

  readonly #onPacket: OnPacket = (packet, source) => {
    const answer = readAnswer(this.#family, this.#identity, packet, source);
    const probe = answer && this.#pending.get(answer.sequence);
    if (!probe) return;
    if (answer.kind === 'error') return this.#onError(probe, answer);
    const sent = probe.sent[answer.attempt];
    if (answer.serial !== probe.serial || sent === undefined || !standsAt(probe.bytes, 0, answer.source)) return;
    this.#settle(probe);
    probe.resolve({ alive: true, ms: performance.now() - sent });
  };

  #onError(probe: Probe, { about, source, word }: Answer & { kind: 'error' }): void {
    if (!standsAt(probe.bytes, 0, about)) return;
    const sent = probe.sent.findLast((time) => time !== undefined);
    if (sent === undefined) return;
    this.#settle(probe);
    // An error by the host itself, such as its firewall's, proves that it is up.
    if (standsAt(probe.bytes, 0, source)) probe.resolve({ alive: true, ms: performance.now() - sent });
    else if (word.by === 'neighbour') probe.resolve({ alive: false, isTold: true, reason: `${word.reason}, says ${formatAddress(source)}` });
    else probe.reject(new CannotTell(word.by === 'filter' ? 'prohibited' : 'not sent', `${word.reason}, says ${formatAddress(source)}`));
  }

  #fail(probe: Probe, reason: unknown): void {
    if (probe.settled) return;
    this.#settle(probe);
    probe.reject(reason);
  }

  #settle(probe: Probe): void {
    probe.settled = true;
    clearTimeout(probe.timer);
    probe.unwatch();
    if (probe.sequence !== undefined) this.#pending.delete(probe.sequence);
    if (this.#hasWork()) return this.#schedule();
    if (this.#pending.size > 0) return;
    this.#reading = false;
    this.#socket?.pause();
  }

  #abandon(reason: unknown): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const probe of [...this.#pending.values()]) this.#fail(probe, reason);
    for (const queue of [this.#again, this.#urgent, this.#background]) {
      for (let probe = queue.shift(); probe; probe = queue.shift()) this.#fail(probe, reason);
    }
  }
}

/** The waits after each request, which together make up the timeout. */
function spread(timeout: number, retries: number): number[] {
  const weights = Array.from({ length: retries + 1 }, (_, index) => BACKOFF ** index);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => (weight / sum) * timeout);
}
