import type { Driver, DriverHost, DriverModule, PowerState, Sightings } from '../../drivers/driver.js';
import { Bell } from '../../kit/bell.js';
import { ArgoError } from '../../kit/errors.js';
import { FLEET_CALLS, FLEET_RELIST_INTERVAL } from '../../kit/fleet-limits.js';
import type { SiteInfo } from '../contract.js';
import type { OfferedProvider } from '../messages.js';
import type { ProviderInventory } from './provider-inventory.js';
import { sitePlace } from './refusal.js';

/** What a driver needs of the front, for its one provider. */
export interface RemoteParts {
  /** as the site calls it */
  readonly provider: string;
  site(): SiteInfo;
  /** undefined where nothing of it has come */
  inventory(): ProviderInventory | undefined;
  /** @throws ArgoError */
  dmesg(signal: AbortSignal): Promise<string>;
  /** Told of a driver that was opened; it is to be told by {@link RemoteDriver.look} from then on. @returns to be called when it is closed */
  opened(driver: RemoteDriver): () => void;
}

/** The driver of one provider of a site: what is there comes from memory, what is asked goes over the bus. */
export class RemoteDriver implements Driver {
  readonly #parts: RemoteParts;
  readonly #host: DriverHost;
  readonly #closed: () => void;
  readonly #bell = new Bell();
  #inventory: ProviderInventory | undefined;
  /** what the registry was told of last, besides machines */
  #trouble: string | undefined;
  #reason: string | undefined;

  constructor(parts: RemoteParts, host: DriverHost) {
    this.#parts = parts;
    this.#host = host;
    this.#trouble = this.#siteTrouble;
    this.#reason = this.#reasonOf(this.#offered, parts.inventory());
    this.#closed = parts.opened(this);
    this.#follow();
  }

  /** From memory; waits where the inventory has not come yet and its site is there. Whoever is silent is listed as it was known. */
  async list(signal: AbortSignal): Promise<Sightings> {
    for (;;) {
      signal.throwIfAborted();
      const { rings } = this.#bell;
      const trouble = this.#siteTrouble;
      const offered = this.#offered;
      const inventory = this.#parts.inventory();
      if (trouble === undefined && offered?.held === false) return Object.assign([], { incomplete: this.#reasonOf(offered, inventory)! });
      if (inventory?.isWhole === true) {
        const sightings = await inventory.list();
        const reason = trouble ?? this.#reasonOf(offered, inventory);
        return reason === undefined ? sightings : Object.assign([...sightings], { incomplete: reason, isSilent: trouble !== undefined });
      }
      if (trouble !== undefined) throw new ArgoError('UNREACHABLE', trouble);
      await this.#bell.wait(signal, rings);
    }
  }

  /** Where the site has such a log. */
  get dmesg(): ((signal: AbortSignal) => Promise<string>) | undefined {
    return this.#offered?.dmesg === true ? (signal) => this.#parts.dmesg(signal) : undefined;
  }

  get farPlace(): string {
    return sitePlace(this.#parts.site().name);
  }

  /** Something may have changed at the site: whether it is there, what it says of the provider, what is known of that. */
  look(): void {
    const trouble = this.#siteTrouble;
    const reason = this.#reasonOf(this.#offered, this.#parts.inventory());
    const isOther = this.#follow();
    const [before, beforeReason] = [this.#trouble, this.#reason];
    [this.#trouble, this.#reason] = [trouble, reason];
    this.#bell.ring();
    if (trouble !== undefined && trouble !== before) this.#host.lost(trouble);
    else if (trouble !== before || reason !== beforeReason || isOther) this.#host.relist();
  }

  close(): Promise<void> {
    this.#closed();
    if (this.#inventory) this.#inventory.listener = undefined;
    this.#bell.ring();
    return Promise.resolve();
  }

  /** Why nothing can be ordered at its site now. */
  get #siteTrouble(): string | undefined {
    const { trouble } = this.#parts.site();
    return trouble === undefined ? undefined : `${this.farPlace}: ${trouble}`;
  }

  get #offered(): OfferedProvider | undefined {
    return this.#parts.site().alive?.providers.find(({ name }) => name === this.#parts.provider);
  }

  /** Why what a site says of it may be out of date there, or what has come of that here. */
  #reasonOf(offered: OfferedProvider | undefined, inventory: ProviderInventory | undefined): string | undefined {
    return offered?.stale ?? (offered?.held === false ? 'another site has its lease' : inventory?.trouble);
  }

  /** Listens to what is known of it. @returns whether that is another than before */
  #follow(): boolean {
    const inventory = this.#parts.inventory();
    if (inventory === this.#inventory) return false;
    if (this.#inventory) this.#inventory.listener = undefined;
    this.#inventory = inventory;
    if (inventory) {
      inventory.listener = {
        relist: () => {
          this.#bell.ring();
          this.#host.relist();
        },
        changed: (id: string, state: PowerState) => this.#host.changed(id, state),
      };
    }
    return true;
  }
}

/** What the registry opens a site's provider by. */
export const remoteModule = (parts: RemoteParts): DriverModule => ({
  options: {},
  defaults: { concurrency: FLEET_CALLS, pollInterval: FLEET_RELIST_INTERVAL },
  open: (_options, host) => new RemoteDriver(parts, host),
});
