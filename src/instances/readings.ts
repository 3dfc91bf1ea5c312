import { DeadlineExceeded } from '../kit/deadline.js';
import { Signals, type SignalLoan } from '../kit/signals.js';
import { ArgoError } from '../kit/errors.js';
import { Link, LinkedList } from '../kit/linked-list.js';
import { CALLS_WAITING, CALLS_WAITING_PER_ACCOUNT, PLACE_KEPT, PLACE_KEPT_LONGER, PLACES_LOOK, MACHINES_KEPT, READINGS_KEPT } from '../kit/limits.js';
import { Tally } from '../kit/tally.js';
import type { Caller, Calls, Place } from './calls.js';

/** One reading that somebody asks for. */
export interface Question<T = unknown> {
  /** of the machine, within its provider; empty for the provider as a whole */
  readonly id: string;
  /** what is read */
  readonly name: string;
  readonly account: string;
  /** milliseconds for all of it */
  readonly ms: number;
  /** An answer that was asked for no longer ago will do. Left out: it is asked after this question. */
  readonly maxAge?: number | undefined;
  /** of work beyond power: what the driver reads of all machines at once has nothing of it */
  readonly isWork?: true;
  /** whether who asks still may */
  isAllowed(): boolean;
  /** Asks the machine. */
  ask(signal: AbortSignal): Promise<T>;
}

/** Who waits for an answer. */
export interface Asking {
  readonly question: Question;
  /** The answer is not wanted any longer. */
  end(error: Error): void;
}

/** One question on its way to a machine, for all who wait for its answer. */
interface Flight {
  readonly machine: MachineLine;
  readonly name: string;
  readonly caller: Caller;
  readonly ask: (signal: AbortSignal) => Promise<unknown>;
  readonly askers: LinkedList<Asker>;
  /** waiting for the machine, for a place, or for the answer */
  state: 'waiting' | 'queued' | 'asked' | 'over';
  /** on the clock of performance.now(): when the machine was asked */
  began: number;
  /** ends the waiting for a place */
  leave: (() => void) | undefined;
  /** ends the call */
  loan: SignalLoan | undefined;
  place: Place | undefined;
  /** milliseconds without an answer after which the place may be taken back */
  kept: number;
}

/** What is asked of one machine: one question at a time, further ones only where there are plenty of places. */
interface MachineLine {
  readonly id: string;
  /** those that hold a place or are queued for one */
  busy: number;
  flights: Flight[];
}

/** An answer that may be given again. */
interface Kept {
  readonly began: number;
  readonly value: unknown;
}

class Asker implements Asking {
  readonly timer: NodeJS.Timeout;
  /** among those who wait for the same flight */
  readonly waiting = new Link<Asker>(this);
  /** among all that one request waits for */
  readonly #open: Link<Asking> | undefined;
  readonly #flights: Readings;

  constructor(
    flights: Readings,
    readonly question: Question,
    public flight: Flight,
    open: LinkedList<Asking> | undefined,
    readonly resolve: (value: never) => void,
    readonly reject: (error: unknown) => void,
  ) {
    this.#flights = flights;
    this.timer = setTimeout(timeOut, question.ms, this);
    flight.askers.append(this.waiting);
    if (open) open.append(this.#open = new Link<Asking>(this));
  }

  /** It has its answer. */
  settled(): void {
    clearTimeout(this.timer);
    this.#open?.leave();
  }

  end(error: Error): void {
    this.#flights.leave(this, error);
  }
}

const timeOut = (asker: Asker): void => asker.end(new DeadlineExceeded(asker.question.ms));

/**
 * The readings of a provider's machines that are under way. A question that many ask at a time is asked
 * once; a machine that does not answer holds one place; a call ends when nobody waits for it any longer.
 */
export class Readings {
  readonly #calls: Calls;
  readonly #whenIdle: () => void;
  /** those of whom nothing is asked are kept, too, as many as there are room for: a table that changes all the time is dear */
  readonly #machines = new Map<string, MachineLine>();
  /** in which something waits for its machine */
  readonly #crowded = new Set<MachineLine>();
  readonly #askingBy = new Tally();
  readonly #kept = new Map<string, Kept>();
  /** when a machine was changed last: what was asked before is not given any longer */
  readonly #changed = new Map<string, number>();
  /** as for machines of which it is not known any longer */
  #allChanged = -Infinity;
  readonly #signals = new Signals();
  #asking = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param whenIdle called when nothing is under way any longer */
  constructor(calls: Calls, whenIdle: () => void) {
    this.#calls = calls;
    this.#whenIdle = whenIdle;
  }

  /** How many wait for an answer. */
  get asking(): number {
    return this.#asking;
  }

