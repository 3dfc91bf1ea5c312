import { setImmediate as nextTurn } from 'node:timers/promises';
import { LOOKS_A_CLOCK, SLICE } from './limits.js';

/**
 * Long work in slices of time, so that other connections have their turns in between. One object for
 * one piece of work: `if (slices.isOver()) await slices.pause();` in its innermost loop.
 */
export class Slices {
  #looks = 0;
  #ends = performance.now() + SLICE;

  /** Whether it is time to give way. For small steps: the clock is read at every so many calls only. */
  isOver(): boolean {
    this.#looks += 1;
    if (this.#looks < LOOKS_A_CLOCK) return false;
    this.#looks = 0;
    return this.isOverNow();
  }

  /** As {@link isOver}, for steps that may be long: the clock is read each time. */
  isOverNow(): boolean {
    return performance.now() >= this.#ends;
  }

  /** Lets everything else that is ready run, and begins the next slice. */
  async pause(): Promise<void> {
    await nextTurn();
    this.#ends = performance.now() + SLICE;
  }
}
