/** How many there are of each; what there is none of takes no memory. */
export class Tally {
  readonly #counts = new Map<string, number>();

  /** how many kinds there are any of */
  get size(): number {
    return this.#counts.size;
  }

  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  keys(): IterableIterator<string> {
    return this.#counts.keys();
  }

  entries(): IterableIterator<[key: string, count: number]> {
    return this.#counts.entries();
  }

  /** One more. */
  add(key: string): void {
    this.#counts.set(key, this.of(key) + 1);
  }

  /** One less. */
  take(key: string): void {
    const left = this.of(key) - 1;
    if (left > 0) this.#counts.set(key, left);
    else this.#counts.delete(key);
  }
}
