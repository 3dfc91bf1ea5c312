import { POWER_STATES, type PowerState } from '../../drivers/driver.js';
import { FLEET_COMPLAINTS, FLEET_NEWS, FLEET_PROVIDERS, FLEET_SITES } from '../../kit/fleet-limits.js';
import type { Log } from '../../kit/log.js';
import type { PacedLog } from '../../kit/paced-log.js';
import { Slices } from '../../kit/slices.js';
import { oneLine } from '../../kit/text.js';
import { keysSubject } from '../bus-store.js';
import { placeOfKey, unpackChunk, type ChunkPlace } from '../chunks.js';
import type { Bus, BusMessage, KeyEntry } from '../contract.js';
import { MessageFault, newsMessage, readMessage, type ChunkMessage } from '../messages.js';
import type { SiteKeys } from '../site-keys.js';
import { INVENTORY_BUCKET, NEWS_OF_ALL, tokenOf } from '../subjects.js';
import { ProviderInventory, type ProviderKinds } from './provider-inventory.js';

/** Of gzip's end (RFC 1952, 2.3.1): a checksum of what is packed, and its size. */
const GZIP_END = 8;
/** Characters of a reason that are told of a value. */
const REASON_SHOWN = 200;

export interface InventoryParts {
  readonly bus: Bus;
  readonly keys: Pick<SiteKeys, 'isSite' | 'doubt' | 'keyOf' | 'unsealed'>;
  readonly refused: Pick<PacedLog, 'add'>;
  readonly log: Log;
  /** Whether a site says that it has the machines of a provider; undefined where it has not been heard of. */
  isOffered(site: string, provider: string): boolean | undefined;
  /** what machines of a site's provider are made by */
  kindsOf(site: string, provider: string): ProviderKinds;
  /** Told when providers have come or gone, or are of another type. */
  providersChanged(): void;
}

/** What was taken in last of a key: it comes again after a break. */
interface Taken extends Pick<ChunkMessage, 'life' | 'turn'> {
  readonly revision: number;
  readonly end: string;
  /** by which its site was known then */
  readonly signedBy: string | undefined;
}

/** Whether a value was written before another one of the same key. */
const isOlder = (one: Pick<ChunkMessage, 'life' | 'turn'>, other: Pick<ChunkMessage, 'life' | 'turn'>): boolean =>
  one.life < other.life || (one.life === other.life && one.turn < other.turn);

/**
 * What all sites have: from the bucket's values, and between these from events. What is no good is told of once and passed
 * over. Everything comes in turns, so that a million machines hold nobody up.
 */
export class Inventory {
  readonly #parts: InventoryParts;
  /** by site, then by name */
  readonly #sites = new Map<string, Map<string, ProviderInventory>>();
  readonly #taken = new Map<string, Taken>();
  /** places of values that were taken in, and of which the bus says that they were deleted, by site, then by key: nobody has signed that */
  readonly #gone = new Map<string, Map<string, ChunkPlace>>();
  readonly #complained = new Set<string>();
  readonly #slices = new Slices();
  /** ends with the value that is taken in: the next one comes after it, whichever watch brings it */
  #taking: Promise<void> = Promise.resolve();
  #watching: AbortController | undefined;
  #unsubscribe: (() => void) | undefined;

  constructor(parts: InventoryParts) {
    this.#parts = parts;
  }

