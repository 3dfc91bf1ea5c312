import { ArgoError } from '../kit/errors.js';
import {
  FAILURES_REMEMBERED, FREE_FAILURES_PER_ACCOUNT, FREE_FAILURES_PER_ADDRESS, LOGIN_DELAY_FIRST, LOGIN_DELAY_FORGOTTEN,
  LOGIN_DELAY_LONGEST, LOGINS_WAITING, LOGINS_WAITING_PER_ADDRESS, LOGINS_WAITING_PER_PAIR,
} from '../kit/limits.js';

interface Failures {
  count: number;
  /** on the throttle's clock */
  last: number;
}

/** Milliseconds on a clock that nobody sets back. */
export type Clock = () => number;

/** Failed logins by one kind of key, the longest-remembered forgotten first. */
class FailureCount {
  readonly #failures = new Map<string, Failures>();
  readonly #free: number;
  readonly #now: Clock;

  constructor(free: number, now: Clock) {
    this.#free = free;
    this.#now = now;
  }

  /** Milliseconds that the next attempt has to wait. */
  delay(key: string): number {
    const counted = this.#count(key) - this.#free;
    return counted <= 0 ? 0 : Math.min(LOGIN_DELAY_FIRST * 2 ** (counted - 1), LOGIN_DELAY_LONGEST);
  }

  has(key: string): boolean {
    return this.#failures.has(key);
  }

  add(key: string): void {
    const count = this.#count(key) + 1;
    this.#failures.delete(key);
    this.#failures.set(key, { count, last: this.#now() });
    if (this.#failures.size > FAILURES_REMEMBERED) this.#failures.delete(this.#failures.keys().next().value!);
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** Failures that are not forgotten yet. */
  #count(key: string): number {
    const failures = this.#failures.get(key);
    return failures === undefined || this.#now() - failures.last > LOGIN_DELAY_FORGOTTEN ? 0 : failures.count;
  }
}

/** How many wait, by some key. */
class Waiting {
  readonly #counts = new Map<string, number>();
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  isFull(key: string): boolean {
    return (this.#counts.get(key) ?? 0) >= this.#most;
  }

  enter(key: string): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  leave(key: string): void {
    const left = (this.#counts.get(key) ?? 1) - 1;
    if (left > 0) this.#counts.set(key, left);
    else this.#counts.delete(key);
  }
}

/**
 * Slows guessing down. Failures make the next attempt at that account, and from that address, wait
 * longer and longer; how many may wait at a time is bounded, so that a flood from one address or at
 * one account leaves room for others. Names without an account are treated like those with one.
 */
export class Throttle {
  readonly #accounts: FailureCount;
  readonly #addresses: FailureCount;
  readonly #waiting = [new Waiting(LOGINS_WAITING), new Waiting(LOGINS_WAITING_PER_ADDRESS), new Waiting(LOGINS_WAITING_PER_PAIR)];

  constructor(now: Clock = () => performance.now()) {
    this.#accounts = new FailureCount(FREE_FAILURES_PER_ACCOUNT, now);
    this.#addresses = new FailureCount(FREE_FAILURES_PER_ADDRESS, now);
  }

  /**
   * A place for one attempt.
   * @returns milliseconds to wait first, and what to call when the attempt has ended
   * @throws ArgoError BUSY where too many attempts wait
   */
  enter(account: string, address: string): { delay: number; leave: () => void } {
    const pair = `${address} ${account}`;
    const keys = ['', address, pair];
    // who never failed may log in from many scripts at a time; who did may not flood
    const isFull = this.#waiting.some((waiting, index) => waiting.isFull(keys[index]!) && (keys[index] !== pair || this.#accounts.has(account)));
    if (isFull) throw new ArgoError('BUSY', 'too many logins at a time');
    this.#waiting.forEach((waiting, index) => waiting.enter(keys[index]!));
    return {
      delay: Math.max(this.#accounts.delay(account), this.#addresses.delay(address)),
      leave: () => this.#waiting.forEach((waiting, index) => waiting.leave(keys[index]!)),
    };
  }

  failed(account: string, address: string): void {
    this.#accounts.add(account);
    this.#addresses.add(address);
  }

  /** The address keeps its failures: who knows one password must not use it to guess another's. */
  succeeded(account: string): void {
    this.#accounts.forget(account);
  }
}