  /**
   * The answer to a question.
   * @param open holds who asks for as long as that is under way
   * @throws what the machine's driver throws; DeadlineExceeded, even where the driver goes on; ArgoError BUSY where too many ask
   */
  ask<T>(question: Question<T>, open?: LinkedList<Asking>): Promise<T> {
    const { id, name, account, maxAge } = question;
    const kept = maxAge === undefined ? undefined : this.#keptFor(id, name, maxAge);
    if (kept) return Promise.resolve(kept.value as T);
    if (this.#asking >= CALLS_WAITING || this.#askingBy.of(account) >= CALLS_WAITING_PER_ACCOUNT) return Promise.reject(new ArgoError('BUSY', 'too many requests wait already'));
    this.#asking += 1;
    this.#askingBy.add(account);
    return new Promise<T>((resolve, reject) => {
      const machine = this.#machineOf(id);
      const flight = this.#flightFor(machine, question) ?? this.#newFlight(machine, question);
      new Asker(this, question, flight, open, resolve as (value: never) => void, reject);
      this.#advance(machine);
    });
  }

  /** Somebody waits no longer. A call that nobody waits for is ended. */
  leave(asker: Asker, error: Error): void {
    const { flight } = asker;
    if (asker.waiting.list !== flight.askers) return;
    asker.waiting.leave();
    this.#settled(asker);
    asker.reject(error);
    if (flight.askers.size === 0) this.#give(flight, error);
    if (this.#asking === 0) this.#whenIdle();
  }

  /** A machine has changed, or may have: what was asked before is not given to anybody who asks from now on. */
  changed(id: string): void {
    if (this.#kept.size === 0 && this.#changed.size === 0 && this.#asking === 0) return;
    this.#changed.delete(id);
    this.#changed.set(id, performance.now());
    if (this.#changed.size <= READINGS_KEPT) return;
    const [oldest, since] = this.#changed.entries().next().value!;
    this.#changed.delete(oldest);
    this.#allChanged = since;
  }

  /** Ends what is asked by those of whom the callback gives a reason. */
  endWhere(reason: (question: Question) => Error | undefined): void {
    for (const machine of [...this.#machines.values()]) {
      for (const asker of machine.flights.flatMap(({ askers }) => [...askers])) {
        const error = reason(asker.question);
        if (error) this.leave(asker, error);
      }
    }
  }

  #keptFor(id: string, name: string, maxAge: number): Kept | undefined {
    const kept = this.#kept.get(keyOf(id, name));
    return kept && this.#isFresh(kept.began, id, maxAge) ? kept : undefined;
  }

  /** How old an answer may be for somebody who takes one of this age: not from before the machine changed. */
  greatestAge(id: string, maxAge: number): number {
    return Math.min(maxAge, performance.now() - (this.#changed.get(id) ?? this.#allChanged));
  }

  #isFresh(began: number, id: string, maxAge: number): boolean {
    return began > performance.now() - this.greatestAge(id, maxAge);
  }

  #machineOf(id: string): MachineLine {
    let machine = this.#machines.get(id);
    if (machine === undefined) this.#machines.set(id, machine = { id, busy: 0, flights: [] });
    return machine;
  }

  /** One that will do for a question: it has not been asked yet, or not too long ago. */
  #flightFor({ flights }: MachineLine, { id, name, maxAge }: Question): Flight | undefined {
    if (flights.length === 0) return undefined;
    return flights.find((flight) => flight.name === name
      && (flight.state !== 'asked' || (maxAge !== undefined && this.#isFresh(flight.began, id, maxAge))));
  }

  #newFlight(machine: MachineLine, { name, account, ask }: Question): Flight {
    const flight: Flight = {
      machine, name, ask, caller: { account, urgency: 'reading' }, askers: new LinkedList(), state: 'waiting',
      began: 0, leave: undefined, loan: undefined, place: undefined, kept: PLACE_KEPT,
    };
    machine.flights.push(flight);
    return flight;
  }

  /** Lets what waits for a machine go on, as far as that may be. */
  #advance(machine: MachineLine): void {
    let isCrowded = false;
    for (const flight of machine.flights) {
      if (flight.state !== 'waiting') continue;
      if (machine.busy === 0 || (this.#calls.hasPlenty && !isUnderWay(machine, flight.name))) this.#takePlace(flight);
      else isCrowded = true;
    }
    if (machine.flights.length === 0 && this.#machines.size > MACHINES_KEPT) this.#machines.delete(machine.id);
    if (isCrowded) {
      this.#crowded.add(machine);
      this.#timer ??= setInterval(() => this.#look(), PLACES_LOOK);
    } else if (this.#crowded.size > 0 && this.#crowded.delete(machine) && this.#crowded.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
  }

  #takePlace(flight: Flight): void {
    flight.machine.busy += 1;
    const takeBack = () => this.#askAgain(flight);
    const place = this.#calls.tryTake(flight.caller, flight.kept, takeBack);
    if (place) this.#send(flight, place);
    else this.#queue(flight, takeBack);
  }

  #queue(flight: Flight, takeBack: () => void): void {
    flight.state = 'queued';
    const refuse = (reason: Error): void => {
      flight.leave = undefined;
      this.#finish(flight, ({ reject }) => reject(reason));
    };
    try {
      flight.leave = this.#calls.wait(flight.caller, flight.kept, takeBack, (place) => {
        flight.leave = undefined;
        this.#send(flight, place);
      }, refuse);
    } catch (thrown) {
      refuse(thrown as Error);
    }
  }

  #send(flight: Flight, place: Place): void {
    flight.place = place;
    flight.state = 'asked';
    flight.began = performance.now();
    const loan = flight.loan = this.#signals.take();
    const isOurs = (): boolean => flight.loan === loan && flight.state === 'asked';
    begin(flight.ask, loan.signal).then((value) => {
      if (!isOurs()) return;
      this.#signals.putBack(loan);
      this.#answer(flight, value);
    }, (error: unknown) => {
      if (isOurs()) this.#finish(flight, ({ reject }) => reject(error));
    });
  }

  #answer(flight: Flight, value: unknown): void {
    for (const { question } of flight.askers) {
      if (question.maxAge === undefined) continue;
      this.#keep(keyOf(question.id, question.name), { began: flight.began, value });
      break;
    }
    this.#finish(flight, ({ resolve }) => resolve(value as never));
  }

  #keep(key: string, kept: Kept): void {
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    if (this.#kept.size > READINGS_KEPT) this.#kept.delete(this.#kept.keys().next().value!);
  }

  /** Everybody who waits for it is told how it ended. */
  #finish(flight: Flight, tell: (asker: Asker) => void): void {
    this.#over(flight);
    for (let asker = flight.askers.first; asker; asker = flight.askers.first) {
      asker.waiting.leave();
      this.#settled(asker);
      tell(asker);
    }
    if (this.#asking === 0) this.#whenIdle();
  }

  /** Gives up a flight that nobody waits for. */
  #give(flight: Flight, reason: Error): void {
    const { loan, leave } = flight;
    leave?.();
    this.#over(flight);
    loan?.abort(reason);
  }

  #over(flight: Flight): void {
    const { machine, place } = flight;
    if (flight.state !== 'waiting') machine.busy -= 1;
    flight.state = 'over';
    machine.flights.splice(machine.flights.indexOf(flight), 1);
    if (place) this.#calls.free(place);
    this.#advance(machine);
  }

