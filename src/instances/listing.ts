import type { MachineType, PowerState } from '../drivers/driver.js';
import { closeClass } from '../kit/closed.js';
import type { InstanceInfo } from './info.js';
import type { Entry, View } from './view.js';

/** An instance under the name by which it is shown. */
export interface Shown {
  readonly name: string;
  readonly instance: InstanceInfo;
}

/** The instances that an account sees, in the order of the configuration. */
export class Listing implements Iterable<Shown> {
  readonly #view: View;
  readonly #entries: Iterable<Entry>;
  readonly #requireOpen: () => void;

  private constructor(view: View, requireOpen: () => void) {
    this.#view = view;
    this.#entries = view.entries();
    this.#requireOpen = requireOpen;
  }

  /** @param requireOpen throws once the request is over for which it is made: whoever keeps it sees nothing more */
  static of(view: View, requireOpen: () => void): Listing {
    return new Listing(view, requireOpen);
  }

  /** What stays the same object until something changes, where there is such: what was made from the listing can be kept with it. */
  static lasting(listing: Listing): object | undefined {
    return Array.isArray(listing.#entries) ? listing.#entries : undefined;
  }

  /** Whether it is the same as one of before until something changes. */
  get isLasting(): boolean {
    return Listing.lasting(this) !== undefined;
  }

  *[Symbol.iterator](): Generator<Shown> {
    for (const { name, instance } of this.#entries) {
      this.#requireOpen();
      yield { name, instance: this.#view.info(instance) };
    }
  }

  /** The names of those that are accepted, at less cost than the instances themselves. */
  *names(accepts: (state: PowerState, type: MachineType) => boolean): Generator<string> {
    for (const { name, instance } of this.#entries) {
      this.#requireOpen();
      if (accepts(instance.state, instance.machine.type)) yield name;
    }
  }
}

closeClass(Listing);
