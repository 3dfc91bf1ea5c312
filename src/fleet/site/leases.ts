import { PROVIDER_GRACE } from '../../kit/limits.js';
import { SiteLease, type LeaseParts } from './lease.js';

/** Those that a site wants to hold. */
export class SiteLeases {
  readonly #parts: LeaseParts;
  readonly #leases = new Map<string, SiteLease>();
  /** no longer in the configuration: what is under way by them may end */
  readonly #leaving = new Map<string, NodeJS.Timeout>();

  constructor(parts: LeaseParts) {
    this.#parts = parts;
  }

  /** @returns undefined where the site does not ask for it */
  of(name: string): SiteLease | undefined {
    return this.#leases.get(name);
  }

  /** Asks for these, and gives up others when what is under way by them must have ended. */
  keep(names: ReadonlySet<string>): void {
    for (const name of names) {
      clearTimeout(this.#leaving.get(name));
      this.#leaving.delete(name);
      if (this.#leases.has(name)) continue;
      const lease = new SiteLease(name, this.#parts);
      this.#leases.set(name, lease);
      lease.start();
    }
    for (const [name, lease] of this.#leases) {
      if (names.has(name) || this.#leaving.has(name)) continue;
      this.#leaving.set(name, setTimeout(() => {
        this.#leaving.delete(name);
        this.#leases.delete(name);
        void lease.close();
      }, PROVIDER_GRACE).unref());
    }
  }

  /** Gives all up: nothing is under way by them any more. Never rejects. */
  async close(): Promise<void> {
    for (const timer of this.#leaving.values()) clearTimeout(timer);
    this.#leaving.clear();
    await Promise.all([...this.#leases.values()].map((lease) => lease.close()));
    this.#leases.clear();
  }
}
