import { SshBusyError } from './errors.js';

/** A number of places that are given out in the order of asking. */
export class Places {
  #taken = 0;
  readonly #waiting = new Set<() => void>();
  readonly #most: number;
  readonly #mostWaiting: number;

  /** @param most that can be held at a time; @param mostWaiting further ones are refused at once */
  constructor(most: number, mostWaiting: number) {
    this.#most = most;
    this.#mostWaiting = mostWaiting;
  }

  /**
   * @returns gives the place back; to be called once
   * @throws SshBusyError where too many wait; the signal's reason where it is aborted meanwhile
   */
  async take(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#taken < this.#most) return this.#occupy();
    if (this.#waiting.size >= this.#mostWaiting) throw new SshBusyError('too many commands wait for the host');
    return new Promise((resolve, reject) => {
      const enter = (): void => {
        signal.removeEventListener('abort', leave);
        resolve(this.#occupy());
      };
      const leave = (): void => {
        this.#waiting.delete(enter);
        reject(signal.reason as Error);
      };
      this.#waiting.add(enter);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  #occupy(): () => void {
    this.#taken += 1;
    return () => {
      this.#taken -= 1;
      const [next] = this.#waiting;
      if (next === undefined) return;
      this.#waiting.delete(next);
      next();
    };
  }
}
