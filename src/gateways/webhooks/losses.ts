import type { EventFeed } from '../../instances/feed.js';
import { WEBHOOK_LOG_EVERY } from '../../kit/webhook-limits.js';
import type { Log } from '../../kit/log.js';
import type { KeyValue } from '../../store/state.js';
import { keepLost, type Kept, type LostFacts } from './envelope.js';

const KEY = 'losses';

type Reason = Exclude<LostFacts['reason'], 'not-kept'>;

interface Notes {
  /** of those that were ever pushed out of the disk's queue: how many are noted here */
  pushedOut: number;
  /** not told to the receiver yet, apart from what is in `message` */
  readonly untold: Record<Reason, number>;
  /** what it is being told: the same at each attempt */
  message: Kept | undefined;
}

/** The events that a receiver will not get: counted, told to the log, and told to the receiver as soon as it listens again. */
export class Losses {
  readonly #kv: KeyValue;
  readonly #feed: EventFeed;
  readonly #log: Log;
  #notes: Notes = { pushedOut: 0, untold: { 'too-old': 0, 'too-many': 0 }, message: undefined };
  #isLoaded = false;
  #unlogged = 0;
  #loggedAt = -Infinity;
  #isUnsaved = false;
  #saving: Promise<void> | undefined;

  constructor(kv: KeyValue, feed: EventFeed, log: Log) {
    this.#kv = kv;
    this.#feed = feed;
    this.#log = log;
  }

  /** Reads what an earlier life has noted; once. @throws StateError */
  async load(): Promise<void> {
    if (this.#isLoaded) return;
    const text = await this.#kv.get(KEY);
    if (text !== undefined) this.#notes = JSON.parse(text) as Notes;
    this.#isLoaded = true;
  }

  /** Nobody is to be told of them any more. */
  async forget(): Promise<void> {
    this.#notes.untold['too-old'] = this.#notes.untold['too-many'] = 0;
    await this.told();
  }

  /** Notes such as are given up. */
  giveUp(count: number): void {
    this.#note('too-old', count);
  }

  /** @param total how many were pushed out of the queue, ever @returns how many of them are news */
  pushedOut(total: number): number {
    const count = total - this.#notes.pushedOut;
    if (count <= 0) return 0;
    this.#notes.pushedOut = total;
    this.#note('too-many', count);
    return count;
  }

  /** What is to be told next; undefined where the receiver knows all. */
  async message(): Promise<Kept | undefined> {
    const { untold } = this.#notes;
    const reason = (Object.keys(untold) as Reason[]).find((one) => untold[one] > 0);
    if (this.#notes.message !== undefined || reason === undefined) return this.#notes.message;
    this.#notes.message = keepLost(this.#feed, untold[reason], reason);
    untold[reason] = 0;
    await this.#save();
    return this.#notes.message;
  }

  /** The receiver has the message. */
  async told(): Promise<void> {
    this.#notes.message = undefined;
    await this.#save();
  }

  #note(reason: Reason, count: number): void {
    this.#notes.untold[reason] += count;
    this.#unlogged += count;
    if (performance.now() - this.#loggedAt >= WEBHOOK_LOG_EVERY) {
      this.#log('warn', 'webhook: events were dropped', { dropped: this.#unlogged, reason });
      this.#unlogged = 0;
      this.#loggedAt = performance.now();
    }
    void this.#save();
  }

  /** What is noted meanwhile is saved with the next one. Where the disk cannot be written, the numbers are right until the server ends. */
  async #save(): Promise<void> {
    this.#isUnsaved = true;
    this.#saving ??= this.#saveAll();
    await this.#saving;
  }

  async #saveAll(): Promise<void> {
    try {
      while (this.#isUnsaved) {
        this.#isUnsaved = false;
        await this.#kv.set(KEY, JSON.stringify(this.#notes));
      }
    } catch {
      // said by the store itself
    } finally {
      this.#saving = undefined;
    }
  }
}