  /** Reads what is there, from the beginning: also what was passed over, where other sites count now. */
  watch(): void {
    const { bus } = this.#parts;
    this.#watching?.abort();
    this.#watching = new AbortController();
    const { signal } = this.#watching;
    this.#unsubscribe ??= bus.subscribe(NEWS_OF_ALL, (message) => this.#hear(message));
    for (const site of new Set([...this.#sites.keys(), ...this.#gone.keys()])) if (!this.#parts.keys.isSite(site)) this.#forgetSite(site);
    bus.bucket(INVENTORY_BUCKET).watch('>', (entry) => (this.#taking = this.#taking.then(() => this.#take(entry, signal))), signal);
  }

  close(): void {
    this.#watching?.abort();
    this.#unsubscribe?.();
  }

  /** Names of the providers of which there is something. */
  providersOf(site: string): readonly string[] {
    return [...this.#sites.get(site)?.keys() ?? []];
  }

  sites(): readonly string[] {
    return [...this.#sites.keys()];
  }

  /** What a provider has; undefined where nothing is known of it. */
  of(site: string, provider: string): ProviderInventory | undefined {
    return this.#sites.get(site)?.get(provider);
  }

  /** A site says something else of what it has: what was deleted may be so by its word now. */
  siteChanged(site: string): void {
    const isOffered = new Map<string, boolean>();
    for (const [key, place] of this.#gone.get(site) ?? []) {
      const { provider } = place;
      if (!isOffered.has(provider)) isOffered.set(provider, this.#parts.isOffered(site, provider) !== false);
      if (isOffered.get(provider) === false) this.#drop(key, place);
    }
  }

  async #take(entry: KeyEntry, signal: AbortSignal): Promise<void> {
    const { key, value } = entry;
    if (signal.aborted) return;
    let place: ChunkPlace | undefined;
    try {
      place = placeOfKey(key);
      if (!this.#parts.keys.isSite(place.site)) return;
      if (value === undefined) {
        this.#noteGone(key, place);
        if (this.#parts.isOffered(place.site, place.provider) === false) this.#drop(key, place);
        else this.#doubt(place, true);
      } else {
        await this.#takeValue(place, { ...entry, value }, signal);
        if (signal.aborted) return;
        this.#gone.get(place.site)?.delete(key);
        this.#doubt(place, false);
        this.#complained.delete(key);
      }
    } catch (thrown) {
      if (place !== undefined) this.#doubt(place, true);
      this.#complain(key, 'value of the inventory is passed over', { key }, thrown);
    }
    if (this.#slices.isOverNow()) await this.#slices.pause();
  }

  /** @throws MessageFault where its site has not written it there, or has written another one since */
  async #takeValue(place: ChunkPlace, { key, value, revision }: KeyEntry & { readonly value: Uint8Array }, signal: AbortSignal): Promise<void> {
    const { keys } = this.#parts;
    const [end, signedBy] = [Buffer.from(value.subarray(-GZIP_END)).toString('hex'), keys.keyOf(place.site)];
    const known = this.#taken.get(key);
    // what was signed by a key that its site has no more tells nothing of what is old
    const taken = known?.signedBy === signedBy ? known : undefined;
    if (taken?.revision === revision && taken.end === end) return;
    const message = await unpackChunk(this.#unsealed(place.site, key, value), place);
    if (signal.aborted) return;
    if (taken && isOlder(message, taken)) throw new MessageFault('it is an old one that was put back');
    this.#takeIn(place, message);
    this.#taken.set(key, { revision, end, signedBy, life: message.life, turn: message.turn });
  }

  /** @throws MessageFault with why it is not believed */
  #unsealed(site: string, key: string, value: Uint8Array): Uint8Array {
    try {
      return this.#parts.keys.unsealed(site, keysSubject(INVENTORY_BUCKET, key), value);
    } catch (thrown) {
      this.#parts.refused.add({ site, key, reason: (thrown as Error).message });
      throw thrown;
    }
  }

  /** What is known of a value's machines is from before something that cannot be believed; or is so no more. */
  #doubt({ site, provider, chunk }: ChunkPlace, isDoubtful: boolean): void {
    if (this.of(site, provider)?.doubt(chunk, isDoubtful) === true) this.#parts.providersChanged();
  }

  #takeIn({ site, provider }: ChunkPlace, message: ChunkMessage): void {
    let providers = this.#sites.get(site);
    if (providers === undefined) {
      if (this.#sites.size >= FLEET_SITES) throw new MessageFault(`there are ${FLEET_SITES} sites already`);
      this.#sites.set(site, providers = new Map());
    }
    let inventory = providers.get(provider);
    if (inventory === undefined) {
      if (providers.size >= FLEET_PROVIDERS) throw new MessageFault(`${site} has ${FLEET_PROVIDERS} providers already`);
      providers.set(provider, inventory = new ProviderInventory(this.#parts.kindsOf(site, provider)));
    }
    const before = inventory.type;
    inventory.take(message);
    if (inventory.type !== before) this.#parts.providersChanged();
  }

  /** What was never taken in cannot be out of date. */
  #noteGone(key: string, place: ChunkPlace): void {
    if (!this.#taken.has(key)) return;
    const gone = this.#gone.get(place.site) ?? new Map<string, ChunkPlace>();
    this.#gone.set(place.site, gone.set(key, place));
  }

  /** Forgets what was deleted, and of which the site itself says that it does not have that any more. */
  #drop(key: string, { site, provider, chunk }: ChunkPlace): void {
    this.#gone.get(site)?.delete(key);
    const providers = this.#sites.get(site);
    const inventory = providers?.get(provider);
    inventory?.drop(chunk);
    if (inventory?.isEmpty !== true) return;
    inventory.close();
    providers!.delete(provider);
    this.#forgetTaken(`${site}.${tokenOf(provider)}.`);
    if (providers!.size === 0) this.#sites.delete(site);
    this.#parts.providersChanged();
  }

  #forgetSite(site: string): void {
    for (const inventory of this.#sites.get(site)?.values() ?? []) inventory.close();
    this.#sites.delete(site);
    this.#gone.delete(site);
    this.#forgetTaken(`${site}.`);
    this.#parts.providersChanged();
  }

  #forgetTaken(prefix: string): void {
    for (const key of this.#taken.keys()) if (key.startsWith(prefix)) this.#taken.delete(key);
  }

  #hear(message: BusMessage): void {
    const { keys, refused } = this.#parts;
    const { subject, data } = message;
    const site = subject.split('.').at(-2)!;
    if (!keys.isSite(site)) return;
    const doubt = keys.doubt(site, subject, message);
    if (doubt !== undefined) return refused.add({ site, subject, reason: doubt });
    try {
      const { site: said, events } = readMessage(newsMessage, data, FLEET_NEWS);
      if (said !== site) throw new MessageFault(`it says that it is of ${said}`);
      for (const { type, seq, incarnation, event } of events) {
        if (type !== 'state') continue;
        const { provider, id, state } = changeOf(event);
        this.of(site, provider)?.see(id, { seq, incarnation, state });
      }
    } catch (thrown) {
      this.#complain(`news ${site}`, 'news of a site are passed over', { site }, thrown);
    }
  }

  /** Once for each key, and for so many at most. */
  #complain(key: string, message: string, facts: Record<string, unknown>, thrown: unknown): void {
    if (this.#complained.has(key) || this.#complained.size >= FLEET_COMPLAINTS) return;
    this.#complained.add(key);
    // what is not ours to foresee is told with its place
    const cause = thrown instanceof MessageFault ? {} : { cause: thrown };
    this.#parts.log('warn', message, { ...facts, reason: oneLine((thrown as Error).message, REASON_SHOWN), ...cause });
  }
}

/** What an event of type `state` says. @throws MessageFault */
function changeOf({ provider, id, now }: Readonly<Record<string, unknown>>): { readonly provider: string; readonly id: string; readonly state: PowerState } {
  const state = POWER_STATES.find((one) => one === now);
  if (typeof provider !== 'string' || typeof id !== 'string' || state === undefined) throw new MessageFault('it does not say which machine is in which state now');
  return { provider, id, state };
}
