import { BusError, type Headers, type KeyEntry, type StreamEntry } from '../../../src/fleet/contract.js';
import { AUDIT_STREAM, EVENTS_STREAM, INVENTORY_BUCKET, LEASES_BUCKET } from '../../../src/fleet/subjects.js';
import { FLEET_CHUNK_SIZE } from '../../../src/kit/fleet-limits.js';
import type { MemoryBus } from './memory-bus.js';

/** What NATS takes as a key. */
const KEY = /^[-/_=a-zA-Z0-9]+(\.[-/_=a-zA-Z0-9]+)*$/;

/** Does a filter with `*` and `>` name this subject or key? */
export function fits(filter: string, subject: string): boolean {
  const [wanted, tokens] = [filter.split('.'), subject.split('.')];
  return wanted.every((one, at) => (one === '>' ? tokens.length > at : tokens[at] !== undefined && (one === '*' || one === tokens[at])))
    && (wanted.at(-1) === '>' || wanted.length === tokens.length);
}

interface Watcher {
  readonly filter: string;
  push(entry: KeyEntry): void;
}

class MemoryBucket {
  revision = 0;
  /** with those that were deleted, as they leave a mark */
  readonly entries = new Map<string, KeyEntry>();
  readonly watchers = new Set<Watcher>();

  constructor(readonly largest: number) {}
}

interface StreamMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: Headers;
  readonly id: string;
}

class MemoryStream {
  readonly messages: StreamMessage[] = [];
  /** of messages that came within the window in which the bus knows them again */
  readonly known = new Map<string, number>();

  constructor(readonly filter: string) {}
}

