/** What is due at a time, by the second: adding and taking cost the same however many wait. */
export class Wheel<T> {
  readonly #bySecond = new Map<number, T[]>();
  /** up to where it was taken */
  #taken: number;

  /** @param now seconds */
  constructor(now: number) {
    this.#taken = now;
  }

  /** @param second when it is due; one that is over already is due next */
  add(second: number, one: T): void {
    const due = Math.max(second, this.#taken + 1);
    const others = this.#bySecond.get(due);
    if (others === undefined) this.#bySecond.set(due, [one]);
    else others.push(one);
  }

  /** Takes out what is due up to a second, earliest first. */
  take(now: number): T[][] {
    const due: number[] = [];
    if (now - this.#taken > this.#bySecond.size) due.push(...[...this.#bySecond.keys()].filter((second) => second <= now).sort((one, other) => one - other));
    else for (let second = this.#taken + 1; second <= now; second += 1) due.push(second);
    this.#taken = Math.max(this.#taken, now);
    return due.flatMap((second) => {
      const found = this.#bySecond.get(second);
      this.#bySecond.delete(second);
      return found === undefined ? [] : [found];
    });
  }

  /**
   * How long until there may be something to take, milliseconds: a timer may end a little early, and the second that was waited for
   * begin only after that look.
   * @param now milliseconds
   */
  pause(now: number): number {
    return Math.min(Math.max(0, (this.#taken + 1) * 1000 - now), 1000);
  }

  /** Forgets all. @param now seconds, by a clock that may have been set */
  clear(now: number): void {
    this.#bySecond.clear();
    this.#taken = now;
  }
}
