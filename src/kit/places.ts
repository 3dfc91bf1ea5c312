import { ArgoError } from './errors.js';
import { Link, LinkedList } from './linked-list.js';
import { onAbort } from './within.js';

/** Somebody who waits for a place. */
interface Waiting {
  enter(): void;
  fail(reason: Error): void;
}

/**
 * A number of places that are given out in the order of asking, to those that go first before all
 * others. One place is a turn. Where places are shared between accounts, see `fair-places.ts`.
 */
export class Places {
  #taken = 0;
  /** places that there are at the moment */
  #room = Infinity;
  readonly #first = new LinkedList<Waiting>();
  /** in order of arrival */
  readonly #others = new LinkedList<Waiting>();
  readonly #places: number;
  readonly #mostWaiting: number;
  readonly #spare: number;

  /**
   * @param places that can be held at a time
   * @param mostWaiting of each kind; further ones are refused at once with BUSY
   * @param spare further places for those that go first
   */
  constructor(places: number, mostWaiting: number, spare = 0) {
    this.#places = places;
    this.#mostWaiting = mostWaiting;
    this.#spare = spare;
  }

  /** Places that are held. */
  get taken(): number {
    return this.#taken;
  }

  /**
   * Takes a place.
   * @returns gives the place back; calling it again does nothing
   * @throws ArgoError BUSY where too many wait; the signal's reason where it is aborted while waiting; what {@link clear} says
   */
  async take(signal: AbortSignal, goesFirst = false): Promise<() => void> {
    signal.throwIfAborted();
    const queue = goesFirst ? this.#first : this.#others;
    if (this.#isFree(goesFirst) && queue.size === 0 && (goesFirst || this.#first.size === 0)) return this.#occupy();
    if (queue.size >= this.#mostWaiting) throw new ArgoError('BUSY', 'too many requests wait already');
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        forget();
        link.leave();
      };
      const link = new Link<Waiting>({
        enter: () => { leave(); resolve(this.#occupy()); },
        fail: (reason) => { leave(); reject(reason); },
      });
      queue.append(link);
      const forget = onAbort(signal, (reason) => link.value.fail(reason as Error));
    });
  }

  /** There are no more than this many for now, at least one. */
  narrow(room: number): void {
    this.#room = Math.max(1, room);
  }

  /** There are as many as at the beginning again. */
  widen(): void {
    this.#room = Infinity;
    this.#admit();
  }

  /** Sends those away who wait. */
  clear(reason: Error): void {
    for (const queue of [this.#first, this.#others]) for (const waiting of queue) waiting.fail(reason);
  }

  #isFree(goesFirst: boolean): boolean {
    return this.#taken < Math.min(this.#room, goesFirst ? this.#places + this.#spare : this.#places);
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
    while (this.#first.first && this.#isFree(true)) this.#first.first.enter();
    while (this.#others.first && this.#first.size === 0 && this.#isFree(false)) this.#others.first.enter();
  }
}
