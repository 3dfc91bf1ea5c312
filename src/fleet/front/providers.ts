import type { DriverModule } from '../../drivers/driver.js';
import { inOrder } from '../../kit/text.js';
import type { SiteInfo } from '../contract.js';
import type { Inventory } from './inventory.js';
import { remoteModule, type RemoteDriver } from './remote-driver.js';

/** A provider of a site, as it is to be in the registry. */
export interface RemoteProvider {
  /** `SITE.PROVIDER` */
  readonly name: string;
  /** as the site says: `libvirt` */
  readonly type: string;
  /** another one where it has to be opened anew */
  readonly module: DriverModule;
}

export interface RemoteProvidersParts {
  readonly inventory: Inventory;
  /** the sites that were heard of */
  sites(): readonly string[];
  site(name: string): SiteInfo;
  /** The log of a site's hypervisor. @throws ArgoError */
  dmesg(site: string, provider: string, signal: AbortSignal): Promise<string>;
  /** Told of all that there are, by name, whenever others are there. */
  arrange(providers: readonly RemoteProvider[]): void;
}

/** How a site's provider is called here. */
export const fullNameOf = (site: string, provider: string): string => `${site}.${provider}`;

/** Which providers of sites there are: those that a site says to offer; of one that was not heard of yet, those that the inventory has. */
export class RemoteProviders {
  readonly #parts: RemoteProvidersParts;
  #known: ReadonlyMap<string, RemoteProvider> = new Map();
  /** those that are open, by site */
  readonly #drivers = new Map<string, Set<RemoteDriver>>();
  /** what sites offered when that was looked at last */
  readonly #offers = new Map<string, string>();
  #looking: NodeJS.Immediate | undefined;
  #isClosed = false;

  constructor(parts: RemoteProvidersParts) {
    this.#parts = parts;
  }

  /** A site was heard of, or is silent, or says something else. */
  siteChanged(site: string): void {
    const offer = this.#parts.site(site).alive?.providers.map(({ name, type }) => `${name} ${type}`).join('\n') ?? '';
    if (offer !== this.#offers.get(site)) {
      this.#offers.set(site, offer);
      this.changed();
    }
    for (const driver of this.#drivers.get(site) ?? []) driver.look();
  }

  /** Others may be there. Looked at soon, so that many who come at a time are arranged together. */
  changed(): void {
    if (this.#isClosed) return;
    this.#looking ??= setImmediate(() => {
      this.#looking = undefined;
      this.#arrange();
    });
  }

  /** No site is asked any longer, and none of their providers is there. */
  close(): void {
    this.#isClosed = true;
    if (this.#looking) clearImmediate(this.#looking);
    this.#parts.arrange([]);
  }

  #arrange(): void {
    const { inventory, arrange } = this.#parts;
    const sites = inOrder([...new Set([...this.#parts.sites(), ...inventory.sites()])], (site) => site);
    const known = new Map<string, RemoteProvider>();
    for (const site of sites) for (const [provider, type] of this.#offeredBy(site)) {
      const name = fullNameOf(site, provider);
      const before = this.#known.get(name);
      known.set(name, before?.type === type ? before : { name, type, module: this.#moduleOf(site, provider) });
    }
    const isSame = known.size === this.#known.size && [...known].every(([name, one]) => this.#known.get(name) === one);
    this.#known = known;
    if (!isSame) arrange([...known.values()]);
    // what is known of one may be another object than before
    for (const drivers of this.#drivers.values()) for (const driver of drivers) driver.look();
  }

  /** Names and types, by name. */
  #offeredBy(site: string): readonly (readonly [string, string])[] {
    const { inventory } = this.#parts;
    const { alive } = this.#parts.site(site);
    const all
      = alive?.providers.map(({ name, type }) => [name, type] as const)
        ?? inventory.providersOf(site).map((name) => [name, inventory.of(site, name)!.type] as const);
    return inOrder(all, ([name]) => name);
  }

  #moduleOf(site: string, provider: string): DriverModule {
    const { inventory } = this.#parts;
    return remoteModule({
      provider,
      site: () => this.#parts.site(site),
      inventory: () => inventory.of(site, provider),
      dmesg: (signal) => this.#parts.dmesg(site, provider, signal),
      opened: (driver) => {
        const drivers = this.#drivers.get(site) ?? new Set();
        this.#drivers.set(site, drivers.add(driver));
        return () => {
          drivers.delete(driver);
          if (drivers.size === 0) this.#drivers.delete(site);
        };
      },
    });
  }
}
