import { oneAnswer } from '../../../src/fleet/bus-request.js';
import { BusError, type Bucket, type Bus, type BusMessage, type Conversation, type Headers, type StreamEntry } from '../../../src/fleet/contract.js';
import { fits, MemoryStore } from './memory-store.js';

/** Bytes: as NATS has it where nobody says otherwise. */
const MAX_PAYLOAD = 1024 * 1024;
const SUBJECT = /^[^\s.*>]+(\.[^\s.*>]+)*$/;
const FILTER = /^([^\s.*>]+|\*)(\.([^\s.*>]+|\*))*(\.>)?$|^>$/;

/** A message on its way. Of an answer, `subject` is that of the question. */
export interface Passing {
  readonly kind: 'message' | 'answer';
  /** the name of the bus that sent it */
  readonly from: string;
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: Headers;
}

/** What becomes of it. `lose`: the sender is told nothing. `hold`: it waits for {@link MemoryHub.release}. */
export type Fate = 'deliver' | 'twice' | 'lose' | 'hold';

interface Subscription {
  readonly bus: MemoryBus;
  readonly filter: string;
  readonly queue: string | undefined;
  readonly told: (message: BusMessage) => void;
}

interface Asked {
  readonly told: (message: BusMessage) => void;
  readonly failed: (error: BusError) => void;
}

/**
 * The bus in memory, for tests of those who use it. What the contract leaves open, it does as NATS does, and what is wrong
 * there throws here: a subject that is none, too many bytes, a key with other characters. Whatever is sent arrives later,
 * in order, and as a copy.
 */
export class MemoryHub {
  /** buckets and streams: those that `fleet init` makes, where a test does not take any away */
  readonly store = new MemoryStore();
  /** all that was sent, in order */
  readonly passed: Passing[] = [];
  /** decides what becomes of each message and answer */
  fate: (passing: Passing) => Fate = () => 'deliver';
  readonly #subscriptions: Subscription[] = [];
  readonly #held: (() => void)[] = [];
  #turn = 0;

  /** @param name of the site or front, for {@link Passing.from} */
  connect(name: string): MemoryBus {
    return new MemoryBus(this, name);
  }

  /** How many wait since they were to be held. */
  get held(): number {
    return this.#held.length;
  }

