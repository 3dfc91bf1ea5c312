import { createHash } from 'node:crypto';
import { afterFailures } from '../kit/backoff.js';
import { ArgoError } from '../kit/errors.js';
import {
  FAILURES_REMEMBERED, KNOWN_ADDRESS_FORGOTTEN, KNOWN_ADDRESSES_PER_ACCOUNT, LOGIN_DELAY_FIRST, LOGIN_DELAY_FORGOTTEN,
  LOGIN_DELAY_LONGEST, LOGIN_DELAY_NEWCOMER, LOGIN_FAILURES, LOGINS_DELAYED, LOGINS_WAITING_PER_ADDRESS, NEWCOMER_FAILURES,
} from '../kit/limits.js';
import type { Origin } from './networks.js';
import type { Turn } from './passwords.js';

/** Milliseconds on a clock that nobody sets back. */
export type Clock = () => number;

/** Removes the entries of a map that were set first, down to a number. */
function trim(map: Map<string, unknown>, most: number): void {
  for (const key of map.keys()) {
    if (map.size <= most) return;
    map.delete(key);
  }
}

/** Adds to one of many numbers; those that come to nothing are not kept. */
function increase(numbers: Map<string, number>, key: string, by: number): void {
  const now = (numbers.get(key) ?? 0) + by;
  if (now > 0) numbers.set(key, now);
  else numbers.delete(key);
}

/** Attempts of newcomers are let in beside the others, so that those cannot keep them out. */
type Kind = 'newcomers' | 'others';

interface CountLimits {
  /** failures without delay */
  readonly free: number;
  /** attempts at a time once there is a delay */
  readonly atATime: number;
}

/** Failures that are past the free ones and still make the delay longer. */
const STEPS = Math.ceil(Math.log2(LOGIN_DELAY_LONGEST / LOGIN_DELAY_FIRST)) + 1;

interface Failures {
  /** those that are not forgotten yet, when the last one was added */
  count: number;
  /** since it was quiet for a while */
  lately: number;
  /** on the throttle's clock */
  last: number;
}

/** Failed logins by one kind of key, the longest-remembered forgotten first, and the attempts under way. */
class Count {
  readonly #failures = new Map<string, Failures>();
  readonly #underWay = { newcomers: new Map<string, number>(), others: new Map<string, number>() };
  readonly #limits: CountLimits;
  readonly #now: Clock;
  /** failures that are forgotten a millisecond; undefined: all at once, a while after the last one */
  readonly #leak: number | undefined;

  /**
   * @param isShared many who have nothing to do with each other have one key, so that it may never
   *   be quiet: its failures are forgotten one by one, as many in a while as are free
   */
  constructor(limits: CountLimits, isShared: boolean, now: Clock) {
    this.#limits = limits;
    this.#now = now;
    this.#leak = isShared ? limits.free / LOGIN_DELAY_FORGOTTEN : undefined;
  }

  get size(): number {
    return this.#failures.size;
  }

  /** Milliseconds that the next attempt has to wait. */
  delay(key: string): number {
    const counted = this.#count(key) - this.#limits.free;
    return counted <= 0 ? 0 : afterFailures(Math.ceil(counted), LOGIN_DELAY_FIRST, LOGIN_DELAY_LONGEST);
  }

  /** Failures since it was quiet for a while. */
  lately(key: string): number {
    const failures = this.#failures.get(key);
    return failures === undefined || this.#isOld(failures) ? 0 : failures.lately;
  }

