import type { ArgoEvent } from '../../instances/events.js';
import type { EventFeed, FeedReader } from '../../instances/feed.js';
import type { Stock } from '../../instances/stock.js';
import { Bell } from '../../kit/bell.js';
import { ArgoError } from '../../kit/errors.js';
import { BUS_STORE_PAUSE, FLEET_CHUNKS_UNDER_WAY, FLEET_COMPARE_INTERVAL, FLEET_COMPARE_SHARE, FLEET_READ_BACK } from '../../kit/fleet-limits.js';
import type { Log } from '../../kit/log.js';
import { Slices } from '../../kit/slices.js';
import type { KeyValue } from '../../store/state.js';
import { packChunk } from '../chunks.js';
import { keysSubject } from '../bus-store.js';
import { BusError, type Bucket, type Signer } from '../contract.js';
import { FLEET_VERSION, joined, MessageFault } from '../messages.js';
import { seal } from '../sealed.js';
import { chunkKey, INVENTORY_BUCKET } from '../subjects.js';
import { ProviderValues, type Composed } from './provider-values.js';

export interface InventoryParts {
  readonly site: string;
  readonly incarnation: string;
  readonly stock: Stock;
  readonly feed: EventFeed;
  readonly bucket: Bucket;
  readonly signer: Signer;
  /** how many values of each provider may be in the bucket, over a restart */
  readonly kept: KeyValue;
  readonly log: Log;
  /** the providers whose machines are told of */
  told(): readonly string[];
  /** whether what was told of a provider before is to stay as it is, since it is not known yet who tells of its machines */
  isOpen(provider: string): boolean;
  /** position of the last event that has one: what it tells of is there for whoever looks now */
  seq(): number;
  /** as {@link EventLog.life} */
  life(): number;
}

/**
 * What a site has, in the bucket of inventories: machines of a provider by a hash of their ids, so many a value. What events tell
 * is written a moment later, everything is compared now and then, and only what differs is written. While the bus's store does not
 * take anything, nothing is kept for it here: what is there then is written when it does.
 */
export class Inventory {
  readonly #parts: InventoryParts;
  readonly #reader: FeedReader;
  /** rung when values may have to be written */
  readonly #due = new Bell();
  /** rung when there may be others to tell of, or all of a provider is to be looked at */
  readonly #news = new Bell();
  readonly #providers = new Map<string, ProviderValues>();
  readonly #noted = new Map<string, number>();
  #underWay = 0;
  /** values that were written in this life */
  #turns = 0;
  /** by which key they are signed */
  #signedBy: string;
  /** the greatest revision of the bucket that a write of ours has got */
  #revision = 0;
  /** by performance.now(): before, nothing is written */
  #resumes = 0;
  #failure: string | undefined;
  readonly #tooLarge = new Set<string>();
  /** milliseconds that the last comparison took */
  #cost = 0;
  #comparesAt = 0;
  #reading: Promise<void> | undefined;

  /** What happens from now on is not missed. */
  constructor(parts: InventoryParts) {
    this.#parts = parts;
    this.#reader = parts.feed.reader();
    this.#signedBy = parts.signer.publicKey;
  }

  /** Other providers are told of now, or of the same in another way. */
  refresh(): void {
    this.#news.ring();
  }

  /** Until the signal is aborted. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#load();
    await Promise.all([this.#follow(signal), this.#keep(signal), this.#write(signal)]);
  }

  /** Which values an earlier life has left there. */
  async #load(): Promise<void> {
    try {
      for (let after = ''; ;) {
        const page = await this.#parts.kept.list('', after);
        if (page.length === 0) return;
        for (const { key, value } of page) this.#noted.set(key, Number(value) || 0);
        after = page.at(-1)!.key;
      }
    } catch (error) {
      this.#parts.log('warn', 'what was told to the fleet before cannot be read: of providers that are gone, something may stay there', { reason: (error as Error).message });
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const events = await this.#reader.next(signal);
        if (events.length === 0) return;
        events.forEach((event) => this.#mark(event));
      } catch (error) {
        if (!(error instanceof ArgoError) || error.phrase !== 'CURSOR EXPIRED') throw error;
        // so much has changed that single events are not told
        for (const values of this.#providers.values()) values.isDoubtful = true;
        this.#news.ring();
      }
    }
  }

