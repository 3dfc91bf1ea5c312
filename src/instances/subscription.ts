import { setImmediate as nextTurn } from 'node:timers/promises';
import { ArgoError } from '../kit/errors.js';
import type { InstancePattern } from '../kit/patterns.js';
import { WATCH_IDLE } from '../kit/limits.js';
import type { ArgoEvent, Cursor, EventFacts, Events, EventType } from './events.js';
import { EVERYTHING, providerOf, type Identity, type Permission, type Principal } from './principal.js';
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

export interface ToldEvent {
  /** stands behind it */
  readonly cursor: Cursor;
  readonly time: Date;
  readonly facts: EventFacts;
  /** the list has to be looked at again; the event itself may not be known */
  readonly isSilent?: true;
}

/** What came. */
export interface EventBatch {
  /** stands behind the last of them: where to go on after a break */
  readonly cursor: Cursor;
  /** empty where nothing came for a while: it is still there */
  readonly events: readonly ToldEvent[];
}

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
}

const NO_PLANS: ReadonlySet<string> = new Set();
const READ: Permission = { word: 'watch', right: 'read' };

export interface SubscriptionParts {
  readonly events: Events;
  readonly identity: Identity;
  /** with the groups as they are now; undefined: all */
  readonly patterns: (() => readonly InstancePattern[]) | undefined;
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

/** Delivers what an account may know at that moment, so that a reload takes effect at once. */
export class EventSubscription implements Subscription {
  readonly cursor: Cursor;
  readonly #parts: SubscriptionParts;
  #at: number;

  /** @throws ArgoError CURSOR EXPIRED, USAGE */
  constructor(parts: SubscriptionParts) {
    const { events, after } = this.#parts = parts;
    this.#at = after === undefined ? events.now() : events.position(after);
    this.cursor = events.cursor(this.#at);
  }

  async *batches(signal: AbortSignal): AsyncGenerator<EventBatch> {
    const { events, identity, mostOfAccount } = this.#parts;
    const gone = new AbortController();
    const leave = events.enter(identity.name, mostOfAccount);
    const forget = identity.onTakenAway(() => gone.abort());
    const sleeper = events.sleeper(AbortSignal.any([signal, gone.signal]));
    let idleSince = performance.now();
    try {
      while (!signal.aborted && !this.#parts.isOver()) {
        if (gone.signal.aborted) throw new ArgoError('NOT ALLOWED', 'the account was taken away');
        const looked = events.after(this.#at);
        const plans = looked.some(({ facts }) => facts.type === 'plan') ? await this.#plansIn(looked) : NO_PLANS;
        const found = looked.filter((event) => this.#concerns(event, plans));
        if (looked.length > 0) this.#at = looked.at(-1)!.at;
        else if (events.closed) return;
        if (found.length > 0) {
          yield { cursor: events.cursor(this.#at), events: found.map((event) => this.#told(event, plans)) };
          idleSince = performance.now();
        } else if (looked.length === 0) {
          const left = idleSince + WATCH_IDLE - performance.now();
          if (left > 0) {
            await sleeper.sleep(left);
          } else {
            this.#at = events.now();
            yield { cursor: events.cursor(this.#at), events: [] };
            idleSince = performance.now();
          }
        } else {
          await nextTurn();
        }
      }
    } finally {
      sleeper.end();
      forget();
      leave();
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
      const plans = looked.some(({ facts }) => facts.type === 'plan') ? await this.#plansIn(looked) : NO_PLANS;
      for (const event of looked) if (found.length < most && this.#concerns(event, plans)) found.push(this.#told(event, plans));
      await nextTurn();
    }
    return found.reverse();
  }

  /** The plans of which is told here and may be told to this account. */
  async #plansIn(events: readonly ArgoEvent[]): Promise<ReadonlySet<string>> {
    const { types, patterns, mayKnow } = this.#parts;
    if (patterns !== undefined || types?.includes('plan') === false) return NO_PLANS;
    const known = new Set<string>();
    for (const plan of new Set(events.flatMap(({ facts }) => (facts.type === 'plan' ? [facts.plan] : [])))) {
      if (await mayKnow(plan)) known.add(plan);
    }
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
    const told = { cursor: events.cursor(at), time: new Date(at / 1000), facts: asTold(principal, facts) };
    return listed && !this.#mayKnow(event, plans) ? { ...told, isSilent: true } : told;
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
