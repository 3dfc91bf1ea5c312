import type { PowerState } from '../drivers/driver.js';
import { ArgoError } from '../kit/errors.js';
import { STATE_COUNTS } from '../kit/limits.js';
import { formatDuration } from '../kit/text.js';
import type { Instance } from './instance.js';
import type { PowerAction } from './operation-table.js';
import type { Ending } from './turn.js';

/** What a power action has seen of its machine, and how it says so where the goal was not reached. */
export class Sight {
  /** the state that was known last, and when, on the clock of performance.now() */
  #known: { readonly state: PowerState; readonly at: number } | undefined;
  #isGone = false;
  #doubt: unknown;
  readonly #began = performance.now();
  readonly #instance: Instance;

  constructor(instance: Instance) {
    this.#instance = instance;
  }

  /** The machine has answered. */
  note(state: PowerState): void {
    this.#isGone = false;
    if (state !== 'unknown') this.#known = { state, at: performance.now() };
  }

  /** A look has failed. @returns whether the manager does not know the machine any longer */
  noteFailure(thrown: unknown): boolean {
    this.#isGone = thrown instanceof ArgoError && thrown.phrase === 'NO SUCH INSTANCE';
    return this.#isGone;
  }

  /** Why nobody knows what came of an order that was sent: for the log. */
  noteDoubt(cause: unknown): void {
    this.#doubt = cause;
  }

  /** The order was sent, and what came of it cannot be told. */
  uncertain(ending: Ending | undefined, cause?: unknown): ArgoError {
    const missing = ending ? `without an answer yet when ${ending.event}` : 'and its answer was lost';
    return new ArgoError('UNCERTAIN', `the order was sent to ${this.#name} ${missing}; last seen ${this.#lastSeen}${this.#complaint}`, { cause: cause ?? this.#doubt });
  }

  /** The order was accepted, and its goal not reached in time. */
  inVain(action: PowerAction, ending: Ending | undefined): ArgoError {
    if (ending) return new ArgoError('UNCERTAIN', `accepted, and last seen ${this.#lastSeen} when ${ending.event}${this.#complaint}`);
    const lastSeen = `last seen ${this.#lastSeen}${this.#complaint}`;
    if (this.#isGone) return new ArgoError('UNCERTAIN', `accepted, and ${this.#name} is gone since; ${lastSeen}`);
    if (performance.now() - (this.#known?.at ?? -Infinity) > STATE_COUNTS) return new ArgoError('UNCERTAIN', `accepted, and the state of ${this.#name} cannot be had; ${lastSeen}`);
    const duration = formatDuration(performance.now() - this.#began);
    const found = action === 'reboot' ? `has not been seen to restart in ${duration}` : `is still ${this.#lastSeen} after ${duration}`;
    return new ArgoError('TIMEOUT', `accepted, but ${this.#name} ${found}${this.#complaint}`);
  }

  get #name(): string {
    return this.#instance.name;
  }

  get #lastSeen(): PowerState {
    return this.#known?.state ?? this.#instance.state;
  }

  /** What the machine said against an order that it had accepted, as the end of a sentence. */
  get #complaint(): string {
    const { complaint } = this.#instance.machine;
    return complaint === undefined ? '' : `; it complained: ${complaint}`;
  }
}
