import type { MachineType, PowerState } from '../drivers/driver.js';
import { infoOf, type InstanceInfo } from './info.js';
import type { Entry, View } from './view.js';

/** An instance under the name by which it is shown. */
export interface Shown {
  readonly name: string;
  readonly instance: InstanceInfo;
}

/** Where the entries are the same, so is the listing. */
const listings = new WeakMap<object, Listing>();

/** The instances that an account sees, in the order of the configuration. */
export class Listing implements Iterable<Shown> {
  readonly #entries: Iterable<Entry>;
  /** whether it is the same object until something changes: what was made from it can be kept with it */
  readonly isLasting: boolean;

  private constructor(entries: Iterable<Entry>) {
    this.#entries = entries;
    this.isLasting = Array.isArray(entries);
  }

  static of(view: View): Listing {
    const entries = view.entries();
    const known = listings.get(entries);
    if (known) return known;
    const listing = new Listing(entries);
    if (listing.isLasting) listings.set(entries, listing);
    return listing;
  }

  *[Symbol.iterator](): Generator<Shown> {
    for (const { name, instance } of this.#entries) yield { name, instance: infoOf(instance) };
  }

  /** The names of those that are accepted, at less cost than the instances themselves. */
  *names(accepts: (state: PowerState, type: MachineType) => boolean): Generator<string> {
    for (const { name, instance } of this.#entries) if (accepts(instance.state, instance.machine.type)) yield name;
  }
}

Object.freeze(Listing.prototype);
