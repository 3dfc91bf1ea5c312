import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import * as v from 'valibot';
import { BUS_HEARTBEAT, BUS_HEARTBEAT_PATIENCE, BUS_STORE_PAUSE, BUS_WATCH_TIMEOUT, BUS_WATCHER_KEPT } from '../kit/fleet-limits.js';
import type { Log } from '../kit/log.js';
import { onAbort } from '../kit/within.js';
import { oneAnswer } from './bus-request.js';
import { bucketStream, checkAcknowledgement, KEY_OPERATION, keysSubject, NANOSECONDS, readAcknowledgement } from './bus-store.js';
import type { BusWire, WireMessage } from './bus-wire.js';
import type { KeyEntry } from './contract.js';

/** Status of what the store says to who watches, beside the entries: a heartbeat, or a question whether it keeps up. */
const CONTROL = '100';
const LAST_TO_WATCHER = 'Nats-Last-Consumer';
const STALLED = 'Nats-Consumer-Stalled';
const NOTHING = new Uint8Array();

const created = v.object({ num_pending: v.number() });

export interface Watching {
  readonly bucket: string;
  readonly filter: string;
  readonly told: (entry: KeyEntry) => void | Promise<void>;
  readonly settled: (() => void) | undefined;
}

/**
 * Watches a bucket, by an ordered consumer (ADR-17 of nats-architecture-and-design). Where anything is missed, it begins
 * anew with all that is there. Written out, since the client's own notices after a minute only that the server is dead at
 * which its consumer was, and takes more than it has handed over.
 */
export class BucketWatch {
  readonly #wire: BusWire;
  readonly #log: Log;
  readonly #watching: Watching;
  readonly #signal: AbortSignal;
  #isSettled = false;
  #trouble: string | undefined;

  constructor(wire: BusWire, log: Log, watching: Watching, signal: AbortSignal) {
    this.#wire = wire;
    this.#log = log;
    this.#watching = watching;
    this.#signal = signal;
    void this.#run();
  }

  async #run(): Promise<void> {
    while (!this.#signal.aborted) {
      let why: string;
      try {
        why = await this.#once();
      } catch (error) {
        why = (error as Error).message;
      }
      if (this.#signal.aborted) return;
      // Without a connection all watches would say the same, and the connection says it.
      if (why !== this.#trouble && this.#wire.trouble === undefined) this.#log('warn', 'a bucket of the bus is watched anew', { bucket: this.#watching.bucket, reason: why });
      this.#trouble = why;
      await this.#connected(pause(BUS_STORE_PAUSE, undefined, { signal: this.#signal }).catch(() => undefined));
    }
  }

  /** After a pause, waits until there is a connection. */
  async #connected(after: Promise<void>): Promise<void> {
    await after;
    if (this.#wire.trouble === undefined) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        forget();
        leave();
        resolve();
      };
      const forget = this.#wire.onChange(() => { if (this.#wire.trouble === undefined) done(); });
      let leave = (): void => undefined;
      leave = onAbort(this.#signal, done);
    });
  }

  /** From the making of a consumer until it has an end. @returns why @throws as the making does */
  async #once(): Promise<string> {
    const round = new Round(this.#wire, this.#watching, () => { this.#settle(); });
    const leave = onAbort(this.#signal, () => { round.end('it is not watched any more'); });
    try {
      return await round.run();
    } finally {
      leave();
    }
  }

  #settle(): void {
    this.#trouble = undefined;
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#watching.settled?.();
  }
}

/** One consumer, from its first message to the last. */
class Round {
  readonly #wire: BusWire;
  readonly #watching: Watching;
  readonly #settle: () => void;
  readonly #queue: WireMessage[] = [];
  readonly #over: Promise<string>;
  #end!: (why: string) => void;
  #isOver = false;
  /** handing over what has come; undefined: there is nothing */
  #working: Promise<void> | undefined;
  /** the consumer's own number of the last message that came */
  #last = 0;
  /** undefined until it is known how many are there at the beginning */
  #pending: number | undefined;
  #patience: NodeJS.Timeout | undefined;

  constructor(wire: BusWire, watching: Watching, settle: () => void) {
    this.#wire = wire;
    this.#watching = watching;
    this.#settle = settle;
    this.#over = new Promise((resolve) => { this.#end = resolve; });
  }

  end(why: string): void {
    this.#isOver = true;
    this.#queue.length = 0;
    this.#end(why);
  }