  /** Delivers what is held. */
  release(): void {
    for (const send of this.#held.splice(0)) send();
  }

  add(subscription: Subscription): () => void {
    if (!FILTER.test(subscription.filter)) throw new Error(`no filter of subjects: '${subscription.filter}'`);
    this.#subscriptions.push(subscription);
    return () => {
      const at = this.#subscriptions.indexOf(subscription);
      if (at !== -1) this.#subscriptions.splice(at, 1);
    };
  }

  /** @param asked who is told the answers, or that there is nobody */
  deliver(from: string, subject: string, data: Uint8Array, headers: Headers, asked?: Asked): void {
    check(subject, data);
    this.pass({ kind: 'message', from, subject, data: data.slice(), headers: { ...headers } }, (passing) => { this.#hand(passing, asked); });
  }

  /** Later, as its fate is. Goes on for each copy. */
  pass(passing: Passing, goOn: (passing: Passing) => void): void {
    this.passed.push(passing);
    const fate = this.fate(passing);
    if (fate === 'lose') return;
    const send = (): void => { setImmediate(goOn, passing); };
    if (fate === 'hold') {
      this.#held.push(send);
      return;
    }
    send();
    if (fate === 'twice') send();
  }

  #hand(passing: Passing, asked: Asked | undefined): void {
    const there = this.#subscriptions.filter(({ bus, filter }) => bus.isThere && fits(filter, passing.subject));
    if (there.length === 0) asked?.failed(new BusError('no responders', `nobody listens at ${passing.subject}`));
    // One of each queue, in turn, and all who are in none.
    this.#turn += 1;
    for (const one of there) {
      const members = there.filter(({ filter, queue }) => queue !== undefined && filter === one.filter && queue === one.queue);
      if (one.queue === undefined || members[this.#turn % members.length] === one) one.bus.take(() => { one.told(this.#message(one.bus, passing, asked)); });
    }
  }

  #message(receiver: MemoryBus, { subject, data, headers }: Passing, asked: Asked | undefined): BusMessage {
    return {
      subject,
      data: data.slice(),
      header: (name) => headers[name],
      respond: (answer, answerHeaders = {}) => {
        check(subject, answer);
        if (asked === undefined || receiver.trouble !== undefined || receiver.hangs) return;
        this.pass({ kind: 'answer', from: receiver.name, subject, data: answer.slice(), headers: { ...answerHeaders } }, (passing) => {
          asked.told({ subject: `_INBOX_.${subject}`, data: passing.data.slice(), header: (name) => passing.headers[name], respond: () => undefined });
        });
      },
    };
  }
}

function check(subject: string, data: Uint8Array): void {
  if (!SUBJECT.test(subject)) throw new Error(`no subject: '${subject}'`);
  if (data.length > MAX_PAYLOAD) throw new Error(`${data.length} bytes are more than the bus takes`);
}

/** One client of the hub. */
export class MemoryBus implements Bus {
  trouble: string | undefined;
  /** it is connected, but nothing goes in or out: a link that is half open */
  hangs = false;
  readonly #listeners = new Set<() => void>();
  readonly #closing = new AbortController();

  constructor(readonly hub: MemoryHub, readonly name: string) {}

  /** Does the hub believe it to be there? */
  get isThere(): boolean {
    return this.trouble === undefined;
  }

  /** Takes the connection away, until {@link restore}. Its own side knows at once. */
  cut(why = 'the connection was cut'): void {
    this.trouble = why;
    this.#tell();
  }

  restore(): void {
    if (this.#closing.signal.aborted) throw new Error('it is closed');
    this.trouble = undefined;
    this.hangs = false;
    this.#tell();
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  /** Hands something over, where anything gets through. */
  take(hand: () => void): void {
    if (this.trouble === undefined && !this.hangs) hand();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => { this.#listeners.delete(listener); };
  }

  publish(subject: string, data: Uint8Array, headers: Headers = {}): void {
    check(subject, data);
    this.take(() => { this.hub.deliver(this.name, subject, data, headers); });
  }

  subscribe(subject: string, told: (message: BusMessage) => void, queue?: string): () => void {
    return this.hub.add({ bus: this, filter: subject, queue, told });
  }

  converse(subject: string, data: Uint8Array, headers: Headers, told: (message: BusMessage) => void, failed: (error: BusError) => void): Conversation {
    check(subject, data);
    let over = false;
    const fail = (error: BusError): void => {
      if (over) return;
      over = true;
      failed(error);
    };
    if (this.trouble !== undefined) {
      const reason = this.trouble;
      setImmediate(() => { fail(new BusError('down', reason)); });
    } else if (!this.hangs) {
      this.hub.deliver(this.name, subject, data, headers, {
        told: (message) => { this.take(() => { if (!over) told(message); }); },
        failed: (error) => { this.take(() => { fail(error); }); },
      });
    }
    return { end: () => { over = true; } };
  }

  request(subject: string, data: Uint8Array, headers: Headers, ms: number, signal?: AbortSignal): Promise<BusMessage> {
    return oneAnswer(this, subject, data, headers, ms, signal);
  }

  bucket(name: string): Bucket {
    return {
      get: async (key) => this.#stored(() => this.hub.store.get(name, key)),
      put: async (key, value) => this.#stored(() => this.hub.store.put(name, key, value)),
      update: async (key, value, revision) => this.#stored(() => this.hub.store.put(name, key, value, revision)),
      delete: async (key) => this.#stored(() => { this.hub.store.put(name, key, undefined); }),
      watch: (filter, told, signal, settled) => {
        if (!FILTER.test(filter)) throw new Error(`no filter of keys: '${filter}'`);
        this.hub.store.watch(name, filter, told, AbortSignal.any([signal, this.#closing.signal]), settled, this);
      },
    };
  }

  async addToStream(stream: string, subject: string, data: Uint8Array, headers: Headers, id: string, lastSeq?: number): Promise<number> {
    check(subject, data);
    // Who listens gets it by the same message, whatever the stream makes of it.
    this.publish(subject, data, headers);
    return this.#stored(() => this.hub.store.append(stream, subject, data, headers, id, lastSeq));
  }

  async lastOfSubject(stream: string, subject: string): Promise<StreamEntry | undefined> {
    return this.#stored(() => this.hub.store.last(stream, subject));
  }

  /** What the store does, later. The answer is lost where the connection has gone meanwhile. */
  async #stored<Result>(work: () => Result): Promise<Result> {
    if (this.trouble !== undefined) throw new BusError('down', this.trouble);
    await new Promise((done) => { setImmediate(done); });
    if (this.hangs) throw new BusError('store', 'it did not answer');
    const result = work();
    await new Promise((done) => { setImmediate(done); });
    if (this.trouble !== undefined || this.hangs || this.hub.store.losesAnswers) throw new BusError('store', 'its answer was lost');
    return result;
  }

  close(): Promise<void> {
    this.#closing.abort();
    this.trouble = 'it is closed';
    this.#listeners.clear();
    return Promise.resolve();
  }
}
