import type { ProviderSettings } from '../../config/config.js';
import type { Stock } from '../../instances/stock.js';
import { NamePattern } from '../../kit/patterns.js';
import type { OfferedProvider } from '../messages.js';
import type { SiteLease } from './lease.js';

export interface OffersParts {
  readonly stock: Pick<Stock, 'provider'>;
  /** patterns over names of providers, as the configuration says now */
  share(): readonly string[];
  /** the providers of the configuration as it is now: those of other sites are not among them, and are not offered on */
  providers(): ReadonlyMap<string, ProviderSettings>;
  /** undefined where it is not asked for */
  leaseOf(name: string): KnownLease | undefined;
}

type KnownLease = Pick<SiteLease, 'holder' | 'term' | 'trouble'>;

/** Which providers a site offers to fronts. */
export class Offers {
  readonly #parts: OffersParts;
  #patterns: { readonly of: readonly string[]; readonly read: readonly NamePattern[] } | undefined;

  constructor(parts: OffersParts) {
    this.#parts = parts;
  }

  /** Whether it is offered at all, so that fronts may know of it. */
  isShared(provider: string): boolean {
    return this.#parts.providers().has(provider) && this.#matches(provider);
  }

  /**
   * Whether nothing of that name is here any more, which would be offered: what is under way there ends as its provider does, and
   * nothing new is found.
   */
  isGone(provider: string): boolean {
    return this.#parts.stock.provider(provider) === undefined && !this.#parts.providers().has(provider) && this.#matches(provider);
  }

  #matches(provider: string): boolean {
    return this.#read().some((pattern) => pattern.matches(provider));
  }

  /** Names of the providers that are offered, in the order of the configuration. */
  shared(): readonly string[] {
    return [...this.#parts.providers().keys()].filter((name) => this.isShared(name));
  }

  /** Whether its machines are told of: not where another site tells of them, which has its lease, nor where that is not known yet. */
  isTold(provider: string): boolean {
    return this.isShared(provider) && !this.isElsewhere(provider) && !this.isOpen(provider);
  }

  /** Whether it is not known yet who is to tell of its machines: what was told of them before stays. */
  isOpen(provider: string): boolean {
    const lease = this.#leaseOf(provider);
    return this.isShared(provider) && lease !== 'none' && (lease === undefined || (lease.holder === undefined && lease.term === 0));
  }

  /** Whether another site is known to have its lease. */
  isElsewhere(provider: string): boolean {
    const lease = this.#leaseOf(provider);
    return lease !== 'none' && lease?.holder !== undefined;
  }

  /** What fronts are told of each at every sign of life. */
  list(): readonly OfferedProvider[] {
    return this.shared().flatMap((name) => {
      const known = this.#parts.stock.provider(name);
      if (known === undefined) return [];
      const lease = this.#parts.providers().get(name)?.lease;
      const stale = (lease === undefined ? undefined : this.#troubleOf(lease)) ?? known.stale;
      // where nobody is known to have it, its machines are still there, and nothing can be ordered: that is told as a reason alone
      return [{ name, type: known.type, ...(stale === undefined ? {} : { stale }), held: !this.isElsewhere(name), dmesg: known.hasLog }];
    });
  }

  #troubleOf(name: string): string | undefined {
    const lease = this.#parts.leaseOf(name);
    return lease === undefined ? `no lease ${name}: it is not asked for yet` : lease.trouble;
  }

  /** `none`: it needs none. */
  #leaseOf(provider: string): KnownLease | undefined | 'none' {
    const name = this.#parts.providers().get(provider)?.lease;
    return name === undefined ? 'none' : this.#parts.leaseOf(name);
  }

  #read(): readonly NamePattern[] {
    const of = this.#parts.share();
    if (this.#patterns?.of !== of) this.#patterns = { of, read: of.map((one) => new NamePattern(one)) };
    return this.#patterns.read;
  }
}
