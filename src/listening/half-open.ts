import { sourceOf } from '../auth/networks.js';
import { oldestOfMost } from '../kit/forgetting.js';
import { HALF_OPEN } from '../kit/limits.js';
import { Tally } from '../kit/tally.js';

interface Guest {
  readonly source: string;
  drop: () => void;
}

/** One's place among those who have not logged in. */
export interface Place {
  /** Tells that it has shown what it wants, or is gone. May be called again. */
  leave(): void;
  /** From now on it is closed this way when its place goes to somebody else. */
  closeBy(drop: () => void): void;
}

/**
 * Those who are connected and have not shown what they want: not logged in, or asked nothing. They may hold a part of all places,
 * and of those of one address: one more pushes out the oldest, of those who have the most, so that whoever wants something gets in
 * however many only stand there.
 */
export class HalfOpen {
  /** the oldest first */
  readonly #guests = new Map<object, Guest>();
  readonly #ofSource = new Tally();
  #most = 1;
  #mostOfSource = 1;

  /** Takes limits on connections. */
  resize(connections: number, perAddress: number): void {
    const part = (all: number): number => Math.max(1, Math.floor(all * HALF_OPEN));
    this.#most = part(connections);
    this.#mostOfSource = part(perAddress);
  }

  /** @param address in its plain form @param drop closes it: its place goes to somebody else */
  enter(address: string, drop: () => void): Place {
    const key = {};
    const source = sourceOf(address);
    if (this.#ofSource.of(source) >= this.#mostOfSource) this.#drop([...this.#guests].find(([, guest]) => guest.source === source)?.[0]);
    else if (this.#guests.size >= this.#most) this.#drop(oldestOfMost(this.#guests, (guest) => guest.source));
    const guest: Guest = { source, drop };
    this.#guests.set(key, guest);
    this.#ofSource.add(source);
    return { leave: () => this.#leave(key), closeBy: (other) => { guest.drop = other; } };
  }

  #drop(key: object | undefined): void {
    const guest = key && this.#guests.get(key);
    if (guest === undefined) return;
    this.#leave(key!);
    guest.drop();
  }

  #leave(key: object): void {
    const guest = this.#guests.get(key);
    if (guest === undefined) return;
    this.#guests.delete(key);
    this.#ofSource.take(guest.source);
  }
}
