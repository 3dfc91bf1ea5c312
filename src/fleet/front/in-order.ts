import { FLEET_SORTED_AT_ONCE } from '../../kit/fleet-limits.js';
import { Slices } from '../../kit/slices.js';
import { orderKey } from '../../kit/text.js';

interface Keyed<T> {
  readonly key: string;
  readonly item: T;
}

const byKey = (one: Keyed<unknown>, other: Keyed<unknown>): number => (one.key < other.key ? -1 : one.key > other.key ? 1 : 0);
const before = (one: Keyed<unknown>, other: Keyed<unknown>): boolean => one.key <= other.key;

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
    for (let place = 0; place <= news.length; place += 1) {
      const one = news[place];
      const end = one === undefined ? items.length : this.#firstBehind(one.key, at);
      for (; at < end; at += 1) {
        if (!removed.has(items[at]!)) next.push(items[at]!);
        if (slices.isOver()) await slices.pause();
      }
      if (one === undefined) break;
      next.push(one.item);
      if (slices.isOverNow()) await slices.pause();
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
  async #sorted(items: Iterable<T>, slices: Slices): Promise<readonly Keyed<T>[]> {
    let run: Keyed<T>[] = [];
    let runs: (readonly Keyed<T>[])[] = [run];
    for (const item of items) {
      run.push({ key: orderKey(this.#nameOf(item)), item });
      if (run.length < FLEET_SORTED_AT_ONCE) continue;
      run.sort(byKey);
      runs.push(run = []);
      if (slices.isOverNow()) await slices.pause();
    }
    run.sort(byKey);
    while (runs.length > 1) {
      const merged: (readonly Keyed<T>[])[] = [];
      for (let at = 0; at < runs.length; at += 2) merged.push(await merge(runs[at]!, runs[at + 1] ?? [], slices));
      runs = merged;
    }
    return runs[0] ?? [];
  }
}

async function merge<T>(left: readonly Keyed<T>[], right: readonly Keyed<T>[], slices: Slices): Promise<readonly Keyed<T>[]> {
  if (right.length === 0) return left;
  const merged: Keyed<T>[] = [];
  let [one, other] = [0, 0];
  while (one < left.length || other < right.length) {
    const isLeft = other === right.length || (one < left.length && before(left[one]!, right[other]!));
    merged.push(isLeft ? left[one++]! : right[other++]!);
    if (slices.isOver()) await slices.pause();
  }
  return merged;
}
