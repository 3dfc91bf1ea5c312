import type { Machine, PowerState } from '../drivers/driver.js';
import { TURNS_WAITING, TURNS_WAITING_PER_ACCOUNT } from '../kit/limits.js';
import type { Provider } from './provider.js';
import { FairPlaces } from '../kit/fair-places.js';

/** A clean stop that was accepted and has not been seen to end. */
interface PendingStop {
  /** on the clock of performance.now(): after it the stop is taken to have been in vain */
  readonly until: number;
}

/** Anything with a power state that a user names: a machine under the name by which it is known here. */
export class Instance {
  /** whether another instance has the same short name; kept by the registry */
  sharesName = false;
  /** when `state` was first seen */
  since = new Date();
  #turnsOrNone: FairPlaces | undefined;
  #pendingStop: PendingStop | undefined;
  #watchers: Set<() => void> | undefined;

  /**
   * @param name short name, harmless to terminals; unique within the provider
   */
  constructor(
    readonly name: string,
    readonly owner: Provider,
    public machine: Machine,
    public state: PowerState,
  ) {}

  get provider(): string {
    return this.owner.name;
  }

  get fullName(): string {
    return `${this.owner.name}/${this.name}`;
  }

  /** Two power actions on one instance never run at once. The accounts that wait get it in turn. */
  get turn(): FairPlaces {
    this.#turnsOrNone ??= new FairPlaces({ places: 1, waiting: TURNS_WAITING, groups: [{ waiting: TURNS_WAITING_PER_ACCOUNT }] });
    return this.#turnsOrNone;
  }

  /** Takes the place of an instance of the same machine, under another name or provider object. */
  succeed(before: Instance): void {
    this.#turnsOrNone = before.turn;
    this.#pendingStop = before.#pendingStop;
    if (this.state === before.state) this.since = before.since;
  }

  /** Notes a state that was seen. @returns whether it is news */
  see(state: PowerState): boolean {
    if (state !== 'on' && state !== 'stopping') this.#pendingStop = undefined;
    if (state === this.state) return false;
    this.state = state;
    this.since = new Date();
    this.#watchers?.forEach((watcher) => watcher());
    return true;
  }

  /** Calls back at each change of state. @returns ends that */
  watch(watcher: () => void): () => void {
    this.#watchers ??= new Set();
    this.#watchers.add(watcher);
    return () => this.#watchers?.delete(watcher);
  }

  /** A clean stop was accepted: until it shows, "on" does not mean that the machine stays on. */
  expectStop(ms: number): void {
    this.#pendingStop = { until: performance.now() + ms };
  }

  /** An action that ends what an earlier clean stop began. */
  forgetStop(): void {
    this.#pendingStop = undefined;
  }

  get isStopping(): boolean {
    return this.#pendingStop !== undefined && performance.now() < this.#pendingStop.until;
  }
}
