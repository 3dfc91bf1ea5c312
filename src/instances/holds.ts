import type { FairPlaces } from '../kit/fair-places.js';
import { LAST_LOOK, LAST_WORD } from '../kit/limits.js';
import { ArgoError } from '../kit/errors.js';

/** Why a power action is ended before its time, in the words for those who wait for it. */
export interface Ending {
  /** what it is told where nothing was sent */
  readonly unsent: ArgoError;
  /** what happened, behind "accepted, and last seen on when" */
  readonly event: string;
  /** milliseconds in which it may look once more at what came of an order in doubt */
  readonly look: number;
}

const ending = (unsent: ArgoError, event: string, look = LAST_WORD): Ending => ({ unsent, event, look });

/** Each is made anew: an error belongs to one action. */
export const ENDINGS = {
  shutDown: () => ending(new ArgoError('SHUTTING DOWN'), 'the server ended', LAST_LOOK),
  hurried: () => ending(new ArgoError('SHUTTING DOWN'), 'the server ended', 0),
  takenOver: () => ending(new ArgoError('BUSY', 'an action with --force took over; nothing was sent'), 'an action with --force took over'),
  cancelled: () => ending(new ArgoError('BUSY', 'it was cancelled; nothing was sent'), 'it was cancelled'),
  forbidden: () => ending(new ArgoError('NOT ALLOWED', 'the right was taken away; nothing was sent'), 'the right to it was taken away'),
} as const;

/** What holds an instance's turn. */
export interface Holder {
  /** in words: `stop --force` */
  readonly title: string;
  /** An action with --force waits behind it: it gives way as soon as it only waits, or its call hangs. */
  giveWay(): void;
}

/** The turns of the instances, and who holds them. */
export class Holds {
  readonly #holders = new Map<FairPlaces, Holder>();
  readonly #forcedWaiting = new Map<FairPlaces, number>();

  holderOf(turn: FairPlaces): Holder | undefined {
    return this.#holders.get(turn);
  }

  /**
   * Waits for the turn. Who is to be forced stands before the others, and makes the holder give way.
   * @returns gives it back
   * @throws ArgoError BUSY; the signal's reason
   */
  async take(turn: FairPlaces, holder: Holder, account: string, isForced: boolean, signal: AbortSignal): Promise<() => void> {
    if (isForced) this.#await(turn, 1);
    try {
      const leave = await turn.take(signal, [account], isForced);
      this.#holders.set(turn, holder);
      return () => {
        this.#holders.delete(turn);
        leave();
      };
    } finally {
      if (isForced) this.#await(turn, -1);
      if (this.#forcedWaiting.has(turn)) this.#holders.get(turn)?.giveWay();
    }
  }

  #await(turn: FairPlaces, change: 1 | -1): void {
    const waiting = (this.#forcedWaiting.get(turn) ?? 0) + change;
    if (waiting === 0) this.#forcedWaiting.delete(turn);
    else this.#forcedWaiting.set(turn, waiting);
    if (change === 1) this.#holders.get(turn)?.giveWay();
  }
}
