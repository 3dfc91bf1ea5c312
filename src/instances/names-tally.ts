import { hashOf } from '../kit/text-index.js';

/** Which of many names come several times, of different ids: without a text kept or an object made for one. */
export class Tally {
  /** names that several have */
  readonly several = new Set<string>();
  /** of the names that were counted, by their places */
  readonly hashes: Int32Array;
  readonly #nameOf: (place: number) => string;
  readonly #idOf: (place: number) => string;
  /** places of the first of each name, counted from 1, where the hash says or behind that */
  readonly #firsts: Int32Array;

  constructor(count: number, nameOf: (place: number) => string, idOf: (place: number) => string) {
    this.#nameOf = nameOf;
    this.#idOf = idOf;
    this.hashes = new Int32Array(count);
    this.#firsts = new Int32Array(2 ** Math.ceil(Math.log2(count * 2 + 1)));
  }

  /** To be called for each place. @returns whether the name has not come before */
  count(place: number): boolean {
    const firsts = this.#firsts;
    const last = firsts.length - 1;
    const name = this.#nameOf(place);
    const hash = this.hashes[place] = hashOf(name);
    for (let at = hash & last; ; at = (at + 1) & last) {
      const first = firsts[at]! - 1;
      if (first === -1) {
        firsts[at] = place + 1;
        return true;
      }
      if (this.hashes[first] !== hash || this.#nameOf(first) !== name) continue;
      if (this.#idOf(first) !== this.#idOf(place)) this.several.add(name);
      return false;
    }
  }
}
