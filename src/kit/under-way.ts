/** How much of what was begun has not ended. */
export class UnderWay {
  #count = 0;

  get isNone(): boolean {
    return this.#count === 0;
  }

  /** Counts work until it ends, however that is. */
  async count<T>(work: Promise<T>): Promise<T> {
    this.#count += 1;
    try {
      return await work;
    } finally {
      this.#count -= 1;
    }
  }
}
