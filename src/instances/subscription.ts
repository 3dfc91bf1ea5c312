import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Sleeper } from '../kit/bell.js';
import { closeClass } from '../kit/closed.js';
import { ArgoError } from '../kit/errors.js';
import type { InstancePattern } from '../kit/patterns.js';
import { WATCH_IDLE } from '../kit/limits.js';
import { onAbort } from '../kit/within.js';
import { timeOfDay, type ArgoEvent, type Cursor, type EventBatch, type EventFacts, type Events, type EventType, type Look, type ToldEvent } from './events.js';
import { EVERYTHING, lostWords, providerOf, type Identity, type Permission, type Principal } from './principal.js';
import { forOthers } from './work-words.js';

/** Which events are wanted. */
export interface EventFilter {
  /** names, globs, ranges and groups; left out: all. What comes to match later is among them */
  readonly names?: readonly string[];
  /** left out: all */
  readonly types?: readonly EventType[];
  /** also, as {@link ToldEvent.isSilent}, what changes the list of what may be seen: its states are for whoever sees it */
  readonly listed?: boolean;
}

export type { EventBatch, ToldEvent } from './events.js';

/** Somebody who watches: a position in the events. */
export interface Subscription {
  /** where it began */
  readonly cursor: Cursor;
  /**
   * What comes, in order, until the signal is aborted or the server ends. Take it as you can: nothing is
   * kept for you beyond what all share.
   * @throws ArgoError CURSOR EXPIRED for one that fell behind; NOT ALLOWED when the account is taken away
   */
  batches(signal: AbortSignal): AsyncGenerator<EventBatch>;
  /**
   * The same for one of many: a thousand generators that are waited for 40 times a second leave so much garbage that
   * collecting it keeps everybody waiting.
   * @param take is given what came; where it returns a promise, nothing further comes until that is resolved
   * @throws as {@link batches}, and what `take` throws
   */
  follow(signal: AbortSignal, take: (batch: EventBatch) => void | Promise<void>): Promise<void>;
}

const NO_PLANS: ReadonlySet<string> = new Set();
const READ: Permission = { word: 'watch', right: 'read' };

export interface SubscriptionParts {
  readonly events: Events;
  readonly identity: Identity;
  /** with the groups as they are now; undefined: all */
  readonly patterns: (() => readonly InstancePattern[]) | undefined;
  /** the names, where they alone say what the patterns are: who has the same is told the same */
  readonly chosen?: string | undefined;
  readonly types: readonly EventType[] | undefined;
  /** an event that it knows; undefined: from now on */
  readonly after: Cursor | undefined;
  readonly listed?: boolean | undefined;
  readonly mostOfAccount: number;
  /** whether the account may be told of a plan now */
  mayKnow(plan: string): Promise<boolean>;
  /** whether the request that began it is over */
  isOver(): boolean;
}

/** What one who watches is given next, or for how long there is nothing, ms: 0 where others are to have their turn first. undefined: it is over. */
type Step = EventBatch | number | undefined;

/** Delivers what an account may know at that moment, so that a reload takes effect at once. */
export class EventSubscription implements Subscription {
  readonly cursor: Cursor;
  readonly #parts: SubscriptionParts;
  /** the whole filter, as others may have it; undefined where nobody else has the same */
  readonly #filter: string | undefined;
  #at: number;

