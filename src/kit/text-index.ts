import { randomInt } from 'node:crypto';

/** What is asked for by a text that it has itself. Keys of other processes are hashed in another way, so that nobody can choose texts that collide. */
const SEED = randomInt(2 ** 31);
const FNV_PRIME = 0x01000193;
const SPREAD = 0x85ebca6b;

/** Up to so many are in one part; beyond, the lowest bits of their hash say in which. A part is made larger in one go. */
const WHOLE = 2048;
const PARTS = 256;
const PART_BITS = 8;
const LEAST_PLACES = 8;

/** FNV-1a over the UTF-16 units, with all bits mixed (as in MurmurHash3's end): the same text has the same in one process. 32 bits, signed: such numbers take no room of their own. */
export function hashOf(text: string): number {
  let hash = SEED;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), FNV_PRIME);
  hash = Math.imul(hash ^ (hash >>> 16), SPREAD);
  return hash ^ (hash >>> 13);
}

/** Places for items, as many as a power of two, of which some are free: an item is at the first free one from where its hash says. */
class Part<T extends object> {
  items: (T | undefined)[] = emptyPlaces(LEAST_PLACES);
  hashes = new Int32Array(LEAST_PLACES);
  size = 0;

  /** Where an item of this text is, or the free place where it would be. */
  placeOf(text: string, hash: number, textOf: (item: T) => string): number {
    const { items, hashes } = this;
    const last = items.length - 1;
    let place = (hash >>> PART_BITS) & last;
    for (let item = items[place]; item !== undefined; item = items[place]) {
      if (hashes[place] === hash && textOf(item) === text) break;
      place = (place + 1) & last;
    }
    return place;
  }

  add(place: number, item: T, hash: number): void {
    this.items[place] = item;
    this.hashes[place] = hash;
    this.size += 1;
    // two thirds: beyond, ways become long
    if (this.size * 3 > this.items.length * 2) this.#grow();
  }

  #grow(): void {
    const { items, hashes } = this;
    this.items = emptyPlaces(items.length * 2);
    this.hashes = new Int32Array(items.length * 2);
    for (let at = 0; at < items.length; at += 1) if (items[at] !== undefined) this.#place(items[at]!, hashes[at]!);
  }

  /** One that is not there yet, where there is room. */
  #place(item: T, hash: number): void {
    const { items } = this;
    const last = items.length - 1;
    let place = (hash >>> PART_BITS) & last;
    while (items[place] !== undefined) place = (place + 1) & last;
    items[place] = item;
    this.hashes[place] = hash;
  }

  /** Those behind it move up, as far as they then are not before where their hash says. */
  take(place: number): void {
    const { items, hashes } = this;
    const last = items.length - 1;
    let free = place;
    for (let at = (place + 1) & last; items[at] !== undefined; at = (at + 1) & last) {
      const way = (at - (hashes[at]! >>> PART_BITS)) & last;
      if (way < ((at - free) & last)) continue;
      items[free] = items[at];
      hashes[free] = hashes[at]!;
      free = at;
    }
    items[free] = undefined;
    this.size -= 1;
  }
}

const emptyPlaces = <T>(count: number): (T | undefined)[] => new Array<T | undefined>(count).fill(undefined);

/**
 * Items by a text that each has: what a `Map` does, in a third of the room, since it keeps no texts, and without a pause while a
 * large one grows. The text of an item must stay the same while it is there.
 */
export class TextIndex<T extends object> {
  /** how many there are */
  size = 0;
  readonly #textOf: (item: T) => string;
  #parts: readonly Part<T>[] = [new Part()];

  constructor(textOf: (item: T) => string) {
    this.#textOf = textOf;
  }

  /** @param hash as of {@link hashOf}, where that is known already */
  get(text: string, hash = hashOf(text)): T | undefined {
    const part = this.#partOf(hash);
    return part.items[part.placeOf(text, hash, this.#textOf)];
  }

  /** Puts it in the place of the one of its text, which is returned, or adds it. */
  put(item: T, hash = hashOf(this.#textOf(item))): T | undefined {
    const part = this.#partOf(hash);
    const place = part.placeOf(this.#textOf(item), hash, this.#textOf);
    const before = part.items[place];
    if (before === undefined) {
      part.add(place, item, hash);
      this.size += 1;
      if (this.size === WHOLE && this.#parts.length === 1) this.#divide();
    } else {
      part.items[place] = item;
    }
    return before;
  }

  /** @returns the one that was there */
  delete(text: string): T | undefined {
    const hash = hashOf(text);
    const part = this.#partOf(hash);
    const place = part.placeOf(text, hash, this.#textOf);
    const item = part.items[place];
    if (item === undefined) return undefined;
    part.take(place);
    this.size -= 1;
    return item;
  }

  /** In no order. It must stay as it is until that is over. */
  *[Symbol.iterator](): Generator<T> {
    for (const { items } of this.#parts) for (const item of items) if (item !== undefined) yield item;
  }

  #partOf(hash: number): Part<T> {
    return this.#parts[hash & (this.#parts.length - 1)]!;
  }

  #divide(): void {
    const [whole] = this.#parts;
    const { items, hashes } = whole!;
    this.#parts = Array.from({ length: PARTS }, () => new Part<T>());
    items.forEach((item, at) => {
      if (item === undefined) return;
      const part = this.#partOf(hashes[at]!);
      part.add(part.placeOf(this.#textOf(item), hashes[at]!, this.#textOf), item, hashes[at]!);
    });
  }
}
