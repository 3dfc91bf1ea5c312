import type { Log } from '../kit/log.js';
import { underAll } from '../kit/within.js';
import type { LinkOptions } from './bus-link.js';
import { oneAnswer } from './bus-request.js';
import { BusStore } from './bus-store.js';
import { BucketWatch } from './bus-watch.js';
import { BusWire } from './bus-wire.js';
import { BusError, type Bucket, type Bus, type BusMessage, type Conversation, type Headers, type StreamEntry } from './contract.js';
import { layoutFault, layoutOf } from './store-layout.js';

/** The bus over NATS, 2.9.10 or later. What it needs of the store is made by `argo-server fleet init`. */
export class NatsBus implements Bus {
  readonly #wire: BusWire;
  readonly #store: BusStore;
  readonly #log: Log;
  readonly #closing = new AbortController();

  /** Begins to connect, and returns at once. */
  constructor(options: LinkOptions, log: Log) {
    this.#log = log;
    this.#wire = new BusWire(options, log);
    this.#store = new BusStore(
      (subject, data, headers, ms) => oneAnswer(this.#wire, subject, data, headers, ms, this.#closing.signal),
      options.isApart,
      (config) => layoutFault(layoutOf(config)),
    );
  }

  get trouble(): string | undefined {
    return this.#wire.trouble;
  }

  onChange(listener: () => void): () => void {
    return this.#wire.onChange(listener);
  }

  publish(subject: string, data: Uint8Array, headers?: Headers): void {
    this.#wire.publish(subject, data, headers);
  }

  subscribe(subject: string, told: (message: BusMessage) => void, queue?: string): () => void {
    return this.#wire.subscribe(subject, told, queue);
  }

  converse(subject: string, data: Uint8Array, headers: Headers, told: (message: BusMessage) => void, failed: (error: BusError) => void): Conversation {
    return this.#wire.converse(subject, data, headers, told, failed);
  }

  request(subject: string, data: Uint8Array, headers: Headers, ms: number, signal?: AbortSignal): Promise<BusMessage> {
    const { signal: closing } = this.#closing;
    if (signal === undefined) return oneAnswer(this.#wire, subject, data, headers, ms, closing);
    return underAll([signal, closing], (either) => oneAnswer(this.#wire, subject, data, headers, ms, either));
  }

  bucket(name: string): Bucket {
    const store = this.#store;
    return {
      get: (key) => store.get(name, key),
      put: (key, value) => store.put(name, key, value),
      update: (key, value, revision) => store.update(name, key, value, revision),
      delete: (key) => store.delete(name, key),
      watch: (filter, told, signal, settled) => {
        new BucketWatch(this.#wire, this.#log, { bucket: name, filter, told, settled }, AbortSignal.any([signal, this.#closing.signal]));
      },
    };
  }

  addToStream(stream: string, subject: string, data: Uint8Array, headers: Headers, id: string, lastSeq?: number): Promise<number> {
    return this.#store.append(stream, subject, data, headers, id, lastSeq);
  }

  lastOfSubject(stream: string, subject: string): Promise<StreamEntry | undefined> {
    return this.#store.lastOfSubject(stream, subject);
  }

  async close(): Promise<void> {
    this.#closing.abort(new BusError('late', 'the connection to the bus was closed'));
    await this.#wire.close();
  }
}
