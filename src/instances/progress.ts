import { SENDING_KEPT } from '../kit/limits.js';

const DOINGS = ['reading the state', 'reading the setting', 'sending', 'waiting for its turn', 'waiting for an earlier stop', 'verifying', 'working', 'taking back'] as const;

/** What an action is doing, in the words of `task`. */
export type Doing = (typeof DOINGS)[number] | `working (${number} %)`;

/** Whether words of somebody else's are among ours. */
export const isDoing = (words: string): words is Doing => (DOINGS as readonly string[]).includes(words);

const ONLY_WAITS: readonly Doing[] = ['waiting for its turn', 'waiting for an earlier stop', 'verifying'];

/** What a power action is doing, and when it gives way to one with `--force` that waits behind it. */
export class Progress {
  #doing: Doing = 'waiting for its turn';
  /** on the clock of performance.now(): since when */
  #since = performance.now();
  #givesWay = false;
  #timer: NodeJS.Timeout | undefined;
  readonly #whenOver: () => void;

  /** @param whenOver the action has to end now: something else takes over */
  constructor(whenOver: () => void) {
    this.#whenOver = whenOver;
  }

  get doing(): Doing {
    return this.#doing;
  }

  begin(doing: Doing): void {
    this.#doing = doing;
    this.#since = performance.now();
    if (this.#givesWay) this.#giveWayInTime();
  }

  giveWay(): void {
    if (this.#givesWay) return;
    this.#givesWay = true;
    this.#giveWayInTime();
  }

  /** The action has ended. */
  end(): void {
    clearTimeout(this.#timer);
    this.#givesWay = false;
  }

  /** At once where it only waits. A call to the machine is given time, but not for ever: it may hang. */
  #giveWayInTime(): void {
    clearTimeout(this.#timer);
    if (ONLY_WAITS.includes(this.#doing)) this.#whenOver();
    else this.#timer = setTimeout(this.#whenOver, Math.max(0, SENDING_KEPT - (performance.now() - this.#since)));
  }
}
