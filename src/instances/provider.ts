import type { Driver, DriverHost, DriverModule, PowerState, Readings as Values } from '../drivers/driver.js';
import { Link, LinkedList } from '../kit/linked-list.js';
import type { Log } from '../kit/log.js';
import type { ProviderAbilities } from '../drivers/management/contract.js';
import type { Destination } from '../drivers/management/machine.js';
import type { ProviderSettings } from '../config/config.js';
import { afterFailures } from '../kit/backoff.js';
import { ArgoError, toArgoError } from '../kit/errors.js';
import { CLOSE_TIMEOUT, CONCURRENCY, LIST_TIMEOUT, ORDER_PLACE_KEPT, POLL_INTERVAL, RETRY_FIRST, RETRY_LONGEST } from '../kit/limits.js';
import { Deadline, explainDeadline } from '../kit/deadline.js';
import { WORK_TAKES_BACK } from '../kit/work-limits.js';
import { Calls, type Caller, type Place } from './calls.js';
import { leaseOfNobody, requireLease, underLease, type Lease } from './lease.js';
import type { Owner, ProviderWork } from './owner.js';
import { Readings, type Asking, type Question } from './readings.js';
import type { Registry } from './registry.js';

/** Something that is under way, and how it is told that the provider is closed. */
interface UnderWay {
  end(reason: Error): void;
  /** it is a task, or one of its calls */
  readonly isLong: boolean;
}

/**
 * One configured source of instances: keeps the registry current by listing on its own clock, marks
 * what it holds as stale when the driver cannot be reached, and bounds the calls to it. Each
 * provider runs for itself, so one that hangs delays no other.
 */
export class Provider implements Owner {
  readonly name: string;
  readonly actionTimeout: number | undefined;
  /** why what the registry holds of this provider may be out of date; undefined while it is current */
  staleReason: string | undefined = 'not listed yet';
  answers = false;
  /** whether a listing has ever succeeded */
  listed = false;
  lastListing: number | undefined;
  readonly #driver: Driver;
  readonly #calls: Calls;
  readonly #readings: Readings;
  readonly #pollInterval: number;
  #timer: NodeJS.Timeout | undefined;
  #listing: Promise<void> | undefined;
  #listAgain = false;
  #failures = 0;
  /** grows with every loss that the driver tells of */
  #losses = 0;
  /** no longer configured: what runs may end, nothing new comes */
  #closed = false;
  /** the driver is being closed */
  #over = false;
  /** actions under way, each of which is several calls: what tells them that the provider is closed */
  readonly #holds = new LinkedList<UnderWay>();
  /** calls under way, so that nothing of a closed provider goes on */
  readonly #active = new LinkedList<UnderWay>();
  #whenEnded: (() => void) | undefined;
  readonly #registry: Registry;
  readonly #log: Log;
  readonly #onListing: ((provider: string, ms: number) => void) | undefined;
  readonly #leaseOf: (name: string) => Lease | undefined;

  /**
   * @param module of the settings' type
   * @param onListing told of each listing that was taken in, and of how long that took
   * @param leaseOf the lease of a name, as this server keeps it; undefined: it keeps none of that name
   */
  constructor(
    readonly settings: ProviderSettings, readonly module: DriverModule, registry: Registry, log: Log,
    onListing?: (provider: string, ms: number) => void, leaseOf: (name: string) => Lease | undefined = () => undefined,
  ) {
    this.#leaseOf = leaseOf;
    this.#registry = registry;
    this.#log = log;
    this.#onListing = onListing;
    const { defaults = {} } = module;
    this.name = settings.name;
    this.#pollInterval = settings.pollInterval ?? defaults.pollInterval ?? POLL_INTERVAL;
    this.#calls = new Calls(settings.concurrency ?? defaults.concurrency ?? CONCURRENCY);
    this.#readings = new Readings(this.#calls, () => this.#ended());
    this.actionTimeout = settings.actionTimeout ?? defaults.actionTimeout;
    this.#driver = module.open(settings.options as Parameters<DriverModule['open']>[0], this.#host());
  }

