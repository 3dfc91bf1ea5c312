import { POWER_STATES, type PowerState } from '../../drivers/driver.js';
import { FLEET_COMPLAINTS, FLEET_PROVIDERS, FLEET_SITES } from '../../kit/fleet-limits.js';
import type { Log } from '../../kit/log.js';
import { Slices } from '../../kit/slices.js';
import { oneLine } from '../../kit/text.js';
import { placeOfKey, unpackChunk, type ChunkPlace } from '../chunks.js';
import type { Bus, BusMessage, KeyEntry } from '../contract.js';
import { eventMessage, MessageFault, readMessage, type ChunkMessage } from '../messages.js';
import { eventSubject, INVENTORY_BUCKET } from '../subjects.js';
import { ProviderInventory, type ProviderKinds } from './provider-inventory.js';

/** Of gzip's end (RFC 1952, 2.3.1): a checksum of what is packed, and its size. */
const GZIP_END = 8;
/** Characters of a reason that are told of a value. */
const REASON_SHOWN = 200;

export interface InventoryParts {
  readonly bus: Bus;
  readonly log: Log;
  /** whether a site of that name is one of this fleet */
  isSite(name: string): boolean;
  /** what machines of a site's provider are made by */
  kindsOf(site: string, provider: string): ProviderKinds;
  /** Told when providers have come or gone, or are of another type. */
  providersChanged(): void;
}

/** What was taken in last of a key: it comes again after a break. */
interface Taken {
  readonly revision: number;
  readonly end: string;
}

/**
 * What all sites have: from the bucket's values, and between these from events. What is no good is told of once and passed
 * over. Everything comes in turns, so that a million machines hold nobody up.
 */
export class Inventory {
  readonly #parts: InventoryParts;
  /** by site, then by name */
  readonly #sites = new Map<string, Map<string, ProviderInventory>>();
  readonly #taken = new Map<string, Taken>();
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
    this.#unsubscribe ??= bus.subscribe(eventSubject('*', 'state'), (message) => this.#see(message));
    for (const site of this.#sites.keys()) if (!this.#parts.isSite(site)) this.#forgetSite(site);
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

  async #take(entry: KeyEntry, signal: AbortSignal): Promise<void> {
    const { key, value, revision } = entry;
    if (signal.aborted) return;
    try {
      const place = placeOfKey(key);
      if (!this.#parts.isSite(place.site)) return;
      if (value === undefined) return this.#drop(key, place);
      const end = Buffer.from(value.subarray(-GZIP_END)).toString('hex');
      const taken = this.#taken.get(key);
      if (taken?.revision === revision && taken.end === end) return;
      const message = await unpackChunk(value, place);
      if (signal.aborted) return;
      this.#takeIn(place, message);
      this.#taken.set(key, { revision, end });
      this.#complained.delete(key);
    } catch (thrown) {
      this.#complain(key, 'value of the inventory is passed over', { key }, thrown);
    }
    if (this.#slices.isOverNow()) await this.#slices.pause();
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

  #drop(key: string, { site, provider, chunk }: ChunkPlace): void {
    this.#taken.delete(key);
    const providers = this.#sites.get(site);
    const inventory = providers?.get(provider);
    inventory?.drop(chunk);
    if (inventory?.isEmpty !== true) return;
    inventory.close();
    providers!.delete(provider);
    if (providers!.size === 0) this.#sites.delete(site);
    this.#parts.providersChanged();
  }

  #forgetSite(site: string): void {
    for (const inventory of this.#sites.get(site)?.values() ?? []) inventory.close();
    this.#sites.delete(site);
    for (const key of this.#taken.keys()) if (key.startsWith(`${site}.`)) this.#taken.delete(key);
    this.#parts.providersChanged();
  }

  #see({ subject, data }: BusMessage): void {
    const site = subject.split('.').at(-2)!;
    if (!this.#parts.isSite(site)) return;
    try {
      const { site: said, seq, incarnation, event } = readMessage(eventMessage, data);
      if (said !== site) throw new MessageFault(`it says that it is of ${said}`);
      const { provider, id, state } = changeOf(event);
      this.of(site, provider)?.see(id, { seq, incarnation, state });
    } catch (thrown) {
      this.#complain(`event ${site}`, 'event of a site is passed over', { site }, thrown);
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
