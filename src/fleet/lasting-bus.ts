import type { Bucket, Bus, BusError, BusMessage, Conversation, Headers, KeyEntry, StreamEntry } from './contract.js';

interface Subscribed {
  readonly subject: string;
  readonly told: (message: BusMessage) => void;
  readonly queue: string | undefined;
  end: () => void;
}

interface Watched {
  readonly bucket: string;
  readonly filter: string;
  readonly told: (entry: KeyEntry) => void | Promise<void>;
  readonly signal: AbortSignal;
  readonly settled: (() => void) | undefined;
  /** ends it on the connection that there is now */
  over: AbortController;
}

/**
 * The bus for whoever uses it, over a change of its servers or of our key: what is subscribed and watched goes on by the
 * new connection. Who waits for an answer by the former one gets none, and asks again by id, as after any break.
 */
export class LastingBus implements Bus {
  #bus: Bus;
  #endListening: () => void;
  readonly #listeners = new Set<() => void>();
  readonly #subscribed = new Set<Subscribed>();
  readonly #watched = new Set<Watched>();

  constructor(bus: Bus) {
    this.#bus = bus;
    this.#endListening = bus.onChange(this.#tell);
  }

  /** Goes on by another connection, and closes the former one. */
  async replace(bus: Bus): Promise<void> {
    const former = this.#bus;
    this.#endListening();
    this.#bus = bus;
    this.#endListening = bus.onChange(this.#tell);
    for (const one of this.#subscribed) {
      one.end();
      one.end = bus.subscribe(one.subject, one.told, one.queue);
    }
    for (const one of this.#watched) {
      one.over.abort();
      this.#watch(one);
    }
    this.#tell();
    await former.close();
  }

  get trouble(): string | undefined {
    return this.#bus.trouble;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  publish(subject: string, data: Uint8Array, headers?: Headers): void {
    this.#bus.publish(subject, data, headers);
  }

  subscribe(subject: string, told: (message: BusMessage) => void, queue?: string): () => void {
    const one: Subscribed = { subject, told, queue, end: this.#bus.subscribe(subject, told, queue) };
    this.#subscribed.add(one);
    return () => {
      this.#subscribed.delete(one);
      one.end();
    };
  }

  converse(subject: string, data: Uint8Array, headers: Headers, told: (message: BusMessage) => void, failed: (error: BusError) => void): Conversation {
    return this.#bus.converse(subject, data, headers, told, failed);
  }

  request(subject: string, data: Uint8Array, headers: Headers, ms: number, signal?: AbortSignal): Promise<BusMessage> {
    return this.#bus.request(subject, data, headers, ms, signal);
  }

  bucket(name: string): Bucket {
    return {
      get: (key) => this.#bus.bucket(name).get(key),
      put: (key, value) => this.#bus.bucket(name).put(key, value),
      update: (key, value, revision) => this.#bus.bucket(name).update(key, value, revision),
      delete: (key) => this.#bus.bucket(name).delete(key),
      watch: (filter, told, signal, settled) => {
        if (signal.aborted) return;
        const one: Watched = { bucket: name, filter, told, signal, settled, over: new AbortController() };
        this.#watched.add(one);
        signal.addEventListener('abort', () => {
          this.#watched.delete(one);
          one.over.abort();
        }, { once: true });
        this.#watch(one);
      },
    };
  }

  addToStream(stream: string, subject: string, data: Uint8Array, headers: Headers, id: string, lastSeq?: number): Promise<number> {
    return this.#bus.addToStream(stream, subject, data, headers, id, lastSeq);
  }

  lastOfSubject(stream: string, subject: string): Promise<StreamEntry | undefined> {
    return this.#bus.lastOfSubject(stream, subject);
  }

  close(): Promise<void> {
    this.#endListening();
    for (const { over } of this.#watched) over.abort();
    for (const { end } of this.#subscribed) end();
    return this.#bus.close();
  }

  #watch(one: Watched): void {
    const over = one.over = new AbortController();
    // what the former connection still hands over is older than what this one does
    const told = (entry: KeyEntry): void | Promise<void> => (over.signal.aborted ? undefined : one.told(entry));
    this.#bus.bucket(one.bucket).watch(one.filter, told, over.signal, one.settled);
  }

  readonly #tell = (): void => {
    for (const listener of [...this.#listeners]) listener();
  };
}
