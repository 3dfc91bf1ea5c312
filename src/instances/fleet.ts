import { closeClass } from '../kit/closed.js';
import { Slices } from '../kit/slices.js';
import type { Principal } from './principal.js';
import type { Registry } from './registry.js';

/** A provider that a site offers. */
export interface SiteProvider {
  /** as it is called here: `berlin.kvm1` */
  readonly name: string;
  /** as in the site's argo-server.conf: `libvirt` */
  readonly type: string;
  /** why what is known of it may be out of date; undefined while it is current */
  readonly stale: string | undefined;
  /** false where another site has its lease, so that this one does nothing there */
  readonly held: boolean;
}

/** A site as the front knows it. Times in milliseconds since 1970 by our own clock. */
export interface KnownSite {
  readonly name: string;
  /** why nothing can be ordered there now, for people; undefined: it can */
  readonly trouble: string | undefined;
  /** when it was heard of last; undefined: never */
  readonly heard: number | undefined;
  /** milliseconds by which its clock is before ours, as far as that can be told */
  readonly skew: number | undefined;
  /** since when it runs, by its own clock; like all below, undefined before it was heard of */
  readonly started: number | undefined;
  readonly version: string | undefined;
  /** under way there, of all fronts */
  readonly orders: number | undefined;
  /** events of it that wait for the bus */
  readonly outbox: number | undefined;
  readonly providers: readonly SiteProvider[];
}

/** What the gate needs of whatever connects this server to others. */
export interface FleetDesk {
  /** why the bus cannot be used now, for people; undefined: it can */
  readonly trouble: string | undefined;
  /** events of this server that wait for the bus; undefined where others order nothing here */
  readonly outbox: number | undefined;
  /** the sites that can be ordered from here, by their names; undefined where this server is no front */
  sites(): readonly KnownSite[] | undefined;
}

/** The fleet as an actor sees it. */
export interface FleetView {
  /** why the bus cannot be used now, as far as one may know; undefined: it can */
  readonly trouble: string | undefined;
  /** Those of which something is seen, and of each the providers of which something is seen. What a site has under way, and what runs there, is undefined for whoever does not see all of it. */
  readonly sites: readonly KnownSite[];
}

/** What is told of a trouble to those who may not know all that is there. */
const SOME_TROUBLE = 'nothing can be ordered there now';
const BUS_TROUBLE = 'it cannot be reached';

/** The fleet through an actor. */
export interface Fleet {
  /** @returns undefined where this server is no front of a fleet */
  view(): Promise<FleetView | undefined>;
}

export class ActorFleet implements Fleet {
  readonly #desk: FleetDesk | undefined;
  readonly #registry: Registry;
  readonly #principal: Principal;
  readonly #requireOpen: () => void;

  /** @param desk undefined where there is no fleet @param requireOpen throws once the request is over */
  constructor(desk: FleetDesk | undefined, registry: Registry, principal: Principal, requireOpen: () => void) {
    this.#desk = desk;
    this.#registry = registry;
    this.#principal = principal;
    this.#requireOpen = requireOpen;
  }

  async view(): Promise<FleetView | undefined> {
    this.#requireOpen();
    const known = this.#desk?.sites();
    if (known === undefined) return undefined;
    const slices = new Slices();
    const sites: KnownSite[] = [];
    for (const site of known) {
      if (slices.isOverNow()) await slices.pause();
      const seen = await this.#seen(site, slices);
      if (seen !== undefined) sites.push(seen);
    }
    const trouble = this.#desk?.trouble;
    return Object.freeze({ trouble: trouble === undefined || this.#principal.coversProvider('*') ? trouble : BUS_TROUBLE, sites: Object.freeze(sites) });
  }

  /** What may be told of a site; undefined where that is nothing, as if there were no such site. */
  async #seen(site: KnownSite, slices: Slices): Promise<KnownSite | undefined> {
    const { name, trouble, heard, skew, started, version, orders, outbox } = site;
    const providers: SiteProvider[] = [];
    let isWhole = true;
    for (const one of site.providers) {
      const covers = this.#principal.coversProvider(one.name);
      isWhole &&= covers;
      if (!covers && !this.#principal.reaches(one.name) && !await this.#seesSomeOf(one.name, slices)) continue;
      providers.push(Object.freeze({ name: one.name, type: one.type, stale: one.stale === undefined || covers ? one.stale : SOME_TROUBLE, held: one.held }));
    }
    // of one that offers nothing, or was never heard of, whoever may see whatever it comes to offer is told
    if (site.providers.length === 0) isWhole = this.#principal.coversProvider(`${name}.*`);
    if (providers.length === 0 && !isWhole) return undefined;
    return Object.freeze({
      name, heard, skew, trouble: trouble === undefined || isWhole ? trouble : SOME_TROUBLE, providers: Object.freeze(providers),
      ...isWhole ? { started, version, orders, outbox } : { started: undefined, version: undefined, orders: undefined, outbox: undefined },
    });
  }

  async #seesSomeOf(provider: string, slices: Slices): Promise<boolean> {
    const owner = this.#registry.providerNamed(provider);
    if (owner === undefined) return false;
    for (const instance of this.#registry.of(owner)) {
      if (slices.isOver()) await slices.pause();
      if (this.#principal.sees(instance)) return true;
    }
    return false;
  }
}

closeClass(ActorFleet);
