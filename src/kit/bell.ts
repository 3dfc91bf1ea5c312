/** Lets work sleep until somebody rings, so that it looks again at once when something has changed. */
export class Bell {
  readonly #sleepers = new Set<() => void>();
  /** how often it was rung: who looks first and sleeps then hands it in, so that no ring in between is missed */
  rings = 0;

  ring(): void {
    this.rings += 1;
    for (const wake of [...this.#sleepers]) wake();
  }

  /** Resolves at the first ring after so many, after so many milliseconds, or when the signal is aborted. */
  wait(signal: AbortSignal, rings: number, ms?: number): Promise<void> {
    if (rings !== this.rings) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', wake);
        this.#sleepers.delete(wake);
        resolve();
      };
      const timer = ms === undefined ? undefined : setTimeout(wake, ms);
      signal.addEventListener('abort', wake, { once: true });
      this.#sleepers.add(wake);
      if (signal.aborted) wake();
    });
  }
}
