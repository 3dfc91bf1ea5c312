/** A clock that is ahead of where it was by more was set, or its machine slept. Milliseconds. */
const LEAP = 60_000;
/** Leaps that are remembered: a machine that sleeps each night makes fewer in the longest time for which anything is kept. */
const LEAPS = 100;

/**
 * How old something is that has a time of day, without what the clock was set forward by meanwhile: what a machine keeps that
 * starts with a wrong clock must not be years old as soon as that is set right. Where it is set back, what is kept is younger.
 */
export class SteadyAge {
  #offset = offsetNow();
  /** `before`: up to which the clock went until then */
  readonly #leaps: { readonly before: number; readonly by: number }[] = [];

  /** @param at milliseconds since 1970, by the clock as it was then @returns milliseconds; may be negative */
  of(at: number): number {
    this.look();
    return this.#leaps.reduce((age, { before, by }) => (at <= before ? age - by : age), Date.now() - at);
  }

  /** Notices leaps: to be called now and then, so that what has a time of its own is on the right side of them. */
  look(): void {
    const offset = offsetNow();
    const by = offset - this.#offset;
    if (by > LEAP) this.#leaps.push({ before: Date.now() - by, by });
    if (Math.abs(by) > LEAP) this.#offset = offset;
    if (this.#leaps.length > LEAPS) this.#leaps.shift();
  }
}

/** From the clock that nobody sets to the time of day. */
const offsetNow = (): number => Date.now() - performance.now();