/** The streams and buckets of a {@link MemoryHub}. */
export class MemoryStore {
  /** it does what it is asked for, and the answer is lost */
  losesAnswers = false;
  readonly #buckets = new Map([
    [INVENTORY_BUCKET, new MemoryBucket(FLEET_CHUNK_SIZE)],
    [LEASES_BUCKET, new MemoryBucket(FLEET_CHUNK_SIZE)],
  ]);

  readonly #streams = new Map([
    [EVENTS_STREAM, new MemoryStream('argo.v1.event.>')],
    [AUDIT_STREAM, new MemoryStream('argo.v1.audit.>')],
  ]);

  readonly #waiting = new Set<() => void>();
  #trouble: string | undefined;

  /** Why it does not answer now: every question fails by that, and what is watched goes on afterwards. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  set trouble(why: string | undefined) {
    this.#trouble = why;
    for (const goOn of this.#waiting) goOn();
  }

  /** Takes a bucket or a stream away, as if `fleet init` had not made it. */
  remove(name: string): void {
    this.#buckets.delete(name);
    this.#streams.delete(name);
  }

  /** Makes a bucket anew, as if it had been deleted: it counts from the beginning. */
  empty(name: string): void {
    const bucket = this.#buckets.get(name)!;
    bucket.entries.clear();
    bucket.revision = 0;
  }

  /** What is in a stream, oldest first. */
  messages(stream: string): readonly StreamMessage[] {
    return this.#stream(stream).messages;
  }

  /** The time in which ids of events are known again is over. */
  forgetIds(): void {
    for (const stream of this.#streams.values()) stream.known.clear();
  }

  #bucket(name: string): MemoryBucket {
    if (this.#trouble !== undefined) throw new BusError('store', this.#trouble);
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) throw new BusError('absent', `there is no bucket ${name}`);
    return bucket;
  }

  #stream(name: string): MemoryStream {
    if (this.#trouble !== undefined) throw new BusError('store', this.#trouble);
    const stream = this.#streams.get(name);
    if (stream === undefined) throw new BusError('absent', `there is no stream ${name}`);
    return stream;
  }

  get(bucket: string, key: string): KeyEntry | undefined {
    checkKey(key);
    const entry = this.#bucket(bucket).entries.get(key);
    return entry?.value === undefined ? undefined : { ...entry, value: entry.value.slice() };
  }

  /** @param revision that the key must have: 0 where there is none; undefined: any */
  put(name: string, key: string, value: Uint8Array | undefined, revision?: number): number {
    checkKey(key);
    const bucket = this.#bucket(name);
    if (value !== undefined && value.length > bucket.largest)
      throw new BusError('store', `${value.length} bytes are more than ${name} takes`);
    const there = bucket.entries.get(key);
    const seen = there?.value === undefined ? 0 : there.revision;
    if (revision !== undefined && revision !== seen)
      throw new BusError('conflict', `${key} is at revision ${seen}, not ${revision}`);
    bucket.revision += 1;
    const entry: KeyEntry = { key, value: value?.slice(), revision: bucket.revision };
    // Those that were written last come last, as they do in a stream.
    bucket.entries.delete(key);
    bucket.entries.set(key, entry);
    for (const watcher of bucket.watchers) if (fits(watcher.filter, key)) watcher.push(entry);
    return bucket.revision;
  }

  /** @param bus of the one who watches: while it is cut off or hangs, nothing comes; then all that is there comes again */
  watch(
    name: string,
    filter: string,
    told: (entry: KeyEntry) => void | Promise<void>,
    signal: AbortSignal,
    settled: (() => void) | undefined,
    bus: MemoryBus,
  ): void {
    const queue: KeyEntry[] = [];
    let busy = false;
    let missed = true;
    let toSettle = settled;
    const there = (): boolean => bus.trouble === undefined && !bus.hangs && this.trouble === undefined;
    const run = async (): Promise<void> => {
      if (busy) return;
      busy = true;
      try {
        await new Promise((done) => {
          setImmediate(done);
        });
        while (!signal.aborted && there() && (missed || queue.length > 0)) {
          if (missed)
            queue.splice(0, Infinity, ...[...this.#bucket(name).entries.values()].filter(({ key }) => fits(filter, key)));
          missed = false;
          for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
            await told({ ...next, value: next.value?.slice() });
            if (signal.aborted || !there()) break;
          }
          if (signal.aborted || !there()) break;
          toSettle?.();
          toSettle = undefined;
        }
      } finally {
        busy = false;
      }
    };
    const watcher: Watcher = {
      filter,
      push: (entry) => {
        if (!there()) missed = true;
        else queue.push(entry);
        void run();
      },
    };
    const bucket = this.#buckets.get(name);
    // One that is not there is waited for, as for a store that does not answer.
    if (bucket === undefined) return;
    const again = (): void => {
      missed = true;
      void run();
    };
    bucket.watchers.add(watcher);
    this.#waiting.add(again);
    const forget = bus.onChange(again);
    signal.addEventListener(
      'abort',
      () => {
        bucket.watchers.delete(watcher);
        this.#waiting.delete(again);
        forget();
      },
      { once: true },
    );
    void run();
  }

  /** @param lastSeq that the subject's last message must have: 0 where there is none; undefined: any */
  append(name: string, subject: string, data: Uint8Array, headers: Headers, id: string, lastSeq?: number): number {
    const stream = this.#stream(name);
    if (!fits(stream.filter, subject)) throw new Error(`${subject} is not in the stream ${name}`);
    const known = stream.known.get(id);
    if (known !== undefined) return known;
    const seen = this.last(name, subject)?.seq ?? 0;
    if (lastSeq !== undefined && lastSeq !== seen)
      throw new BusError('conflict', `the last sequence of ${subject} is ${seen}, not ${lastSeq}`);
    stream.messages.push({ subject, data: data.slice(), headers: { ...headers }, id });
    stream.known.set(id, stream.messages.length);
    return stream.messages.length;
  }

  last(name: string, subject: string): StreamEntry | undefined {
    const { messages } = this.#stream(name);
    const at = messages.findLastIndex((message) => message.subject === subject);
    if (at === -1) return undefined;
    const { data, headers } = messages[at]!;
    return { seq: at + 1, data: data.slice(), header: (header) => headers[header] };
  }
}

function checkKey(key: string): void {
  if (!KEY.test(key)) throw new Error(`no key: '${key}'`);
}
