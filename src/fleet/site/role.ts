import type { FleetSettings, ProviderSettings } from '../../config/config.js';
import type { Events } from '../../instances/events.js';
import { EventFeed } from '../../instances/feed.js';
import type { Lease } from '../../instances/lease.js';
import type { Registry } from '../../instances/registry.js';
import { Stock } from '../../instances/stock.js';
import { FLEET_LAST_EVENTS, FLEET_NEWS_PAUSE } from '../../kit/fleet-limits.js';
import type { Groups } from '../../kit/patterns.js';
import { notLonger } from '../../kit/within.js';
import { PacedLog } from '../../kit/paced-log.js';
import type { OutboxOptions } from '../../store/state.js';
import { capabilitiesOf } from '../capabilities.js';
import { SiteKeys } from '../site-keys.js';
import { INVENTORY_BUCKET, LEASES_BUCKET } from '../subjects.js';
import { SiteEvents } from './events.js';
import { Inventory } from './inventory.js';
import { SiteLeases } from './leases.js';
import { Offers } from './offers.js';
import { Site, type SiteParts } from './site.js';

/** What a configuration says that matters to a site. */
export interface SiteRoleSettings {
  readonly fleet: FleetSettings;
  readonly groups: Groups;
  readonly providers: ReadonlyMap<string, ProviderSettings>;
}

export interface SiteRoleParts extends Pick<SiteParts, 'gate' | 'state' | 'bus' | 'signer' | 'log' | 'incarnation' | 'version'> {
  readonly registry: Registry;
  readonly events: Events;
}

/** All that this server does as a site: it tells what it has and what happens, keeps leases, and carries out what fronts order. */
export class SiteRole {
  readonly #events: Events;
  readonly #leases: SiteLeases;
  /** of sites that share leases with this one */
  readonly #keys: SiteKeys;
  readonly #told: SiteEvents;
  readonly #inventory: Inventory;
  readonly #site: Site;
  readonly #ending = new AbortController();
  #settings: SiteRoleSettings;
  #endListening: (() => void) | undefined;
  #news: NodeJS.Timeout | undefined;
  /** ends when all events that the bus has taken are told */
  #telling: Promise<void> = Promise.resolve();
  #running: Promise<unknown> = Promise.resolve();

  constructor({ gate, registry, events, state, bus, signer, log, incarnation, version }: SiteRoleParts, settings: SiteRoleSettings) {
    this.#settings = settings;
    this.#events = events;
    const site = settings.fleet.name;
    const own = { site, incarnation, signer, log };
    const keys = this.#keys = new SiteKeys(settings.fleet.sites);
    const refused = new PacedLog(log, 'message of the fleet refused');
    const feed = new EventFeed(events, () => this.#settings.groups);
    const stock = new Stock(registry, capabilitiesOf);
    const leases = this.#leases = new SiteLeases({ ...own, keys, refused, bucket: bus.bucket(LEASES_BUCKET), changed: () => this.#changed() });
    const offers = new Offers({
      stock,
      share: () => this.#settings.fleet.share,
      providers: () => this.#settings.providers,
      leaseOf: (name) => leases.of(name),
    });
    const kept: OutboxOptions = { most: () => this.#settings.fleet.outboxSize, isDurable: true };
    const told = this.#told = new SiteEvents({
      ...own, feed, bus, offers, changes: state.outbox('fleet events', kept), deeds: state.outbox('fleet deeds', { ...kept, isPatient: true }), notes: state.keyValue('fleet events'),
    });
    this.#inventory = new Inventory({
      ...own,
      stock,
      feed,
      bucket: bus.bucket(INVENTORY_BUCKET),
      kept: state.keyValue('fleet inventory'),
      told: () => offers.shared().filter((provider) => offers.isTold(provider)),
      isOpen: (provider) => offers.isOpen(provider),
      seq: () => told.last,
      life: () => told.life,
    });
    this.#site = new Site({
      gate, state, bus, signer, log, incarnation, version,
      isOffered: (provider) => offers.isShared(provider) || offers.isGone(provider), offered: () => offers.list(), outbox: () => told.backlog,
    }, settings);
  }

  start(): void {
    const { signal } = this.#ending;
    this.#keepLeases();
    this.#endListening = this.#events.listen(({ type }) => { if (type === 'provider') this.#changed(); });
    this.#site.start();
    // what is told has the number of the last event that is in it, so that those of an earlier life are read first
    const loaded = this.#told.load(signal);
    this.#telling = loaded.then(() => this.#told.run(signal));
    this.#running = Promise.all([this.#telling, loaded.then(() => this.#inventory.run(signal))]);
  }

  /** Takes on another configuration, of the same name. What was ordered goes on, as far as its front still may. */
  configure(settings: SiteRoleSettings): void {
    this.#settings = settings;
    this.#keys.replace(settings.fleet.sites);
    this.#keepLeases();
    this.#site.configure(settings);
    this.#inventory.refresh();
  }

  /** The lease of a name; undefined where no provider has that. */
  leaseOf(name: string): Lease | undefined {
    return this.#leases.of(name);
  }

  /** Events that wait for the bus. */
  get outbox(): number {
    return this.#told.backlog;
  }

  /** Takes no further orders, and answers those that are under way. @param ms how long they may take */
  drain(ms: number): Promise<void> {
    return this.#site.drain(ms);
  }

  /** Lets go of everything but the bus, once nothing is under way any more. Never rejects. */
  async close(): Promise<void> {
    this.#endListening?.();
    clearTimeout(this.#news);
    this.#site.close();
    // what the server has told of its end goes out; what does not is on the disk
    if (this.#events.finished) await notLonger(FLEET_LAST_EVENTS, this.#telling);
    this.#ending.abort();
    await Promise.all([this.#running, this.#leases.close()]);
  }

  #keepLeases(): void {
    this.#leases.keep(new Set([...this.#settings.providers.values()].flatMap(({ lease }) => lease ?? [])));
  }

  /** What fronts are told of providers is another. Several that change at a time are told of together. */
  #changed(): void {
    this.#news ??= setTimeout(() => {
      this.#news = undefined;
      this.#site.changed();
      this.#inventory.refresh();
    }, FLEET_NEWS_PAUSE);
  }
}