  async run(): Promise<string> {
    // Two tokens, so that it is not among the answers, too.
    const subject = `${this.#wire.inbox}.watch.${randomUUID()}`;
    const forget = this.#wire.onChange(() => { this.end('the connection was lost'); });
    const unsubscribe = this.#wire.subscribeFresh(subject, (message) => { this.#take(message); });
    try {
      this.#wait();
      this.#pending = await this.#create(subject);
      if (this.#pending === 0) this.#settle();
      return await this.#over;
    } finally {
      this.end('');
      clearTimeout(this.#patience);
      forget();
      unsubscribe();
      // What is being taken is taken before the next round begins: nobody gets two at a time, or an older one last.
      await this.#working;
    }
  }

  async #create(subject: string): Promise<number> {
    const { bucket, filter } = this.#watching;
    const stream = bucketStream(bucket);
    const name = randomUUID();
    const filterSubject = keysSubject(bucket, filter);
    const config = {
      name, deliver_subject: subject, filter_subject: filterSubject, deliver_policy: 'last_per_subject', ack_policy: 'none', max_deliver: 1,
      flow_control: true, idle_heartbeat: BUS_HEARTBEAT * NANOSECONDS, inactive_threshold: BUS_WATCHER_KEPT * NANOSECONDS, num_replicas: 1, mem_storage: true,
    };
    const request = Buffer.from(JSON.stringify({ stream_name: stream, config }));
    const { data } = await oneAnswer(this.#wire, `$JS.API.CONSUMER.CREATE.${stream}.${name}.${filterSubject}`, request, {}, BUS_WATCH_TIMEOUT);
    checkAcknowledgement(readAcknowledgement(data), stream);
    return v.parse(created, JSON.parse(Buffer.from(data).toString())).num_pending;
  }

  /** Until the next message: who has nothing to say says that. */
  #wait(): void {
    clearTimeout(this.#patience);
    if (!this.#isOver) this.#patience = setTimeout(() => { this.end(`the bus's store says nothing for ${BUS_HEARTBEAT_PATIENCE} ms`); }, BUS_HEARTBEAT_PATIENCE);
  }

  #take(message: WireMessage): void {
    if (this.#isOver) return;
    this.#wait();
    const position = positionOf(message);
    // what is stored may have a status as well: an answer of the store that somebody had sent to a key
    if (message.status === undefined || position !== undefined) {
      const number = position?.number;
      if (number !== this.#last + 1) {
        this.end('something was missed');
        return;
      }
      this.#last = number;
    } else if (!message.status.startsWith(CONTROL)) {
      this.end(message.status);
      return;
    } else if (Number(message.header(LAST_TO_WATCHER) ?? this.#last) > this.#last) {
      this.end('something was missed');
      return;
    }
    this.#queue.push(message);
    this.#working ??= this.#work();
  }

  async #work(): Promise<void> {
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) await this.#handle(next);
    } catch (error) {
      this.end(`what came could not be taken: ${(error as Error).message}`);
    } finally {
      this.#working = undefined;
    }
  }

  async #handle(message: WireMessage): Promise<void> {
    const position = positionOf(message);
    if (position === undefined) {
      // Whether we keep up is answered here, when all before it is done: so the store sends no more than fits.
      message.respond(NOTHING);
      const stalled = message.header(STALLED);
      if (stalled !== undefined) this.#wire.publish(stalled, NOTHING);
      // It says so when there is nothing else to say.
      if (this.#pending !== undefined && message.reply === undefined && stalled === undefined) this.#settle();
      return;
    }
    const { sequence, pending } = position;
    const key = message.subject.slice(keysSubject(this.#watching.bucket, '').length);
    await this.#watching.told({ key, value: message.header(KEY_OPERATION) === undefined ? message.data : undefined, revision: sequence });
    if (pending === 0 && !this.#isOver) this.#settle();
  }
}

/**
 * Where a message stands, by the subject of its acknowledgement: `$JS.ACK.STREAM.CONSUMER.DELIVERIES.SEQUENCE.NUMBER.TIME.PENDING`,
 * with two tokens more before the stream and perhaps one at the end where the server is newer (ADR-15).
 */
function positionOf({ reply = '' }: WireMessage): { readonly sequence: number; readonly number: number; readonly pending: number } | undefined {
  const tokens = reply.split('.');
  if (tokens[0] !== '$JS' || tokens[1] !== 'ACK' || tokens.length < 9) return undefined;
  const [sequence, number, , pending] = tokens.slice(tokens.length === 9 ? 5 : 7).map(Number);
  return { sequence: sequence!, number: number!, pending: pending! };
}
