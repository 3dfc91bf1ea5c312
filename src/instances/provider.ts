import type { Driver, DriverHost, DriverModule, PowerState } from '../drivers/driver.js';
import type { Log } from '../kit/log.js';
import type { ProviderSettings } from '../config/config.js';
import { ArgoError, toArgoError } from '../kit/errors.js';
import { CALLS_WAITING, CLOSE_TIMEOUT, CONCURRENCY, LIST_TIMEOUT, POLL_INTERVAL, RETRY_FIRST, RETRY_LONGEST } from '../kit/limits.js';
import { Deadline, explainDeadline } from '../kit/deadline.js';
import { Places } from '../kit/places.js';
import type { Owner } from './owner.js';
import type { Registry } from './registry.js';

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
  /** whether a listing has ever succeeded */
  listed = false;
  readonly #driver: Driver;
  readonly #calls: Places;
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
  /** actions under way; each is several calls */
  #holds = 0;
  /** what is under way, so that nothing of a closed provider goes on */
  readonly #active = new Set<Deadline>();
  #whenIdle: (() => void) | undefined;
  readonly #registry: Registry;
  readonly #log: Log;

  /** @param module of the settings' type */
  constructor(readonly settings: ProviderSettings, module: DriverModule, registry: Registry, log: Log) {
    this.#registry = registry;
    this.#log = log;
    const { defaults = {} } = module;
    this.name = settings.name;
    this.#pollInterval = settings.pollInterval ?? defaults.pollInterval ?? POLL_INTERVAL;
    this.#calls = new Places(settings.concurrency ?? defaults.concurrency ?? CONCURRENCY, CALLS_WAITING);
    this.actionTimeout = settings.actionTimeout ?? defaults.actionTimeout;
    this.#driver = module.open(settings.options as Parameters<DriverModule['open']>[0], this.#host());
  }

  /**
   * One call to the driver in its turn.
   * @throws what the driver throws; TIMEOUT at the deadline, even where the driver does not heed it
   */
  async call<T>(deadline: Deadline, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#over) throw new ArgoError('UNREACHABLE', `${this.name} is no longer configured`);
    const leave = await this.#calls.take(deadline.signal);
    this.#active.add(deadline);
    try {
      return await deadline.run(work);
    } finally {
      this.#active.delete(deadline);
      if (this.#isIdle) this.#whenIdle?.();
      leave();
    }
  }

  /**
   * Keeps the provider open for an action, from its beginning to its end, also when it is no longer
   * configured meanwhile.
   * @returns ends that
   */
  hold(): () => void {
    this.#holds += 1;
    return () => {
      this.#holds -= 1;
      if (this.#isIdle) this.#whenIdle?.();
    };
  }

  get #isIdle(): boolean {
    return this.#holds === 0 && this.#active.size === 0;
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

  /** The hypervisor's log. @throws ArgoError NOT SUPPORTED where the driver has none */
  async dmesg(deadline: Deadline): Promise<string> {
    const driver = this.#driver;
    if (!driver.dmesg) throw new ArgoError('NOT SUPPORTED', `${this.name} has no hypervisor log to show`);
    return this.call(deadline, (signal) => driver.dmesg!(signal));
  }

  get supportsDmesg(): boolean {
    return this.#driver.dmesg !== undefined;
  }

  /**
   * Stops listing, lets what is under way end, and logs out. Never rejects.
   * @param grace milliseconds after which what is still under way is aborted
   */
  async close(grace: number): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#idle(grace);
    this.#over = true;
    this.#active.forEach((deadline) => deadline.abort(new ArgoError('UNREACHABLE', `${this.name} is being closed`)));
    const deadline = new Deadline(CLOSE_TIMEOUT);
    await deadline.run((signal) => this.#driver.close(signal))
      .catch((error: unknown) => this.#log('warn', 'provider did not close well', { provider: this.name, error: String(error) }));
    deadline.clear();
  }

  #idle(grace: number): Promise<void> {
    if (this.#isIdle) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, grace);
      this.#whenIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #list(): Promise<void> {
    const deadline = new Deadline(LIST_TIMEOUT);
    this.#active.add(deadline);
    try {
      const sightings = await deadline.run((signal) => this.#driver.list(signal));
      if (this.#closed) return;
      const losses = this.#losses;
      await this.#registry.sync(this, sightings);
      if (this.#closed) return;
      this.listed = true;
      this.#failures = 0;
      if (losses === this.#losses) this.#becomeCurrent(sightings.length);
    } catch (thrown) {
      if (this.#closed) return;
      this.#failures += 1;
      const error = toArgoError(explainDeadline(thrown, this.name));
      this.#becomeStale(error.message, error.cause);
    } finally {
      this.#active.delete(deadline);
      if (this.#isIdle) this.#whenIdle?.();
      deadline.clear();
    }
  }

  #becomeCurrent(instances: number): void {
    if (this.staleReason === undefined) return;
    this.staleReason = undefined;
    this.#registry.version += 1;
    this.#log('info', 'provider answers', { provider: this.name, instances });
    this.#registry.events?.add({ type: 'provider', provider: this.name, now: 'answers' });
  }

  #becomeStale(reason: string, cause?: unknown): void {
    const news = this.staleReason !== reason;
    this.staleReason = reason;
    this.#registry.version += 1;
    if (!news) return;
    this.#log('warn', 'provider does not answer', { provider: this.name, reason, cause });
    this.#registry.events?.add({ type: 'provider', provider: this.name, now: 'silent', reason });
  }

  /** The next listing: soon where asked for, by the poll interval, or later and later while it fails. */
  #schedule(soon: boolean): void {
    if (this.#closed) return;
    const backoff = Math.min(RETRY_FIRST * 2 ** (this.#failures - 1), RETRY_LONGEST);
    const interval = this.#failures > 0 ? Math.min(backoff, Math.max(this.#pollInterval, RETRY_FIRST)) : this.#pollInterval;
    const wait = soon && this.#failures === 0 ? 0 : interval * (0.9 + Math.random() * 0.2);
    this.#timer = setTimeout(() => void this.refresh(), wait);
    this.#timer.unref();
  }

  #host(): DriverHost {
    return {
      name: this.name,
      log: (level, message, facts) => this.#log(level, message, { provider: this.name, ...facts }),
      changed: (id: string, state: PowerState) => {
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