  /** Whether the key is slowed down, and has as many attempts of the kind under way as it may then have. */
  isFull(key: string, kind: Kind): boolean {
    return (this.#underWay[kind].get(key) ?? 0) >= this.#limits.atATime && this.delay(key) > 0;
  }

  underWay(key: string): number {
    return (this.#underWay.newcomers.get(key) ?? 0) + (this.#underWay.others.get(key) ?? 0);
  }

  enter(key: string, kind: Kind): void {
    increase(this.#underWay[kind], key, 1);
  }

  leave(key: string, kind: Kind): void {
    increase(this.#underWay[kind], key, -1);
  }

  fail(key: string): void {
    const count = Math.min(this.#count(key) + 1, this.#limits.free + STEPS);
    const lately = this.lately(key) + 1;
    this.#failures.delete(key);
    this.#failures.set(key, { count, lately, last: this.#now() });
    trim(this.#failures, FAILURES_REMEMBERED);
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }

  #isOld({ last }: Failures): boolean {
    return this.#now() - last > LOGIN_DELAY_FORGOTTEN;
  }

  /** Failures that are not forgotten yet. */
  #count(key: string): number {
    const failures = this.#failures.get(key);
    if (failures === undefined) return 0;
    if (this.#leak !== undefined) return Math.max(0, failures.count - (this.#now() - failures.last) * this.#leak);
    return this.#isOld(failures) ? 0 : failures.count;
  }
}

/** The addresses from which accounts have logged in rightly. */
class KnownAddresses {
  /** by account, those used last at the end; only accounts that there are ever get here */
  readonly #times = new Map<string, Map<string, number>>();
  readonly #now: Clock;

  constructor(now: Clock) {
    this.#now = now;
  }

  has(account: string, source: string): boolean {
    const last = this.#times.get(account)?.get(source);
    return last !== undefined && this.#now() - last <= KNOWN_ADDRESS_FORGOTTEN;
  }

  add(account: string, source: string): void {
    let times = this.#times.get(account);
    if (times === undefined) this.#times.set(account, times = new Map());
    times.delete(source);
    times.set(source, this.#now());
    trim(times, KNOWN_ADDRESSES_PER_ACCOUNT);
  }

  forgetAccounts(isGone: (account: string) => boolean): void {
    for (const account of this.#times.keys()) if (isGone(account)) this.#times.delete(account);
  }

  get size(): number {
    return [...this.#times.values()].reduce((sum, { size }) => sum + size, 0);
  }
}

/** How an attempt may go on. */
export interface Attempt {
  /** milliseconds to wait first */
  readonly delay: number;
  /** where it then stands in the line for the check */
  readonly turn: Turn;
  /** to be called when it has ended */
  readonly leave: () => void;
}

/** The longest name that an account can have, in UTF-16 units. */
const LONGEST_NAME = 128;

/** What is remembered of a name: anything may be typed, as long as a line. */
const keyOf = (name: string): string => (name.length > LONGEST_NAME ? createHash('sha256').update(name).digest('base64') : name);

const busy = (): ArgoError => new ArgoError('BUSY', 'too many logins at a time');

/** A count, and which of its keys is meant. */
type Counted = readonly [Count, string];

/**
 * Slows guessing down for those who guess. An account that logs in from an address from which it has
 * lately done so waits for nobody's failures but those at this account from this address. For all
 * others those of the address, its network and its region count, and those at the account from
 * everywhere; newcomers feel others' failures less. Names without an account are treated like those
 * with one.
 */
export class Throttle {
  readonly #pairs: Count;
  readonly #sources: Count;
  readonly #networks: Count;
  readonly #regions: Count;
  readonly #accounts: Count;
  readonly #known: KnownAddresses;
  #delayed = 0;
  readonly #delayedByRegion = new Map<string, number>();

  constructor(now: Clock = () => performance.now()) {
    this.#pairs = new Count(LOGIN_FAILURES.accountFromAddress, false, now);
    this.#sources = new Count(LOGIN_FAILURES.address, false, now);
    this.#networks = new Count(LOGIN_FAILURES.network, true, now);
    this.#regions = new Count(LOGIN_FAILURES.region, true, now);
    this.#accounts = new Count(LOGIN_FAILURES.account, true, now);
    this.#known = new KnownAddresses(now);
  }

  /** How many keys are remembered in all. */
  get remembered(): number {
    return [this.#pairs, this.#sources, this.#networks, this.#regions, this.#accounts, this.#known].reduce((sum, { size }) => sum + size, 0);
  }

  /**
   * Begins an attempt.
   * @throws ArgoError BUSY where too many are under way
   */
  enter(name: string, origin: Origin): Attempt {
    const account = keyOf(name);
    const { pair, place, everywhere } = this.#countsOf(account, origin);
    const isKnown = this.#known.has(account, origin.source);
    const kind: Kind = !isKnown && this.#isNew(origin) ? 'newcomers' : 'others';
    const counts = isKnown ? [pair] : [pair, ...place, everywhere];
    const mostOf: Counted = isKnown ? pair : place[0];
    if (mostOf[0].underWay(mostOf[1]) >= LOGINS_WAITING_PER_ADDRESS) throw busy();
    if (counts.some(([count, key]) => count.isFull(key, kind))) throw busy();
    const longest = kind === 'newcomers' ? LOGIN_DELAY_NEWCOMER : LOGIN_DELAY_LONGEST;
    const delay = Math.min(longest, Math.max(...counts.map(([count, key]) => count.delay(key))));
    if (delay > 0) this.#beginDelay(origin.region);
    for (const [count, key] of counts) count.enter(key, kind);
    return {
      delay,
      turn: { path: [origin.region, origin.network, origin.source, account], isFirst: isKnown && delay === 0 },
      leave: () => {
        for (const [count, key] of counts) count.leave(key, kind);
        if (delay > 0) this.#endDelay(origin.region);
      },
    };
  }

  failed(name: string, origin: Origin): void {
    const account = keyOf(name);
    const { pair, place, everywhere } = this.#countsOf(account, origin);
    for (const [count, key] of [pair, ...place]) count.fail(key);
    // who guesses beside an account's owner is slowed there, and does not slow its other places
    if (!this.#known.has(account, origin.source)) everywhere[0].fail(everywhere[1]);
  }

  /** The address keeps its failures: who knows one password must not use it to guess another's. */
  succeeded(name: string, origin: Origin): void {
    const account = keyOf(name);
    const [count, key] = this.#countsOf(account, origin).pair;
    count.forget(key);
    this.#known.add(account, origin.source);
  }

  /** Forgets from where accounts logged in that are no more. */
  forgetAccounts(isGone: (name: string) => boolean): void {
    this.#known.forgetAccounts(isGone);
  }

  #countsOf(account: string, { source, network, region }: Origin): { pair: Counted; place: readonly [Counted, Counted, Counted]; everywhere: Counted } {
    return {
      pair: [this.#pairs, `${source} ${account}`],
      place: [[this.#sources, source], [this.#networks, network], [this.#regions, region]],
      everywhere: [this.#accounts, account],
    };
  }

  /** Whether hardly any login from there failed lately, and none is under way. */
  #isNew({ source, network, isNewBy }: Origin): boolean {
    const [count, key] = isNewBy === 'source' ? [this.#sources, source] : [this.#networks, network];
    return count.lately(key) < NEWCOMER_FAILURES && count.underWay(key) === 0;
  }

  /** A region never takes more than half of what is left, so that there is always something for another. */
  #beginDelay(region: string): void {
    const left = LOGINS_DELAYED - this.#delayed;
    if ((this.#delayedByRegion.get(region) ?? 0) >= left) throw busy();
    this.#delayed += 1;
    increase(this.#delayedByRegion, region, 1);
  }

  #endDelay(region: string): void {
    this.#delayed -= 1;
    increase(this.#delayedByRegion, region, -1);
  }
}
