import { FairPlaces } from '../kit/fair-places.js';
import { LAST_LOOK, LAST_WORD, TURNS_WAITING, TURNS_WAITING_PER_ACCOUNT } from '../kit/limits.js';
import { ArgoError, type Phrase } from '../kit/errors.js';
import type { Deadline } from '../kit/deadline.js';

/** Why an action is ended before its time, in the words for those who wait for it. */
export interface Ending {
  /** what it is told where nothing was sent */
  readonly unsent: ArgoError;
  /** what happened, behind "accepted, and last seen on when" */
  readonly event: string;
  /** milliseconds in which it may look once more at what came of an order in doubt */
  readonly look: number;
  /** the server itself ends, and waits no longer than that */
  readonly isOfServer: boolean;
}

const ending = (unsent: ArgoError, event: string): Ending => ({ unsent, event, look: LAST_WORD, isOfServer: false });
const endOfServer = (look: number): Ending => ({ unsent: new ArgoError('SHUTTING DOWN'), event: 'the server ended', look, isOfServer: true });

/** Each is made anew: an error belongs to one action. */
export const ENDINGS = {
  shutDown: () => endOfServer(LAST_LOOK),
  hurried: () => endOfServer(0),
  takenOver: () => ending(new ArgoError('BUSY', 'an action with --force took over; nothing was sent'), 'an action with --force took over'),
  closed: () => ending(new ArgoError('UNREACHABLE', 'its provider is no longer configured; nothing was sent'), 'its provider was closed'),
  cancelled: () => ending(new ArgoError('BUSY', 'it was cancelled; nothing was sent'), 'it was cancelled'),
  forbidden: () => ending(new ArgoError('NOT ALLOWED', 'the right was taken away; nothing was sent'), 'the right to it was taken away'),
  late: () => ending(new ArgoError('TIMEOUT', 'it took too long; nothing was sent'), 'it took too long'),
  left: (event = 'its gateway ended') => ending(new ArgoError('SHUTTING DOWN', `${event}; nothing was sent`), event),
} as const;

/** The detail of SHUTTING DOWN as the reason of a signal, where that was at a front of the fleet: more is not known here. */
export const FRONT_ENDED = 'its front, or a gateway there, ended';

/** How something ends that is cancelled by a signal, by the phrase of its reason; all else is somebody's who cancelled it. */
const ENDING_BY: Partial<Readonly<Record<Phrase, () => Ending>>> = {
  'NOT AUTHENTICATED': ENDINGS.forbidden, 'NOT ALLOWED': ENDINGS.forbidden, TIMEOUT: ENDINGS.late,
};

/** @param ofServer how all end, once the server itself does */
export function endingFor(reason: unknown, ofServer: (() => Ending) | undefined): Ending {
  const phrase = reason instanceof ArgoError ? reason.phrase : undefined;
  if (phrase === 'SHUTTING DOWN') return ofServer?.() ?? ENDINGS.left((reason as ArgoError).detail || undefined);
  return ((phrase && ENDING_BY[phrase]) ?? ENDINGS.cancelled)();
}

/** What a step that was told to end comes to: only its driver knows whether anything was sent. Undefined where it does not say. */
export function lastWord(sending: Promise<void>): Promise<unknown> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, LAST_WORD, undefined);
    void sending.then(() => 'done', (thrown: unknown) => thrown).then(resolve).finally(() => clearTimeout(timer));
  });
}

/** What holds an instance's turn. */
export interface Holder {
  /** in words: `stop --force` */
  readonly title: string;
  /** An action with --force waits behind it: it gives way as soon as it only waits, or its call hangs. */
  giveWay(): void;
}

/** The turn of one machine, or of a host's network: two actions on it never run at once. The accounts that wait get it one after the other. */
export class Turn {
  readonly #place = new FairPlaces({ places: 1, waiting: TURNS_WAITING, groups: [{ waiting: TURNS_WAITING_PER_ACCOUNT }] });
  #holder: Holder | undefined;
  /** actions with --force that wait for it */
  #forced = 0;

  /** Who has it now. */
  get holder(): Holder | undefined {
    return this.#holder;
  }

  /**
   * Waits for it. Who is to be forced stands before the others, and makes the holder give way.
   * @returns gives it back
   * @throws ArgoError BUSY; the deadline's reason
   */
  async take(holder: Holder, account: string, isForced: boolean, deadline: Deadline): Promise<() => void> {
    if (isForced) {
      this.#forced += 1;
      this.#holder?.giveWay();
    }
    try {
      // a signal is made only where there is something to wait for: it is dear
      const free = (deadline.exceeded ? undefined : this.#place.tryTake([account], isForced)) ?? await this.#place.take(deadline.signal, [account], isForced);
      this.#holder = holder;
      return () => {
        this.#holder = undefined;
        free();
      };
    } finally {
      if (isForced) this.#forced -= 1;
      if (this.#forced > 0) this.#holder?.giveWay();
    }
  }
}
