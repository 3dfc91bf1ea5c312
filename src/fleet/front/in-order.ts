import { FLEET_SORTED_AT_ONCE } from '../../kit/fleet-limits.js';
import { Slices } from '../../kit/slices.js';
import { compareWords, orderWord } from '../../kit/text.js';

/** Items in order, and what they are compared by. */
interface Sorted<T> {
  readonly words: string[];
  readonly items: T[];
}

/** As long as it will be: lists that grow are made anew again and again, which is much to collect where they are long. */
const room = <T>(length: number): Sorted<T> => ({ words: new Array<string>(length), items: new Array<T>(length) });

/** A list by name, as people expect it, of what may be a million: whatever is done to it gives way to others. */
export class InOrder<T extends object> {
  /** never changed, but replaced */
  items: readonly T[] = [];
  readonly #nameOf: (item: T) => string;

  constructor(nameOf: (item: T) => string) {
    this.#nameOf = nameOf;
  }

  /** Takes some out and others in, in one go for whoever looks at the list. @param added lists of those, best where each is in order by itself */
  async change(removed: ReadonlySet<T>, added: readonly (readonly T[])[]): Promise<void> {
    const slices = new Slices();
    const news = await this.#sorted(added, slices);
    const { items } = this;
    if (items.length === 0) {
      this.items = news.items;
      return;
    }
    const next: T[] = [];
    let at = 0;
    for (let place = 0; place <= news.items.length; place += 1) {
      const isLast = place === news.items.length;
      const end = isLast ? items.length : at === items.length ? at : this.#firstBehind(news.words[place]!, at);
      for (; at < end; at += 1) {
        if (removed.size === 0 || !removed.has(items[at]!)) next.push(items[at]!);
        if (slices.isOver()) await slices.pause();
      }
      if (!isLast) next.push(news.items[place]!);
      if (slices.isOver()) await slices.pause();
    }
    this.items = next;
  }

  /** The index of the first, from one on, whose name comes behind a word. */
  #firstBehind(word: string, from: number): number {
    let [low, high] = [from, this.items.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareWords(this.#wordOf(this.items[middle]!), word) > 0) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #wordOf(item: T): string {
    return orderWord(this.#nameOf(item));
  }

  /** By runs that are short enough to be sorted in one go, which are then put together two by two. */
  async #sorted(lists: readonly (readonly T[])[], slices: Slices): Promise<Sorted<T>> {
    const sorted = room<T>(lists.reduce((count, list) => count + list.length, 0));
    const ends: number[] = [];
    for (const list of lists) {
      for (let from = 0; from < list.length; from += FLEET_SORTED_AT_ONCE) {
        const run = list.slice(from, from + FLEET_SORTED_AT_ONCE);
        const first = ends.at(-1) ?? 0;
        this.#sortRun(run, sorted, first);
        ends.push(first + run.length);
        if (slices.isOverNow()) await slices.pause();
      }
    }
    return merged(sorted, ends, slices);
  }

  /** @param first where it is put. What comes from a site mostly is in order already, which costs a look. */
  #sortRun(run: readonly T[], { words, items }: Sorted<T>, first: number): void {
    const found = run.map((item) => this.#wordOf(item));
    const places = Array.from(found, (_, place) => place).sort((one, other) => compareWords(found[one]!, found[other]!));
    for (const [at, place] of places.entries()) {
      words[first + at] = found[place]!;
      items[first + at] = run[place]!;
    }
  }
}

/** Puts runs together two by two, from one place into another and back. @param ends of the runs */
async function merged<T>(sorted: Sorted<T>, ends: readonly number[], slices: Slices): Promise<Sorted<T>> {
  let [from, into, runs] = [sorted, room<T>(ends.length > 1 ? sorted.items.length : 0), ends];
  while (runs.length > 1) {
    for (let run = 0; run < runs.length; run += 2) {
      const [first, middle] = [runs[run - 1] ?? 0, runs[run]!];
      const end = runs[run + 1] ?? middle;
      let [one, other] = [first, middle];
      for (let at = first; at < end; at += 1) {
        const isFirst = other === end || (one < middle && compareWords(from.words[one]!, from.words[other]!) <= 0);
        const taken = isFirst ? one++ : other++;
        into.words[at] = from.words[taken]!;
        into.items[at] = from.items[taken]!;
        if (slices.isOver()) await slices.pause();
      }
    }
    [from, into] = [into, from];
    runs = runs.filter((_, run) => run % 2 === 1 || run === runs.length - 1);
  }
  return from;
}
