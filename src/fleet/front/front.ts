import type { FleetSettings } from '../../config/config.js';
import type { KnownSite } from '../../instances/fleet.js';
import type { Log } from '../../kit/log.js';
import { PacedLog } from '../../kit/paced-log.js';
import { inOrder } from '../../kit/text.js';
import type { AuditNews } from '../../store/audit-entry.js';
import type { State } from '../../store/state.js';
import type { Bus, Signer, SiteInfo } from '../contract.js';
import { FrontAudit, type FrontAuditParts } from './audit.js';
import { Inventory } from './inventory.js';
import { SiteOrders } from './orders.js';
import { fullNameOf, RemoteProviders, type RemoteProvider } from './providers.js';
import { MachineKinds } from './remote-machine.js';
import { SiteKeys } from '../site-keys.js';
import { Sites } from './sites.js';
import { Talk } from './talk.js';

export interface FrontParts {
  /** made by whoever made the front, who closes it */
  readonly bus: Bus;
  readonly signer: Signer;
  readonly state: State;
  readonly rows: FrontAuditParts['rows'];
  readonly log: Log;
  /** Told of all providers of sites that there are, by name, whenever others are there. */
  arrange(providers: readonly RemoteProvider[]): void;
}

/** What this server is for people who order at many sites: it knows what these have, and has them do what is asked for. */
export class Front {
  readonly #keys: SiteKeys;
  readonly #sites: Sites;
  readonly #inventory: Inventory;
  readonly #providers: RemoteProviders;
  readonly #audit: FrontAudit;
  #settings: FleetSettings;

  constructor({ bus, signer, state, rows, log, arrange }: FrontParts, settings: FleetSettings) {
    this.#settings = settings;
    const times = (): FleetSettings => this.#settings;
    const refused = new PacedLog(log, 'message of the fleet refused');
    const keys = this.#keys = new SiteKeys(settings.sites, ownSite(settings));
    const talk = new Talk({ bus, signer, front: settings.name, keys, refused });
    const sites = this.#sites = new Sites({ talk, keys, refused, times });
    const orders = new SiteOrders({ talk, sites, times });
    const kinds = new MachineKinds();
    const outbox = state.outbox('fleet audit', { most: () => this.#settings.outboxSize, isDurable: true, isPatient: true });
    this.#audit = new FrontAudit({ bus, signer, front: settings.name, outbox, rows, names: state.keyValue('fleet audit'), log });
    this.#inventory = new Inventory({
      bus, keys, refused, log,
      isOffered: (site, provider) => sites.info(site).alive?.providers.some(({ name, held }) => name === provider && held),
      kindsOf: (site, provider) => kinds.at({ site, provider, orders }),
      providersChanged: () => this.#providers.changed(),
    });
    this.#providers = new RemoteProviders({
      inventory: this.#inventory, arrange,
      sites: () => sites.list().map(({ name }) => name),
      site: (name) => sites.info(name),
      dmesg: (site, provider, signal) => orders.read({ site, provider, machine: '', instance: '' }, 'dmesg', signal),
    });
  }

  start(): void {
    this.#sites.onChange((name) => {
      this.#inventory.siteChanged(name);
      this.#providers.siteChanged(name);
    });
    this.#inventory.watch();
    this.#audit.start();
  }

  /** Takes on another configuration, of the same name. What was ordered goes on. */
  configure(settings: FleetSettings): void {
    const before = this.#settings;
    this.#settings = settings;
    if (isSameTable(before.sites, settings.sites)) return this.#sites.review();
    this.#keys.replace(settings.sites);
    this.#sites.review();
    this.#inventory.watch();
    this.#providers.changed();
  }

  /** Something has come into this server's audit. */
  audited(news: AuditNews): void {
    this.#audit.add(news);
  }

  /** The sites, by name. */
  sites(): readonly KnownSite[] {
    return this.#sites.list().map(asKnown);
  }

  /** Lets go of everything but the bus, once nothing is under way any more. Never rejects. */
  async close(): Promise<void> {
    this.#inventory.close();
    this.#providers.close();
    this.#sites.close();
    await this.#audit.close();
  }
}

/** A site as the gate tells of it: its providers are called here by the site's name and their own, and stand in that order. */
const asKnown = ({ name, trouble, heard, skew, alive }: SiteInfo): KnownSite => ({
  name,
  trouble,
  heard,
  skew,
  started: alive?.started,
  version: alive?.version,
  orders: alive?.orders,
  outbox: alive?.outbox,
  providers: inOrder(alive?.providers ?? [], ({ name: own }) => own).map(({ name: own, type, stale, held }) => ({
    name: fullNameOf(name, own),
    type,
    stale,
    held,
  })),
});

/** What this server itself has is here already. */
const ownSite = ({ roles, name }: FleetSettings): string | undefined => (roles.has('site') ? name : undefined);

const isSameTable = (one: ReadonlyMap<string, string> | undefined, other: ReadonlyMap<string, string> | undefined): boolean =>
  (one === undefined || other === undefined ? one === other : one.size === other.size && [...one].every(([name, key]) => other.get(name) === key));