  /**
   * One call to the driver in its turn: an order, or what belongs to one.
   * @throws what the driver throws; TIMEOUT at the deadline, even where the driver goes on in spite of its signal; without
   *   the provider's lease UNREACHABLE, and UNCERTAIN where that ends while an order is under way
   */
  call<T>(deadline: Deadline, work: (signal: AbortSignal) => Promise<T>, caller: Caller): Promise<T> {
    if (caller.urgency === 'reading' || caller.isLook === true) return this.#calledInTurn(deadline, work, caller);
    return this.#leased(work, (leased) => this.#calledInTurn(deadline, leased, caller));
  }

  /** Begins an order, which goes to the driver under the provider's lease, where it has one. */
  #leased<T>(work: (signal: AbortSignal) => Promise<T>, begin: (leased: (signal: AbortSignal) => Promise<T>) => Promise<T>): Promise<T> {
    const { lease } = this;
    if (lease === undefined) return begin(work);
    try {
      // what is not held now is not waited for, and looked at again when it is its turn
      requireLease(lease);
    } catch (thrown) {
      return Promise.reject(thrown as Error);
    }
    return begin((signal) => underLease(lease, signal, work));
  }

  #calledInTurn<T>(deadline: Deadline, work: (signal: AbortSignal) => Promise<T>, caller: Caller): Promise<T> {
    if (this.#over) return Promise.reject(this.#gone());
    // a signal is made only where there is something to wait for: it is dear
    const place = deadline.exceeded ? undefined : this.#calls.tryTake(caller, ORDER_PLACE_KEPT);
    if (place) return this.#callFrom(place, deadline, work);
    return this.#calls.take(deadline.signal, caller).then((given) => this.#callFrom(given, deadline, work));
  }

  /** One call that has its place, which it gives back. */
  #callFrom<T>(place: Place, deadline: Deadline, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return this.#run(deadline, work, () => this.#calls.free(place));
  }

  #run<T>(deadline: Deadline, work: (signal: AbortSignal) => Promise<T>, whenOver?: () => void, isLong = false): Promise<T> {
    const active = this.#begin(deadline, isLong);
    return deadline.run(work, () => {
      active.leave();
      whenOver?.();
      this.#ended();
    });
  }

  /** Long work, which holds none of the places that others wait for: who begins it bounds it. @throws what the driver throws; the deadline's reason; without the lease as {@link call} */
  attend<T>(deadline: Deadline, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return this.#over ? Promise.reject(this.#gone()) : this.#leased(work, (leased) => this.#run(deadline, leased, undefined, true));
  }

  get lease(): Lease | undefined {
    const { lease } = this.settings;
    return lease === undefined ? undefined : this.#leaseOf(lease) ?? leaseOfNobody(lease);
  }

  /**
   * One reading of a machine, in its turn. Many who ask the same at a time are answered by one call.
   * @param open holds who asks, so that it can be ended early
   * @throws as {@link call}
   */
  read<T>(question: Question<T>, open?: LinkedList<Asking>): Promise<T> {
    if (this.#over) return Promise.reject(this.#gone());
    if (question.maxAge !== undefined && this.#isSampled(question)) return this.#sampled(question, question.maxAge, open);
    return this.#readings.ask(question, open);
  }

  /** Ends the readings of which the callback gives a reason. */
  endReadings(reason: (question: Question) => Error | undefined): void {
    this.#readings.endWhere(reason);
  }

  /** A machine was told something: what was read of it before holds no longer. */
  changed(id: string): void {
    this.#readings.changed(id);
  }

  #isSampled({ name, isWork }: Question): boolean {
    const { sample, sampled } = this.#driver;
    return sample !== undefined && !isWork && (sampled === undefined || sampled.includes(name as keyof Values));
  }

  /** From what the driver reads of all machines at once, where it has that reading; else asked for singly. */
  async #sampled<T>(question: Question<T>, maxAge: number, open: LinkedList<Asking> | undefined): Promise<T> {
    const { id, name, ms } = question;
    const began = performance.now();
    const samples = await this.#readings.ask({
      ...question, id: '', name: 'sample', maxAge: this.#readings.greatestAge(id, maxAge), ask: (signal) => this.#driver.sample!(signal),
    }, open);
    const value = samples.get(id)?.[name as keyof Values];
    if (value !== undefined) return value as T;
    return this.#readings.ask({ ...question, ms: Math.max(1, ms - (performance.now() - began)) }, open);
  }

  #gone(): ArgoError {
    return new ArgoError('UNREACHABLE', `${this.name} is no longer configured`);
  }

  /** Something that was under way has ended. */
  #ended(): void {
    this.#whenEnded?.();
  }

  /**
   * Keeps the provider open for an action, from its beginning to its end, also when it is no longer
   * configured meanwhile.
   * @param whenOver called when it is closed although the action has not ended
   * @param isLong of a task: longer, where it is only configured anew
   * @returns ends that
   */
  hold(whenOver: () => void, isLong = false): () => void {
    const hold = new Link<UnderWay>({ end: whenOver, isLong });
    this.#holds.append(hold);
    return () => {
      hold.leave();
      this.#ended();
    };
  }

  get #isIdle(): boolean {
    return this.#holds.size === 0 && this.#active.size === 0 && this.#readings.asking === 0;
  }

  /** Lists now, or once more after the listing that is under way. Never rejects. */
  refresh(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    if (this.#listing) {
      this.#listAgain = true;
      return this.#listing;
    }
    clearTimeout(this.#timer);
    this.#listing = this.#list().finally(() => {
      this.#listing = undefined;
      const soon = this.#listAgain;
      this.#listAgain = false;
      this.#schedule(soon);
    });
    return this.#listing;
  }

  /** Resolves when it has been listed by a listing that began after this call, or one was tried in vain. Never rejects. */
  async relist(): Promise<void> {
    await this.#listing;
    await this.refresh();
  }

  get abilities(): ProviderAbilities | undefined {
    return this.#driver.abilities;
  }

  get place(): string | undefined {
    return this.#driver.place;
  }

  get farPlace(): string | undefined {
    return this.#driver.farPlace;
  }

  /** How machines of other providers of its type can be moved to it. @throws ArgoError NOT SUPPORTED */
  destination(): Destination {
    if (this.#driver.destination) return this.#driver.destination();
    throw new ArgoError('NOT SUPPORTED', `machines cannot be moved to ${this.name}${this.farPlace === undefined ? '' : `, which is at ${this.farPlace}`}`);
  }

  /** The hypervisor's log. @throws ArgoError NOT SUPPORTED where the driver has none */
  async dmesg(signal: AbortSignal): Promise<string> {
    if (!this.#driver.dmesg) throw new ArgoError('NOT SUPPORTED', `${this.name} has no hypervisor log to show`);
    return this.#driver.dmesg(signal);
  }

  get supportsDmesg(): boolean {
    return this.#driver.dmesg !== undefined;
  }

  get work(): ProviderWork {
    return { actions: this.#holds.size, waiting: this.#calls.waiting };
  }

  /**
   * Stops listing, lets what is under way end, and logs out. Never rejects.
   * @param grace milliseconds after which what is still under way is aborted
   * @param long the same of tasks
   */
  async close(grace: number, long = grace): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#idle(grace);
    if (this.#hasTasks) {
      this.#end((one) => !one.isLong);
      await this.#idle(long - grace, () => !this.#hasTasks);
      this.#end(() => true);
      // what is half made is taken away by the driver
      await this.#idle(Math.min(WORK_TAKES_BACK, long), () => !this.#hasTasks);
    }
    this.#over = true;
    this.#end(() => true);
    const deadline = new Deadline(CLOSE_TIMEOUT);
    await deadline.run((signal) => this.#driver.close(signal))
      .catch((error: unknown) => this.#log('warn', 'provider did not close well', { provider: this.name, error: String(error) }));
    deadline.clear();
  }

  get #hasTasks(): boolean {
    return [...this.#holds].some(({ isLong }) => isLong);
  }

  /** Ends what is under way, and readings. */
  #end(isMeant: (one: UnderWay) => boolean): void {
    const closed = new ArgoError('UNREACHABLE', `${this.name} is being closed`);
    for (const one of [...this.#holds, ...this.#active]) if (isMeant(one)) one.end(closed);
    this.#readings.endWhere(() => closed);
  }

  /** Notes a call that is under way. */
  #begin(deadline: Deadline, isLong = false): Link<UnderWay> {
    const active = new Link<UnderWay>({ end: (reason) => deadline.abort(reason), isLong });
    this.#active.append(active);
    return active;
  }

  #idle(grace: number, isIdle = (): boolean => this.#isIdle): Promise<void> {
    if (isIdle()) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, grace);
      this.#whenEnded = () => {
        if (!isIdle()) return;
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #list(): Promise<void> {
    const deadline = new Deadline(LIST_TIMEOUT);
    const active = this.#begin(deadline);
    const began = performance.now();
    try {
      const sightings = await deadline.run((signal) => this.#driver.list(signal));
      if (this.#closed) return;
      const losses = this.#losses;
      await this.#registry.sync(this, sightings);
      if (this.#closed) return;
      this.listed = true;
      this.lastListing = Date.now();
      this.#onListing?.(this.name, performance.now() - began);
      this.#failures = 0;
      if (sightings.incomplete !== undefined) this.#becomeStale(sightings.incomplete, undefined, sightings.isSilent !== true);
      else if (losses === this.#losses) this.#becomeCurrent(sightings.length);
    } catch (thrown) {
      if (this.#closed) return;
      this.#failures += 1;
      const error = toArgoError(explainDeadline(thrown, this.name));
      this.#becomeStale(error.message, error.cause);
    } finally {
      active.leave();
      this.#ended();
      deadline.clear();
    }
  }

  #becomeCurrent(instances: number): void {
    if (this.staleReason === undefined) return;
    this.staleReason = undefined;
    this.answers = true;
    this.#registry.version += 1;
    this.#log('info', 'provider answers', { provider: this.name, instances });
    this.#registry.events?.add({ type: 'provider', provider: this.name, now: 'answers' });
  }

  /** @param answers whether it has listed just now, and said that it does not know all */
  #becomeStale(reason: string, cause?: unknown, answers = false): void {
    const news = this.staleReason !== reason || this.answers !== answers;
    this.staleReason = reason;
    this.answers = answers;
    this.#registry.version += 1;
    if (!news) return;
    this.#log('warn', answers ? 'provider does not know all' : 'provider does not answer', { provider: this.name, reason, cause });
    this.#registry.events?.add({ type: 'provider', provider: this.name, now: answers ? 'answers' : 'silent', reason });
  }

  /** The next listing: soon where asked for, by the poll interval, or later and later while it fails. */
  #schedule(soon: boolean): void {
    if (this.#closed) return;
    const longest = Math.min(RETRY_LONGEST, Math.max(this.#pollInterval, RETRY_FIRST));
    const interval = this.#failures > 0 ? afterFailures(this.#failures, RETRY_FIRST, longest) : this.#pollInterval;
    const wait = soon && this.#failures === 0 ? 0 : interval * (0.9 + Math.random() * 0.2);
    this.#timer = setTimeout(() => void this.refresh(), wait);
    this.#timer.unref();
  }

  #host(): DriverHost {
    return {
      name: this.name,
      log: (level, message, facts) => this.#log(level, message, { provider: this.name, ...facts }),
      changed: (id: string, state: PowerState) => {
        this.#readings.changed(id);
        if (!this.#closed && !this.#registry.seeById(this, id, state)) void this.refresh();
      },
      relist: () => void this.refresh(),
      lost: (reason: string) => {
        this.#losses += 1;
        if (!this.#closed) this.#becomeStale(reason);
      },
    };
  }
}
