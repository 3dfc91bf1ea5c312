import { randomBytes } from 'node:crypto';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { PowerState } from '../drivers/driver.js';
import { Sleepers, type Sleeper } from '../kit/bell.js';
import { ArgoError } from '../kit/errors.js';
import { EVENTS_A_LISTING, EVENTS_A_TURN, ROUND_SPREAD, WATCHERS, WATCHERS_A_LOOK, WATCHERS_A_MILLISECOND } from '../kit/limits.js';
import { beginSlice, Slices } from '../kit/slices.js';
import { Tally } from '../kit/tally.js';
import type { Grantable, Principal } from './principal.js';

/** What happened, as those who may know are told. */
export type EventFacts =
  /** `now` was seen; when it came to be so nobody knows */
  | { readonly type: 'state'; readonly instance: string; readonly now: PowerState; readonly before: PowerState }
  | { readonly type: 'added' | 'removed'; readonly instance: string; readonly now: PowerState }
  | {
    readonly type: 'action';
    /** full name; the name of a provider where it is done to that as a whole */
    readonly instance: string; readonly command: string; readonly options: string; readonly account: string; readonly auditId: number;
    /** `begun`; or how it ended: `done`, `already so`, a phrase with its detail */
    readonly outcome: string;
    /** from its beginning to its end; undefined at the beginning. Milliseconds */
    readonly ms?: number;
  }
  | { readonly type: 'provider'; readonly provider: string; readonly now: 'answers' | 'silent'; readonly reason?: string }
  | ({ readonly type: 'plan' } & PlanFacts)
  | { readonly type: 'server'; readonly now: 'started' | 'reloaded' | 'stopping' };

/** What happens to a run of a plan, or to one of its stages. */
export interface PlanFacts {
  readonly plan: string;
  /** its id */
  readonly run: string;
  /** undefined: it is about the run as a whole */
  readonly stage?: string | undefined;
  /** `begun`; or how it ended or goes on: the state of the run or stage */
  readonly outcome: string;
  /** in words */
  readonly reason?: string | undefined;
}

export const EVENT_TYPES = ['state', 'added', 'removed', 'action', 'provider', 'plan', 'server'] as const satisfies readonly EventFacts['type'][];
export type EventType = (typeof EVENT_TYPES)[number];

/** One event in the ring. */
export interface ArgoEvent {
  /** microseconds since 1970, made strictly increasing: where the clock is set back, it goes on from the latest time that it had */
  readonly at: number;
  /** the time of day, where that is another. Milliseconds since 1970 */
  readonly seen?: number;
  readonly facts: EventFacts;
  /** the instance that it is about: by this object grants are decided and remembered */
  readonly subject: Grantable | undefined;
}

/** When it was seen, by the time of day. Milliseconds since 1970, with fractions */
export const timeOfDay = ({ at, seen }: Pick<ArgoEvent, 'at' | 'seen'>): number => seen ?? at / 1000;

/** An instance that an event is about. */
export interface EventSubject extends Grantable {
  readonly fullName: string;
  readonly state: PowerState;
}

/** `epoch-number`: where in the stream of events somebody stands. */
export type Cursor = string;

/** One event as an account is told of it. */
export interface ToldEvent {
  /** stands behind it */
  readonly cursor: Cursor;
  readonly time: Date;
  readonly facts: EventFacts;
  /** the list has to be looked at again; the event itself may not be known */
  readonly isSilent?: true | undefined;
}

/** What came. Others may be given the same object, so nobody can change it. */
export interface EventBatch {
  /** stands behind the last of them: where to go on after a break */
  readonly cursor: Cursor;
  /** empty where nothing came for a while: it is still there */
  readonly events: readonly ToldEvent[];
}

/** What one finds who looks for news. */
export interface Look {
  readonly events: readonly ArgoEvent[];
  /** what accounts are told of them, by their filter: for those who look at the same; undefined where it is nothing */
  readonly told: Map<Principal, Map<string, EventBatch | undefined>>;
}

const NOTHING: Look = { events: [], told: new Map() };

const CURSOR = /^([0-9a-f]{6})-(\d{1,16})$/;

/** How far the fine clock may be behind the time of day, which is set now and then, before it follows. Milliseconds. */
const CLOCKS_APART = 2;
/** How far it may be ahead, before events have a time of day beside it. Milliseconds. */
const CLOCK_SET_BACK = 1000;

const expired = (): ArgoError => new ArgoError('CURSOR EXPIRED', 'list, then watch again');

/**
 * The last events, in memory. Those who watch have a position in it and no queue of their own, so what
 * a slow one costs does not grow; one that falls behind the oldest event is told so.
 */
