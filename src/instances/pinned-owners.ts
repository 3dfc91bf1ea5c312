import type { Instance } from './instance.js';
import type { Owner } from './owner.js';

/**
 * The providers from which something was selected or named, by name. A reload may put another one in such a place,
 * with other machines under the same ids: what was chosen from the one must not come to be one of the other.
 */
export class PinnedOwners {
  /** made with the first that is pinned */
  #owners: Map<string, Owner> | undefined;

  /** Pins the owners of instances; the first one that was pinned under a name stays. */
  pin(instances: readonly Instance[]): void {
    const owners = this.#owners ??= new Map();
    let last: Owner | undefined;
    for (const { owner } of instances) {
      if (owner !== last && !owners.has(owner.name)) owners.set(owner.name, owner);
      last = owner;
    }
  }

  /** Whether another provider has come into the place of the one that was pinned. */
  isReplaced(name: string, now: Owner | undefined): boolean {
    const pinned = this.#owners?.get(name);
    return pinned !== undefined && now !== undefined && pinned !== now;
  }
}