  /** @throws ArgoError CURSOR EXPIRED, USAGE */
  constructor(parts: SubscriptionParts) {
    const { events, after, patterns, chosen, types, listed = false } = this.#parts = parts;
    this.#filter = patterns === undefined || chosen !== undefined ? JSON.stringify([types, listed, chosen]) : undefined;
    this.#at = after === undefined ? events.now() : events.position(after);
    this.cursor = events.cursor(this.#at);
  }

  async*batches(signal: AbortSignal): AsyncGenerator<EventBatch> {
    const place = new WatchingPlace(this.#parts, signal);
    try {
      for (;;) {
        const looked = this.#step(place);
        const step = looked instanceof Promise ? await looked : looked;
        if (step === undefined) return;
        if (typeof step === 'number') {
          await place.sleep(step);
        } else {
          yield step;
          place.told();
        }
      }
    } finally {
      place.leave();
    }
  }

  async follow(signal: AbortSignal, take: (batch: EventBatch) => void | Promise<void>): Promise<void> {
    const place = new WatchingPlace(this.#parts, signal);
    try {
      for (;;) {
        const looked = this.#step(place);
        const step = looked instanceof Promise ? await looked : looked;
        if (step === undefined) return;
        if (typeof step === 'number') {
          await place.sleep(step);
        } else {
          const taking = take(step);
          if (taking !== undefined) await taking;
          place.told();
        }
      }
    } finally {
      place.leave();
    }
  }

  /** The last that are remembered, oldest first. */
  async last(most: number): Promise<readonly ToldEvent[]> {
    const { events } = this.#parts;
    const found: ToldEvent[] = [];
    for (let at = events.now(); found.length < most && !this.#parts.isOver();) {
      const looked = events.before(at);
      if (looked.length === 0) break;
      at = looked.at(-1)!.at;
      const named = this.#plansIn(looked);
      const plans = named === undefined ? NO_PLANS : await this.#knownOf(named);
      for (const event of looked) if (found.length < most && this.#concerns(event, plans)) found.push(this.#told(event, plans));
      await nextTurn();
    }
    return found.reverse();
  }

  #step(place: WatchingPlace): Step | Promise<Step> {
    const { events } = this.#parts;
    if (place.isOver || this.#parts.isOver()) return undefined;
    if (place.isTakenAway) throw new ArgoError('NOT ALLOWED', lostWords(this.#parts.identity));
    const look = events.look(this.#at);
    if (look.events.length === 0) return events.closed ? undefined : this.#idle(place);
    const plans = this.#plansIn(look.events);
    return plans === undefined ? this.#found(look, NO_PLANS) : this.#knownOf(plans).then((known) => this.#found(look, known));
  }

  #idle(place: WatchingPlace): Step {
    const left = place.idleSince + WATCH_IDLE - performance.now();
    if (left > 0) return left;
    const { events } = this.#parts;
    this.#at = events.now();
    return { cursor: events.cursor(this.#at), events: [] };
  }

  #found(look: Look, plans: ReadonlySet<string>): Step {
    this.#at = look.events.at(-1)!.at;
    return (plans === NO_PLANS && this.#filter !== undefined ? this.#sharedBatch(look, this.#filter) : this.#batch(look.events, plans)) ?? 0;
  }

  /** What depends on nothing but the account as it is now, the filter and the events: many who watch are told the same. */
  #sharedBatch({ events, told }: Look, filter: string): EventBatch | undefined {
    const { identity: { principal } } = this.#parts;
    let ofAccount = told.get(principal);
    if (ofAccount === undefined) told.set(principal, ofAccount = new Map());
    let batch = ofAccount.get(filter);
    if (batch === undefined && !ofAccount.has(filter)) ofAccount.set(filter, batch = this.#batch(events, NO_PLANS));
    return batch;
  }

  /** @returns undefined where nothing of it is told */
  #batch(looked: readonly ArgoEvent[], plans: ReadonlySet<string>): EventBatch | undefined {
    const found: ToldEvent[] = [];
    for (const event of looked) if (this.#concerns(event, plans)) found.push(this.#told(event, plans));
    if (found.length === 0) return undefined;
    return Object.freeze({ cursor: this.#parts.events.cursor(looked.at(-1)!.at), events: Object.freeze(found) });
  }

  /** The plans of which is told here, where this one wants to know of plans. */
  #plansIn(events: readonly ArgoEvent[]): ReadonlySet<string> | undefined {
    const { types, patterns } = this.#parts;
    if (patterns !== undefined || types?.includes('plan') === false) return undefined;
    let plans: Set<string> | undefined;
    for (const { facts } of events) if (facts.type === 'plan') (plans ??= new Set()).add(facts.plan);
    return plans;
  }

  /** Those of them that may be told to this account. */
  async #knownOf(plans: ReadonlySet<string>): Promise<ReadonlySet<string>> {
    const known = new Set<string>();
    for (const plan of plans) if (await this.#parts.mayKnow(plan)) known.add(plan);
    return known;
  }

  #concerns(event: ArgoEvent, plans: ReadonlySet<string>): boolean {
    const { types, patterns, listed = false, identity: { principal } } = this.#parts;
    return isWanted(event, { types, patterns: patterns?.() }) && (this.#mayKnow(event, plans) || (listed && changesList(principal, event)));
  }

  #mayKnow(event: ArgoEvent, plans: ReadonlySet<string>): boolean {
    const { facts } = event;
    return facts.type === 'plan' ? plans.has(facts.plan) : mayKnow(this.#parts.identity.principal, event);
  }

  #told(event: ArgoEvent, plans: ReadonlySet<string>): ToldEvent {
    const { at, facts } = event;
    const { events, listed = false, identity: { principal } } = this.#parts;
    return new Told(events.cursor(at), timeOfDay(event), asTold(principal, facts), listed && !this.#mayKnow(event, plans) ? true : undefined);
  }
}

/** An event as several are told of it. */
class Told implements ToldEvent {
  readonly cursor: Cursor;
  readonly facts: EventFacts;
  readonly isSilent: true | undefined;
  readonly #at: number;

  /** @param at the time of day. Milliseconds since 1970 */
  constructor(cursor: Cursor, at: number, facts: EventFacts, isSilent: true | undefined) {
    this.cursor = cursor;
    this.facts = facts;
    this.isSilent = isSilent;
    this.#at = at;
    Object.freeze(this);
  }

  /** A date can be changed by whoever has it, so each gets one of its own. */
  get time(): Date {
    return new Date(this.#at);
  }
}

closeClass(Told);

/** The place of one who watches, from its beginning to its end. */
class WatchingPlace {
  /** `performance.now()` of when it was told something last, or began */
  idleSince = performance.now();
  isOver = false;
  isTakenAway = false;
  readonly #sleeper: Sleeper;
  readonly #ends: readonly (() => void)[];

  /** @throws ArgoError BUSY where too many watch already */
  constructor({ events, identity, mostOfAccount }: SubscriptionParts, signal: AbortSignal) {
    const wakes = new AbortController();
    const leave = events.enter(identity.name, mostOfAccount);
    this.#sleeper = events.sleeper(wakes.signal);
    const forget = identity.onTakenAway(() => {
      this.isTakenAway = true;
      wakes.abort();
    });
    const over = onAbort(signal, () => {
      this.isOver = true;
      wakes.abort();
    });
    this.#ends = [over, forget, leave];
  }

  /** Until something may have come, or so many milliseconds are over; with 0, until others had their turn. */
  sleep(ms: number): Promise<unknown> {
    return ms === 0 ? nextTurn() : this.#sleeper.sleep(ms);
  }

  told(): void {
    this.idleSince = performance.now();
  }

  leave(): void {
    this.#sleeper.end();
    this.#ends.forEach((end) => end());
  }
}

/** What is wanted; undefined: all. */
export interface EventChoice {
  readonly types: readonly EventType[] | undefined;
  readonly patterns: readonly InstancePattern[] | undefined;
}

/** Whether an event is of the types and about the instances that were asked for; undefined: all. */
export function isWanted({ facts, subject }: ArgoEvent, { patterns, types }: EventChoice): boolean {
  if (types !== undefined && !types.includes(facts.type)) return false;
  if (patterns === undefined || facts.type === 'server') return true;
  if (facts.type === 'plan') return false;
  if (facts.type === 'provider') return patterns.some((pattern) => pattern.coversProvider(facts.provider));
  // what is done to a provider as a whole has no instance
  if (facts.type === 'action' && subject === undefined) return patterns.some((pattern) => pattern.coversProvider(facts.instance));
  return subject !== undefined && patterns.some((pattern) => pattern.matches(subject));
}

/** Whether somebody's list may be another one after an event. */
function changesList(principal: Principal, { facts: { type }, subject }: ArgoEvent): boolean {
  if (type === 'server' || type === 'provider') return true;
  return type !== 'plan' && type !== 'action' && subject !== undefined && principal.sees(subject);
}

/** Whether somebody may know of an event at this moment; of plans, others decide. */
export function mayKnow(principal: Principal, { facts, subject }: ArgoEvent): boolean {
  if (facts.type === 'server') return principal.allowsSomewhere(READ);
  if (facts.type === 'provider') return principal.allowsProvider(facts.provider, READ);
  if (facts.type === 'action' && subject === undefined) return principal.allowsProvider(facts.instance, READ);
  return subject !== undefined && principal.allows(subject, READ);
}

/** Who is who, and what works say of other things, is nobody's business but of those who may do everything there. */
export function asTold(principal: Principal, facts: EventFacts): EventFacts {
  if (facts.type !== 'action' || principal.allowsProvider(providerOf(facts.instance), EVERYTHING)) return facts;
  return { ...forOthers(facts), account: '-' };
}