export class Events {
  /** tells cursors of this process's life from those of another */
  readonly #epoch = randomBytes(3).toString('hex');
  #ring: (ArgoEvent | undefined)[];
  /** index of the oldest event */
  #head = 0;
  #size = 0;
  #last = 0;
  /** from `performance.now()`, which has fractions, to the time of day. Milliseconds */
  #clockOffset = -Infinity;
  /** the newest that is forgotten: whoever stands before it has missed something */
  #forgotten = 0;
  readonly #waiting = new Sleepers();
  /** while those who wait are woken: the last event that was there when that began, and what was found last */
  #round: { readonly end: number; look?: { readonly after: number; readonly found: Look } } | undefined;
  readonly #watchers = new Tally();
  #watching = 0;
  #waking = false;
  /** something has happened since those who wait were last begun to be woken */
  #isNews = false;
  /** `performance.now()` of when those who wait were last begun to be woken */
  #wokenAt = -Infinity;
  #closed = false;
  #finished = false;
  readonly #counts = new Map<EventType, number>();
  readonly #listeners = new Set<(facts: EventFacts) => void>();

  /** @param history events that are remembered */
  constructor(history: number) {
    this.#ring = Array<ArgoEvent | undefined>(history);
  }

  /** Remembers so many events from now on. */
  resize(history: number): void {
    if (history === this.#ring.length) return;
    const kept = [...this.#from(Math.max(0, this.#size - history))];
    const dropped = this.#size - kept.length;
    if (dropped > 0) this.#forgotten = this.#at(dropped - 1).at;
    this.#ring = Array<ArgoEvent | undefined>(history);
    kept.forEach((event, index) => { this.#ring[index] = event; });
    this.#head = 0;
    this.#size = kept.length;
  }

  /** Those who watch now. */
  get watching(): number {
    return this.#watching;
  }

  /** Events since the start, by type. */
  get counts(): ReadonlyMap<EventType, number> {
    return this.#counts;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Whether nothing more is going to happen. */
  get finished(): boolean {
    return this.#finished;
  }

  /** Stands just before the oldest event that is remembered. */
  get oldest(): number {
    return this.#forgotten;
  }

  /** Calls back at once at each event, whoever may know of it. @returns ends that */
  listen(listener: (facts: EventFacts) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  add(facts: EventFacts, subject?: Grantable): void {
    // all who are told get the same: none may change what others are told
    const at = this.#tick();
    const isBehind = at / 1000 - Date.now() > CLOCK_SET_BACK;
    const event: ArgoEvent = { at, ...(isBehind && { seen: Date.now() }), facts: Object.freeze(facts), subject };
    if (this.#size === this.#ring.length) {
      this.#forgotten = this.#ring[this.#head]!.at;
      this.#ring[this.#head] = event;
      this.#head = (this.#head + 1) % this.#ring.length;
    } else {
      this.#ring[(this.#head + this.#size) % this.#ring.length] = event;
      this.#size += 1;
    }
    this.#counts.set(facts.type, (this.#counts.get(facts.type) ?? 0) + 1);
    this.#listeners.forEach((listener) => listener(facts));
    this.#wake();
  }

  /** A state was seen that differs from the one before. */
  state(subject: EventSubject, before: PowerState): void {
    this.add({ type: 'state', instance: subject.fullName, now: subject.state, before }, subject);
  }

  /** A listing found instances that were not there, and missed others. Where they are too many to tell, all who watch must list again. */
  listed(added: readonly EventSubject[], removed: readonly EventSubject[]): void {
    if (added.length + removed.length > Math.min(EVENTS_A_LISTING, this.#ring.length)) return this.#forgetAll();
    for (const one of removed) this.add({ type: 'removed', instance: one.fullName, now: one.state }, one);
    for (const one of added) this.add({ type: 'added', instance: one.fullName, now: one.state }, one);
  }

  /** Lets those who watch take what is there, and end. */
  close(): void {
    this.#closed = true;
    this.#wake();
  }

  /** After {@link close}: the actions that were still under way have ended, too. */
  finish(): void {
    this.#finished = true;
    this.#wake();
  }

  /** A place for one who watches. @returns gives it back @throws ArgoError BUSY where there are too many */
  enter(account: string, mostOfAccount: number): () => void {
    if (this.#watchers.of(account) >= mostOfAccount || this.#watching >= WATCHERS) throw new ArgoError('BUSY', 'too many watch already');
    this.#watchers.add(account);
    this.#watching += 1;
    return () => {
      this.#watching -= 1;
      this.#watchers.take(account);
    };
  }

  /** Where the stream is now: what comes later is behind it. */
  now(): number {
    return this.#tick();
  }

  cursor(at: number): Cursor {
    return `${this.#epoch}-${at}`;
  }

  /** @throws ArgoError CURSOR EXPIRED where it is not of this process's life, or too old; USAGE where it is no cursor */
  position(cursor: Cursor): number {
    const [, epoch, digits] = CURSOR.exec(cursor) ?? [];
    if (epoch === undefined) throw new ArgoError('USAGE', `"${cursor}" is no cursor`);
    const at = Number(digits);
    if (epoch !== this.#epoch || at > this.#last || at < this.#forgotten) throw expired();
    return at;
  }

  /**
   * The events behind a position, so many at most.
   * @throws ArgoError CURSOR EXPIRED where some of them are forgotten
   */
  after(at: number, end = Infinity): readonly ArgoEvent[] {
    if (at < this.#forgotten) throw expired();
    const first = this.#firstBehind(at);
    return [...this.#from(first, Math.min(EVENTS_A_TURN, this.#firstBehind(end) - first))];
  }

  /**
   * As {@link after}. While many are woken, all are told up to the same event, so that they stand at the same place and
   * what each finds is found once; what comes meanwhile is told in the next round.
   */
  look(at: number): Look {
    const round = this.#round;
    if (at >= (round?.end ?? this.#last)) return NOTHING;
    if (round === undefined) return { events: this.after(at), told: new Map() };
    if (round.look?.after !== at) round.look = { after: at, found: { events: this.after(at, round.end), told: new Map() } };
    return round.look.found;
  }

  /** The events in front of a position that are remembered, newest first, so many at most. */
  before(at: number): readonly ArgoEvent[] {
    const end = this.#firstBehind(at - 1);
    const begin = Math.max(0, end - EVENTS_A_TURN);
    return [...this.#from(begin, end - begin)].reverse();
  }

  /** The index of the first event behind a position. */
  #firstBehind(at: number): number {
    let [low, high] = [0, this.#size];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#at(middle).at > at) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Sleeps until there may be something new. */
  sleeper(signal: AbortSignal): Sleeper {
    return this.#waiting.enter(signal);
  }

  #at(index: number): ArgoEvent {
    return this.#ring[(this.#head + index) % this.#ring.length]!;
  }

  *#from(index: number, most = Infinity): Generator<ArgoEvent> {
    for (let at = index; at < Math.min(this.#size, index + most); at += 1) yield this.#at(at);
  }

  /**
   * Down to microseconds, and on at the pace of time where the clock is set back: were it counted on, gaps would tell who may
   * see little how much happens elsewhere.
   */
  #tick(): number {
    const [wall, steady] = [Date.now(), performance.now()];
    if (wall - steady - this.#clockOffset > CLOCKS_APART) this.#clockOffset = wall - steady;
    this.#last = Math.max(this.#last + 1, wall * 1000, Math.floor((steady + this.#clockOffset) * 1000));
    return this.#last;
  }

  #forgetAll(): void {
    this.#forgotten = this.#tick();
    this.#round = undefined;
    this.#ring.fill(undefined);
    this.#head = this.#size = 0;
    this.#wake();
  }

  /**
   * Not all at once: a thousand watchers would keep everybody else waiting. Nor for each event: a line to each
   * of many costs a write each, so what happens shortly after another goes with it. One or a few are told at once.
   */
  #wake(): void {
    if (this.#waiting.size === 0 && !this.#waking) return;
    this.#isNews = true;
    if (this.#waking) return;
    this.#waking = true;
    void this.#wakeInRounds();
  }

  /** One round after the other, so that two of them never tell the same watcher shortly one after the other. */
  async #wakeInRounds(): Promise<void> {
    while (this.#isNews) {
      const early = this.#wokenAt + this.#waiting.size / WATCHERS_A_MILLISECOND - performance.now();
      if (early >= 1) await sleep(early);
      else await nextTurn();
      this.#isNews = false;
      this.#wokenAt = performance.now();
      await this.#wakeAll();
    }
    this.#waking = false;
  }

  async #wakeAll(): Promise<void> {
    this.#round = { end: this.#last };
    const slices = new Slices();
    beginSlice();
    let woken = 0;
    for (const wake of this.#waiting.wakers()) {
      wake();
      woken += 1;
      if (woken % WATCHERS_A_LOOK !== 0) continue;
      // they look for themselves first: that is what takes the time
      await Promise.resolve();
      if (slices.isOverNow()) await this.#rest(slices, woken);
    }
    // the last of them look, too
    await Promise.resolve();
    this.#round = undefined;
  }

  /** In one go, a round of a thousand would take a core for 40 ms, and those who are told take another. */
  async #rest(slices: Slices, woken: number): Promise<void> {
    const early = this.#wokenAt + ROUND_SPREAD * woken / WATCHERS_A_MILLISECOND - performance.now();
    if (early < 1) return slices.pause();
    await sleep(early);
    beginSlice();
  }
}
