import { FairPlaces } from '../kit/fair-places.js';
import { Link, LinkedList } from '../kit/linked-list.js';
import { givenLater } from '../kit/within.js';
import {
  CALLS_WAITING, CALLS_WAITING_PER_ACCOUNT, ORDER_PLACE_KEPT, PLACE_KEPT_LONGER, PLACE_KEPT, PLACE_PATIENCE, PLACES_LOOK, PLACES_SHARE,
} from '../kit/limits.js';

/** What a call is for. Orders go before readings, and those with `--force` stand in a row of their own. */
export type Urgency = 'reading' | 'order' | 'forced';

/** On whose behalf a provider is called. */
export interface Caller {
  readonly account: string;
  readonly urgency: Urgency;
  /** it belongs to an order, and only reads: no lease is needed */
  readonly isLook?: boolean;
}

/** The calls of one account that are equally urgent. */
interface Row {
  readonly caller: Caller;
  /** for the places: so that what shall be forced does not stand behind the clean orders of its own account */
  readonly path: readonly string[];
  waiting: number;
  held: number;
  /** on the clock of performance.now(): when it began to wait, or was given a place last */
  served: number;
}

/** The place of one call. */
export class Place {
  readonly link = new Link<Place>(this);
  readonly began = performance.now();
  /** whether it counts as free already, although its call hangs */
  lent = false;

  constructor(
    readonly row: Row,
    readonly release: () => void,
    /** milliseconds without an answer after which it may be taken back */
    readonly kept: number,
    /** ends the call, which asks again in its turn; undefined where that is not possible */
    readonly takeBack: (() => void) | undefined,
  ) {}
}

/**
 * The calls to a provider that are under way: so many at a time, given out to the accounts in turn. Calls
 * that hang cannot keep others out for long: where an account waits in vain, the oldest reading of one
 * that holds more gives its place up, and the place of an order that hangs counts as free.
 */
export class Calls {
  readonly #most: number;
  readonly #places: FairPlaces;
  readonly #rows: Readonly<Record<Urgency, Map<string, Row>>> = { reading: new Map(), order: new Map(), forced: new Map() };
  /** the oldest first */
  readonly #held = new LinkedList<Place>();
  #lent = 0;
  #waiting = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param most calls at a time */
  constructor(most: number) {
    this.#most = most;
    this.#places = new FairPlaces({
      places: most,
      waiting: CALLS_WAITING,
      groups: [{ waiting: CALLS_WAITING_PER_ACCOUNT, share: Math.max(1, Math.floor(most * PLACES_SHARE)) }],
    });
  }

  /** Whether so few calls are under way that a machine may have more than one of them. */
  get hasPlenty(): boolean {
    return this.#held.size * 2 < this.#most;
  }

  /** Calls that wait for a place. */
  get waiting(): number {
    return this.#waiting;
  }

  /** @returns undefined where it would have to wait */
  tryTake(caller: Caller, kept: number, takeBack?: () => void): Place | undefined {
    const row = this.#rowOf(caller);
    const release = this.#places.tryTake(row.path, caller.urgency !== 'reading');
    if (release) return this.#hold(row, release, kept, takeBack);
    this.#forget(row);
    return undefined;
  }

  /** @throws ArgoError BUSY where too many wait; the signal's reason */
  async take(signal: AbortSignal, caller: Caller, kept = ORDER_PLACE_KEPT, takeBack?: () => void): Promise<Place> {
    signal.throwIfAborted();
    const place = this.tryTake(caller, kept, takeBack);
    if (place) return place;
    return givenLater(signal, (give, refuse) => this.wait(caller, kept, takeBack, give, refuse));
  }

  /**
   * Waits for a place.
   * @param enter is given the place
   * @param refuse is given BUSY when too many wait
   * @returns leaves
   * @throws ArgoError BUSY where too many wait already
   */
  wait(caller: Caller, kept: number, takeBack: (() => void) | undefined, enter: (place: Place) => void, refuse: (reason: Error) => void): () => void {
    const row = this.#rowOf(caller);
    const end = (): void => {
      row.waiting -= 1;
      this.#waiting -= 1;
      this.#forget(row);
      if (this.#waiting === 0) this.#stopLooking();
    };
    const leave = this.#places.wait(row.path, caller.urgency !== 'reading', (release) => {
      const place = this.#hold(row, release, kept, takeBack);
      end();
      enter(place);
    }, (reason) => {
      end();
      refuse(reason);
    });
    if (row.waiting === 0) row.served = performance.now();
    row.waiting += 1;
    this.#waiting += 1;
    this.#timer ??= setInterval(() => this.#help(), PLACES_LOOK);
    return () => {
      leave();
      end();
    };
  }

  /** Gives a place back. */
  free(place: Place): void {
    if (place.link.list !== this.#held) return;
    place.link.leave();
    place.row.held -= 1;
    this.#forget(place.row);
    if (place.lent) this.#lent -= 1;
    else place.release();
  }

  #hold(row: Row, release: () => void, kept: number, takeBack: (() => void) | undefined): Place {
    const place = new Place(row, release, kept, takeBack);
    row.held += 1;
    row.served = place.began;
    this.#held.append(place.link);
    return place;
  }

  #rowOf(caller: Caller): Row {
    const rows = this.#rows[caller.urgency];
    let row = rows.get(caller.account);
    if (row === undefined) rows.set(caller.account, row = { caller, path: [`${caller.urgency} ${caller.account}`], waiting: 0, held: 0, served: 0 });
    return row;
  }

  #forget({ caller, waiting, held }: Row): void {
    if (waiting === 0 && held === 0) this.#rows[caller.urgency].delete(caller.account);
  }

  #stopLooking(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Finds a place for each account that waits in vain. */
  #help(): void {
    const now = performance.now();
    for (const row of Object.values(this.#rows).flatMap((rows) => [...rows.values()])) {
      if (row.waiting === 0 || now - row.served < PLACE_PATIENCE) continue;
      const found = this.#placeFor(row, now);
      if (found === undefined) continue;
      if (found.takeBack) found.takeBack();
      else this.#lend(found);
    }
  }

  /** The place that is held longest of those that may be had for a row. */
  #placeFor(row: Row, now: number): Place | undefined {
    for (const place of this.#held) {
      if (place.lent) continue;
      const age = now - place.began;
      if (place.takeBack ? age >= limitFor(row, place) : age >= place.kept && this.#lent < this.#most) return place;
    }
    return undefined;
  }

  #lend(place: Place): void {
    place.lent = true;
    this.#lent += 1;
    place.release();
  }
}

/** Milliseconds that a reading keeps its place although a row waits. */
function limitFor({ caller, held }: Row, place: Place): number {
  const isLess = place.row.caller.account !== caller.account && place.row.held > held;
  return caller.urgency !== 'reading' || isLess ? place.kept : place.kept * (PLACE_KEPT_LONGER / PLACE_KEPT);
}
