import { FLEET_SORTED_AT_ONCE } from '../../kit/fleet-limits.js';
import { Slices } from '../../kit/slices.js';
import { orderKey } from '../../kit/text.js';

/** Items in order, and what they are compared by. */
interface Run<T> {
  readonly keys: readonly string[];
  readonly items: readonly T[];
}

const NOTHING: Run<never> = { keys: [], items: [] };

/** Ends what is compared of a name, before the place of its item in the run, in two characters. */
const MARK = '\u0000';
const PLACE_BITS = 6;
const PLACE_FIRST = 0x30;

/** A list by name, as people expect it, of what may be a million: whatever is done to it gives way to others. */
export class InOrder<T extends object> {
  /** never changed, but replaced */
  items: readonly T[] = [];
  readonly #nameOf: (item: T) => string;

  constructor(nameOf: (item: T) => string) {
    this.#nameOf = nameOf;
  }

  /** Takes some out and others in, in one go for whoever looks at the list. */
  async change(removed: ReadonlySet<T>, added: Iterable<T>): Promise<void> {
    const slices = new Slices();
    const news = await this.#sorted(added, slices);
    const { items } = this;
    const next: T[] = [];
    let at = 0;
    for (let place = 0; place <= news.items.length; place += 1) {
      const isLast = place === news.items.length;
      const end = isLast ? items.length : at === items.length ? at : this.#firstBehind(news.keys[place]!, at);
      for (; at < end; at += 1) {
        if (removed.size === 0 || !removed.has(items[at]!)) next.push(items[at]!);
        if (slices.isOver()) await slices.pause();
      }
      if (!isLast) next.push(news.items[place]!);
      if (slices.isOver()) await slices.pause();
    }
    this.items = next;
  }

  /** The index of the first, from one on, whose name comes behind a key. A look at twenty names is cheaper than keys of all. */
  #firstBehind(key: string, from: number): number {
    let [low, high] = [from, this.items.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (orderKey(this.#nameOf(this.items[middle]!)) > key) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** By runs that are short enough to be sorted in one go, which are then put together two by two. */
  async #sorted(items: Iterable<T>, slices: Slices): Promise<Run<T>> {
    let some: T[] = [];
    let runs: Run<T>[] = [];
    for (const item of items) {
      some.push(item);
      if (some.length < FLEET_SORTED_AT_ONCE) continue;
      runs.push(this.#run(some));
      some = [];
      if (slices.isOverNow()) await slices.pause();
    }
    runs.push(this.#run(some));
    while (runs.length > 1) {
      const merged: Run<T>[] = [];
      for (let at = 0; at < runs.length; at += 2) merged.push(await merge(runs[at]!, runs[at + 1] ?? NOTHING, slices));
      runs = merged;
    }
    return runs[0]!;
  }

  /** What is compared has the place of its item at its end: texts alone are sorted several times as quickly as objects that have them. */
  #run(items: readonly T[]): Run<T> {
    const keys = items.map((item, place) =>
      orderKey(this.#nameOf(item)) + MARK + String.fromCharCode(PLACE_FIRST + (place >> PLACE_BITS), PLACE_FIRST + (place & (2 ** PLACE_BITS - 1))));
    keys.sort();
    return {
      keys,
      items: keys.map(
        (key) =>
          items[((key.charCodeAt(key.length - 2) - PLACE_FIRST) << PLACE_BITS) + key.charCodeAt(key.length - 1) - PLACE_FIRST]!,
      ),
    };
  }
}

async function merge<T>(left: Run<T>, right: Run<T>, slices: Slices): Promise<Run<T>> {
  if (right.items.length === 0) return left;
  const [keys, items]: [string[], T[]] = [[], []];
  let [one, other] = [0, 0];
  while (one < left.items.length || other < right.items.length) {
    const isLeft = other === right.items.length || (one < left.items.length && left.keys[one]! <= right.keys[other]!);
    const [run, at] = isLeft ? [left, one++] : [right, other++];
    keys.push(run.keys[at]!);
    items.push(run.items[at]!);
    if (slices.isOver()) await slices.pause();
  }
  return { keys, items };
}
