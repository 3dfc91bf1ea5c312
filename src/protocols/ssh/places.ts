import { SshBusyError } from './errors.js';

/** A number of places that are given out in the order of asking, to those that go first before all others. */
export class Places {
  #taken = 0;
  /** channels that the host has shown to take at a time, on the connection that there is */
  #room = Infinity;
  readonly #first = new Set<() => void>();
  readonly #others = new Set<() => void>();
  readonly #most: number;
  readonly #mostWaiting: number;
  readonly #spare: number;

  /**
   * @param most that can be held at a time
   * @param mostWaiting of each kind; further ones are refused at once
   * @param spare further places for those that go first
   */
  constructor(most: number, mostWaiting: number, spare = 0) {
    this.#most = most;
    this.#mostWaiting = mostWaiting;
    this.#spare = spare;
  }

  /** Places that are held. */
  get taken(): number {
    return this.#taken;
  }

  /**
   * @returns gives the place back; to be called once
   * @throws SshBusyError where too many wait; the signal's reason where it is aborted meanwhile
   */
  async take(signal: AbortSignal, goesFirst = false): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#isFree(goesFirst)) return this.#occupy();
    const queue = goesFirst ? this.#first : this.#others;
    if (queue.size >= this.#mostWaiting) throw new SshBusyError('too many commands wait for the host');
    return new Promise((resolve, reject) => {
      const enter = (): void => {
        queue.delete(enter);
        signal.removeEventListener('abort', leave);
        resolve(this.#occupy());
      };
      const leave = (): void => {
        queue.delete(enter);
        reject(signal.reason as Error);
      };
      queue.add(enter);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  /** The host takes no more than this many at a time, at least one. */
  narrow(room: number): void {
    this.#room = Math.max(1, room);
  }

  /** Nothing is known of the host's room, as on a new connection. */
  widen(): void {
    this.#room = Infinity;
    this.#admit();
  }

  #isFree(goesFirst: boolean): boolean {
    return this.#taken < Math.min(this.#room, goesFirst ? this.#most + this.#spare : this.#most);
  }

  #occupy(): () => void {
    this.#taken += 1;
    return () => {
      this.#taken -= 1;
      this.#admit();
    };
  }

  #admit(): void {
    for (const enter of this.#first) if (this.#isFree(true)) enter();
    for (const enter of this.#others) if (this.#first.size === 0 && this.#isFree(false)) enter();
  }
}
