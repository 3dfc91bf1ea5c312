import type { Machine, PowerState } from '../drivers/driver.js';
import { harmlessName, idWord } from '../kit/text.js';
import { Turn } from './turn.js';
import type { Owner } from './owner.js';

/** By what a machine is known here, whatever its manager calls it. */
export const shownName = ({ name }: Pick<Machine, 'name'>): string => harmlessName(name) || '(unnamed)';

/** What few instances ever need, and what one machine keeps when its instance is made anew. */
class Conduct {
  readonly turn = new Turn();
  readonly watchers = new Set<() => void>();
  /** a clean stop that was sent and not seen to end is taken to be in vain after this, by performance.now() */
  stopPendingUntil = 0;
}

/** A time, ms since 1970, which all share who have it of one listing: a number of its size would take room in each. */
export interface Moment {
  readonly ms: number;
}

/** What is said of an instance by single bits; above them stands the number of the last listing that it was in. */
const SHARES_NAME = 1;
const IS_TWIN = 2;
const LISTING = 4;
/** Numbers of listings begin again from here, so that they fit. */
const LISTINGS = 2 ** 28;

/**
 * Anything with a power state that a user names: a machine under the name by which it is known here.
 * There may be a million of them, so they are small. Under another name it is another instance.
 */
export class Instance {
  #since: Moment;
  #bits: number;
  #shared: { conduct: Conduct | undefined } | undefined;

  /**
   * @param name short name, harmless to terminals
   * @param isTwin whether its provider has another one of this name
   * @param now when its state was seen
   */
  constructor(
    readonly name: string,
    readonly owner: Owner,
    public machine: Machine,
    public state: PowerState,
    isTwin: boolean,
    now: Moment,
  ) {
    this.#since = now;
    this.#bits = isTwin ? IS_TWIN : 0;
  }

  /** Whether its provider has another one of this name. */
  get isTwin(): boolean {
    return (this.#bits & IS_TWIN) !== 0;
  }

  /** Whether an instance of this or another provider may have the same short name; kept by the registry. */
  get sharesName(): boolean {
    return (this.#bits & SHARES_NAME) !== 0;
  }

  set sharesName(shares: boolean) {
    this.#bits = shares ? this.#bits | SHARES_NAME : this.#bits & ~SHARES_NAME;
  }

  /** Notes that it is in a listing of its provider's. @param number of that; those of two that follow each other differ */
  putInListing(number: number): void {
    this.#bits = (this.#bits & (LISTING - 1)) | (number % LISTINGS) * LISTING;
  }

  /** Whether that is the last listing that it was in. */
  isInListing(number: number): boolean {
    return this.#bits >>> 2 === number % LISTINGS;
  }

  /** When `state` was first seen, ms since 1970. */
  get sinceMs(): number {
    return this.#since.ms;
  }

  get provider(): string {
    return this.owner.name;
  }

  /** Unique within the provider; may hold any character. */
  get id(): string {
    return this.machine.id;
  }

  get since(): Date {
    return new Date(this.sinceMs);
  }

  /** The name that selects it alone: `provider/name`, or `provider/#id` where that name would not. */
  get fullName(): string {
    return this.isTwin || this.name.startsWith('#') ? this.idName : `${this.owner.name}/${this.name}`;
  }

  /** `provider/#id`, which selects it whatever its name. */
  get idName(): string {
    return `${this.owner.name}/#${idWord(this.machine.id)}`;
  }

  get turn(): Turn {
    return this.#conduct.turn;
  }

  /** Takes the place of an instance of the same machine, under another name or provider object. */
  succeed(before: Instance): void {
    before.#shared ??= { conduct: undefined };
    this.#shared = before.#shared;
    const { state } = this;
    this.state = before.state;
    this.#since = before.#since;
    this.see(state);
  }

  /** Notes a state that was seen. @returns whether it is news */
  see(state: PowerState): boolean {
    const conduct = this.#shared?.conduct;
    if (conduct && state !== 'on' && state !== 'stopping' && state !== 'unknown') conduct.stopPendingUntil = 0;
    if (state === this.state) return false;
    this.state = state;
    this.#since = { ms: Date.now() };
    conduct?.watchers.forEach((watcher) => watcher());
    return true;
  }

  /** Calls back at each change of state. @returns ends that */
  watch(watcher: () => void): () => void {
    const { watchers } = this.#conduct;
    watchers.add(watcher);
    return () => watchers.delete(watcher);
  }

  /** A clean stop was accepted, or may have been: until it shows, "on" does not mean that the machine stays on. */
  expectStop(ms: number): void {
    this.#conduct.stopPendingUntil = performance.now() + ms;
  }

  /** An action that ends what an earlier clean stop began. */
  forgetStop(): void {
    const conduct = this.#shared?.conduct;
    if (conduct) conduct.stopPendingUntil = 0;
  }

  get isStopping(): boolean {
    return performance.now() < (this.#shared?.conduct?.stopPendingUntil ?? 0);
  }

  /** Whether a clean stop is under way, by a state that was just read: a start waits for its end. */
  isGoingDown(state: PowerState): boolean {
    return state === 'stopping' || (state === 'on' && this.isStopping);
  }

  get #conduct(): Conduct {
    this.#shared ??= { conduct: undefined };
    this.#shared.conduct ??= new Conduct();
    return this.#shared.conduct;
  }
}
