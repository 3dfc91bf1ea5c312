import type { Machine, PowerState } from '../drivers/driver.js';
import { idWord } from '../kit/text.js';
import { Turn } from './turn.js';
import type { Owner } from './owner.js';

/** What few instances ever need, and what one machine keeps when its instance is made anew. */
class Conduct {
  readonly turn = new Turn();
  readonly watchers = new Set<() => void>();
  /** a clean stop that was sent and not seen to end is taken to be in vain after this, by performance.now() */
  stopPendingUntil = 0;
}

/**
 * Anything with a power state that a user names: a machine under the name by which it is known here.
 * There may be a million of them, so they are small. Under another name it is another instance.
 */
export class Instance {
  /** whether an instance of this or another provider has the same short name; kept by the registry */
  sharesName = false;
  /** when `state` was first seen, ms since 1970 */
  sinceMs: number;
  #shared: { conduct: Conduct | undefined } | undefined;

  /**
   * @param name short name, harmless to terminals
   * @param isTwin whether its provider has another one of this name
   */
  constructor(
    readonly name: string,
    readonly owner: Owner,
    public machine: Machine,
    public state: PowerState,
    readonly isTwin: boolean,
    now: number,
  ) {
    this.sinceMs = now;
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
    this.sinceMs = before.sinceMs;
    this.see(state);
  }

  /** Notes a state that was seen. @returns whether it is news */
  see(state: PowerState): boolean {
    const conduct = this.#shared?.conduct;
    if (conduct && state !== 'on' && state !== 'stopping' && state !== 'unknown') conduct.stopPendingUntil = 0;
    if (state === this.state) return false;
    this.state = state;
    this.sinceMs = Date.now();
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
