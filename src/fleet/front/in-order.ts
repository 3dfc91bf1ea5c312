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

  /** By runs that are short enough to be sorted in one go, and that are put together two by two. */
  async #sorted(lists: readonly (readonly T[])[], slices: Slices): Promise<Sorted<T>> {
    const sorted = room<T>(lists.reduce((count, list) => count + list.length, 0));
    const ends: number[] = [];
    let runs = 0;
    for (const list of lists) {
      for (let from = 0; from < list.length; from += FLEET_SORTED_AT_ONCE) {
        const run = list.slice(from, from + FLEET_SORTED_AT_ONCE);
        const first = ends.at(-1) ?? 0;
        this.#sortRun(run, sorted, first);
        ends.push(first + run.length);
        runs += 1;
        // two that are of as many runs, while the processor has them at hand
        for (let pairs = runs; pairs % 2 === 0; pairs /= 2) await mergeLast(sorted, ends, slices);
        if (slices.isOverNow()) await slices.pause();
      }
    }
    while (ends.length > 1) await mergeLast(sorted, ends, slices);
    return sorted;
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

/** Puts the last two runs together, in their place. @param ends of the runs */
async function mergeLast<T>({ words, items }: Sorted<T>, ends: number[], slices: Slices): Promise<void> {
  const [middle, end] = ends.splice(-2) as [number, number];
  const first = ends.at(-1) ?? 0;
  ends.push(end);
  const [firstWords, firstItems] = [words.slice(first, middle), items.slice(first, middle)];
  let [one, other] = [0, middle];
  // where the first run is used up, the rest of the second one is where it belongs
  for (let at = first; one < firstWords.length; at += 1) {
    if (other === end || compareWords(firstWords[one]!, words[other]!) <= 0) {
      words[at] = firstWords[one]!;
      items[at] = firstItems[one]!;
      one += 1;
    } else {
      words[at] = words[other]!;
      items[at] = items[other]!;
      other += 1;
    }
    if (slices.isOver()) await slices.pause();
  }
}
