import { ArgoError } from './errors.js';
import { Link, LinkedList } from './linked-list.js';

/**
 * A number of places that are given out in the order of asking. With one place it is the turn of an
 * instance, with more the concurrency of a provider.
 */
export class Places {
  #taken = 0;
  /** in order of arrival */
  readonly #waiting = new LinkedList<() => void>();
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
      const link = new Link(() => {
        signal.removeEventListener('abort', leave);
        link.leave();
        resolve(this.#occupy());
      });
      const leave = () => {
        link.leave();
        reject(signal.reason as Error);
      };
      this.#waiting.append(link);
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
    while (this.#taken < this.#places && this.#waiting.first) this.#waiting.first();
  }
}