  #mark({ facts, subject }: ArgoEvent): void {
    // one that has listed for the first time may have nothing to tell of
    if (facts.type === 'provider') this.#news.ring();
    if ((facts.type !== 'state' && facts.type !== 'added' && facts.type !== 'removed') || subject?.id === undefined) return;
    const values = this.#providers.get(subject.provider);
    if (values?.mark(subject.id, facts.type === 'added') !== true) return;
    this.#due.ring();
    if (values.isDoubtful) this.#news.ring();
  }

  /** Sees to it that the right providers are told of, and that all is compared where it has to be. */
  async #keep(signal: AbortSignal): Promise<void> {
    const slices = new Slices();
    while (!signal.aborted) {
      const { rings } = this.#news;
      this.#arrange();
      this.#signAnew();
      if (performance.now() >= this.#comparesAt) this.#compareAll(signal);
      for (const values of [...this.#providers.values()]) {
        if (!values.isDoubtful || values.isRetired || !values.isKnown || this.#parts.isOpen(values.name) || signal.aborted) continue;
        const began = performance.now();
        await values.divide(slices);
        this.#cost += performance.now() - began;
        await this.#note(values.name, values.kept);
        this.#due.ring();
      }
      await this.#news.wait(signal, rings, Math.max(0, this.#comparesAt - performance.now()));
    }
  }

  #arrange(): void {
    const told = new Set(this.#parts.told());
    for (const name of told) {
      const known = this.#providers.get(name);
      if (known) known.bringBack();
      else this.#providers.set(name, new ProviderValues(name, this.#parts.stock, this.#noted.get(name) ?? 0));
    }
    for (const [name, kept] of this.#noted) if (!this.#providers.has(name)) this.#providers.set(name, new ProviderValues(name, this.#parts.stock, kept));
    for (const [name, values] of this.#providers) {
      if (told.has(name) || this.#parts.isOpen(name)) continue;
      values.retire();
      if (values.isOver) this.#providers.delete(name);
    }
    this.#due.ring();
  }

  /** By another key than before: what is there is believed by nobody any longer. */
  #signAnew(): void {
    const { publicKey } = this.#parts.signer;
    if (publicKey === this.#signedBy) return;
    this.#signedBy = publicKey;
    for (const values of this.#providers.values()) values.distrust();
    this.#due.ring();
  }

  /** What no event tells. The first value of each is written in any case: so a bucket that was made anew is found out. */
  #compareAll(signal: AbortSignal): void {
    // one that takes longer than that goes on, and nobody waits for it
    this.#reading ??= this.#readAll(signal).finally(() => { this.#reading = undefined; });
    this.#comparesAt = performance.now() + Math.max(FLEET_COMPARE_INTERVAL, this.#cost / FLEET_COMPARE_SHARE);
    this.#cost = 0;
    for (const values of this.#providers.values()) {
      values.isDoubtful = true;
      values.distrust(0);
    }
  }

  async #readAll(signal: AbortSignal): Promise<void> {
    for (const values of [...this.#providers.values()]) await this.#readBack(values, signal);
  }

  /** Where somebody else has written, or deleted, it is written anew. Never rejects: who cannot read now reads later. */
  async #readBack(values: ProviderValues, signal: AbortSignal): Promise<void> {
    const { bucket, site, log } = this.#parts;
    for (const [index, revision] of values.written(FLEET_READ_BACK)) {
      const key = chunkKey(site, values.name, index);
      const there = await bucket.get(key).catch(() => null);
      if (signal.aborted || there === null) return;
      if (there?.revision === revision || !values.isLast(index, revision)) continue;
      log('warn', 'what was told to the fleet is not there any more, it is told again', { key });
      values.distrust(index);
      this.#due.ring();
    }
  }

  async #write(signal: AbortSignal): Promise<void> {
    const slices = new Slices();
    while (!signal.aborted) {
      const { rings } = this.#due;
      const now = performance.now();
      const found = this.#underWay < FLEET_CHUNKS_UNDER_WAY && now >= this.#resumes ? this.#next(now) : undefined;
      if (found === undefined) {
        await this.#due.wait(signal, rings, this.#rest(now));
        continue;
      }
      this.#underWay += 1;
      void this.#bring(...found).finally(() => {
        this.#underWay -= 1;
        this.#due.ring();
      });
      if (slices.isOverNow()) await slices.pause();
    }
  }

  /** Milliseconds until something may be due by the clock. */
  #rest(now: number): number | undefined {
    if (now < this.#resumes) return this.#resumes - now;
    const due = Math.min(...[...this.#providers.values()].map(({ nextDue }) => nextDue));
    return due === Infinity ? undefined : Math.max(1, due - now);
  }

  #next(now: number): [ProviderValues, number] | undefined {
    for (const values of this.#providers.values()) {
      const index = values.take(now);
      if (index !== undefined) return [values, index];
    }
    return undefined;
  }

  /** Writes a value as it is to be now, or deletes it. Never rejects. */
  async #bring(values: ProviderValues, index: number): Promise<void> {
    const { bucket, site } = this.#parts;
    const key = chunkKey(site, values.name, index);
    try {
      const seq = this.#parts.seq();
      const composed = values.compose(index);
      if (values.isDoubtful) this.#news.ring();
      if (composed === 'same') return values.leave(index);
      if (composed === undefined) await bucket.delete(key);
      const { publicKey } = this.#parts.signer;
      const revision = composed && await this.#put(key, values.name, composed, seq);
      values.done(index, composed && { digest: composed.digest, revision: revision! });
      if (publicKey !== this.#parts.signer.publicKey) values.distrust(index);
      if (this.#failure !== undefined) this.#parts.log('info', 'inventory is told again');
      this.#failure = undefined;
      await this.#settle(values);
    } catch (thrown) {
      if (thrown instanceof MessageFault) this.#spread(values, index, thrown);
      else this.#failed(values, index, thrown);
    }
  }

  /** @returns the revision that it has got @throws BusError, MessageFault */
  async #put(key: string, provider: string, { text, machines }: Composed, seq: number): Promise<number> {
    const { bucket, site, incarnation, signer } = this.#parts;
    const turn = this.#turns += 1;
    const head = JSON.stringify({ v: FLEET_VERSION, site, provider, incarnation, seq, life: this.#parts.life(), turn });
    const packed = await packChunk(joined(head, text), machines);
    const bytes = seal(signer, keysSubject(INVENTORY_BUCKET, key), packed);
    const before = this.#revision;
    const revision = await bucket.put(key, bytes);
    // another bucket, or one that was put back: what was written is not there
    if (revision <= before) for (const values of this.#providers.values()) values.distrust();
    this.#revision = revision <= before ? revision : Math.max(this.#revision, revision);
    return revision;
  }

  #spread(values: ProviderValues, index: number, fault: MessageFault): void {
    const { name } = values;
    values.leave(index);
    if (values.spread()) return this.#news.ring();
    if (this.#tooLarge.has(name)) return;
    this.#tooLarge.add(name);
    this.#parts.log('error', 'some machines cannot be told to the fleet', { provider: name, reason: fault.message });
  }

  #failed(values: ProviderValues, index: number, thrown: unknown): void {
    values.again(index);
    this.#resumes = performance.now() + BUS_STORE_PAUSE;
    // a lost connection is told of by whoever makes it
    if (this.#failure !== undefined || (thrown instanceof BusError && thrown.reason === 'down')) return;
    const reason = this.#failure = (thrown as Error).message;
    this.#parts.log('warn', 'inventory cannot be told, it is tried again', { reason, ...(thrown instanceof BusError ? {} : { cause: thrown }) });
  }

  /** Notes how many values may be there still, where that has changed. */
  async #settle(values: ProviderValues): Promise<void> {
    const { name } = values;
    if (values.isOver && this.#providers.get(name) === values) {
      this.#providers.delete(name);
      this.#tooLarge.delete(name);
      await this.#note(name, 0);
    } else {
      await this.#note(name, values.kept);
    }
  }

  /** So that another life of this server can delete what is not told of any longer. */
  async #note(name: string, kept: number): Promise<void> {
    if ((this.#noted.get(name) ?? 0) === kept) return;
    if (kept === 0) this.#noted.delete(name);
    else this.#noted.set(name, kept);
    try {
      await (kept === 0 ? this.#parts.kept.delete(name) : this.#parts.kept.set(name, String(kept)));
    } catch (error) {
      this.#parts.log('warn', 'what is told to the fleet cannot be noted: should this provider go, something may stay there', { provider: name, reason: (error as Error).message });
    }
  }
}