  /** Takes a place from a call that hangs. Those who wait for it go on waiting, for the next one. */
  #askAgain(flight: Flight): void {
    if (flight.state !== 'asked') return;
    const { machine, loan, place } = flight;
    machine.flights.splice(machine.flights.indexOf(flight), 1);
    machine.busy -= 1;
    flight.loan = flight.place = undefined;
    const next = machine.flights.find(({ name, state }) => name === flight.name && state !== 'asked');
    if (next) {
      flight.state = 'over';
      next.kept = Math.max(next.kept, flight.kept * 2);
      for (const asker of flight.askers) {
        asker.flight = next;
        next.askers.append(asker.waiting);
      }
    } else {
      flight.state = 'waiting';
      flight.kept *= 2;
      machine.flights.push(flight);
    }
    loan?.abort(new ArgoError('TIMEOUT', 'it gave its place up'));
    if (place) this.#calls.free(place);
    this.#advance(machine);
  }

  /** A machine's next question does not wait for ever for one that hangs. */
  #look(): void {
    const now = performance.now();
    for (const { flights } of [...this.#crowded]) {
      const stuck = flights.find(({ state, began, kept }) => state === 'asked' && now - began >= kept * (PLACE_KEPT_LONGER / PLACE_KEPT));
      if (stuck) this.#askAgain(stuck);
    }
  }

  #settled(asker: Asker): void {
    asker.settled();
    this.#asking -= 1;
    this.#askingBy.take(asker.question.account);
  }
}

const keyOf = (id: string, name: string): string => `${name} ${id}`;

const isUnderWay = ({ flights }: MachineLine, name: string): boolean => flights.some((one) => one.name === name && one.state !== 'waiting');

/** What is thrown at once is an answer like any other. */
function begin(ask: (signal: AbortSignal) => Promise<unknown>, signal: AbortSignal): Promise<unknown> {
  try {
    return ask(signal);
  } catch (thrown) {
    return Promise.reject(thrown as Error);
  }
}
