import { ArgoError } from './errors.js';

/**
 * A number of places that are given out in the order of asking. With one place it is the turn of an
 * instance, with more the concurrency of a provider.
 */
export class Places {
  #taken = 0;
  /** in order of arrival; a set, so that one that gives up leaves at no cost */
  readonly #waiting = new Set<() => void>();
  readonly #places: number;
  readonly #mostWaiting: number;

  /**
   * @param places that can be held at a time
   * @param mostWaiting further ones are refused at once with BUSY
   */
  constructor(places: number, mostWaiting: number) {
    this.#places = places;
    this.#mostWaiting = mostWaiting;
  }

  /**
   * Takes a place.
   * @returns gives the place back; calling it again does nothing
   * @throws ArgoError BUSY where too many wait; the signal's reason where it is aborted while waiting
   */
  async take(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#taken < this.#places && this.#waiting.size === 0) return this.#occupy();
    if (this.#waiting.size >= this.#mostWaiting) throw new ArgoError('BUSY', 'too many requests wait already');
    return new Promise((resolve, reject) => {
      const enter = () => {
        signal.removeEventListener('abort', leave);
        resolve(this.#occupy());
      };
      const leave = () => {
        this.#waiting.delete(enter);
        reject(signal.reason as Error);
      };
      this.#waiting.add(enter);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  #occupy(): () => void {
    this.#taken += 1;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#taken -= 1;
      this.#admit();
    };
  }

  #admit(): void {
    for (const next of this.#waiting) {
      if (this.#taken >= this.#places) return;
      this.#waiting.delete(next);
      next();
    }
  }
}
