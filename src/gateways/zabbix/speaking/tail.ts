/** Some values that were acknowledged at one time. */
interface Mark {
  /** on the clock of performance.now() */
  readonly at: number;
  /** the number behind which they begin */
  readonly after: number;
}

/** Marks that are kept: more would be of so many messages a second that they are a backlog. */
const MOST = 256;

/**
 * Which values a server has acknowledged of late. It may be killed and started again between two messages, so that
 * nobody notices: what it had not written yet is lost, unless it comes once more.
 */
export class Tail {
  #marks: Mark[] = [];

  /** @param after the greatest number that had been acknowledged before */
  add(after: number, at: number): void {
    this.#marks.push({ at, after });
    if (this.#marks.length > MOST) this.#marks.shift();
  }

  /** @returns the number behind which the values begin that were acknowledged at a time or later; undefined: none were */
  begin(since: number): number | undefined {
    this.#marks = this.#marks.filter(({ at }) => at >= since);
    return this.#marks.length === 0 ? undefined : Math.min(...this.#marks.map(({ after }) => after));
  }
}
