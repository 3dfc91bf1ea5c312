import type { FleetSettings } from '../../config/config.js';
import type { Gate } from '../../instances/gate.js';
import { FLEET_HUSH, FLEET_HUSH_AGAIN, FLEET_RUNNING_FIRST, FLEET_RUNNING_INTERVAL } from '../../kit/fleet-limits.js';
import type { Log } from '../../kit/log.js';
import type { Groups } from '../../kit/patterns.js';
import type { State } from '../../store/state.js';
import type { Bus, Signer } from '../contract.js';
import type { OfferedProvider } from '../messages.js';
import { askSubject, orderSubject, resultSubject, SITE_QUEUE } from '../subjects.js';
import { Alive } from './alive.js';
import { Asks } from './asks.js';
import { Ceilings } from './ceiling.js';
import type { Clocks } from './clocks.js';
import { Door } from './door.js';
import { Machines } from './machines.js';
import { Orders } from './orders.js';

/** What a configuration says of a site. */
export interface SiteSettings {
  readonly fleet: Pick<FleetSettings, 'name' | 'aliveInterval' | 'deadAfter' | 'fronts'>;
  readonly groups: Groups;
}

export interface SiteParts {
  readonly gate: Gate;
  readonly state: State;
  /** made by whoever made the site, who closes it */
  readonly bus: Bus;
  readonly signer: Signer;
  readonly log: Log;
  /** of this process: another one after a restart has another */
  readonly incarnation: string;
  /** of the program */
  readonly version: string;
  /** Whether fronts are to know of a provider, as the configuration says now. */
  isOffered(provider: string): boolean;
  /** What they are told of those. */
  offered(): readonly OfferedProvider[];
  /** Events that wait for the bus. */
  outbox(): number;
  readonly times?: Partial<SiteTimes>;
}

/** Milliseconds; for tests. */
export interface SiteTimes {
  readonly clocks: Clocks;
  readonly hush: number;
  readonly hushAgain: number;
  readonly runningFirst: number;
  readonly runningEvery: number;
}

const TIMES: SiteTimes = {
  clocks: { now: () => Date.now(), steady: () => performance.now() },
  hush: FLEET_HUSH,
  hushAgain: FLEET_HUSH_AGAIN,
  runningFirst: FLEET_RUNNING_FIRST,
  runningEvery: FLEET_RUNNING_INTERVAL,
};

/** What this server is for fronts: it carries out what they order, through its own gate. */
export class Site {
  readonly #parts: SiteParts;
  readonly #times: SiteTimes;
  readonly #ceilings: Ceilings;
  readonly #alive: Alive;
  readonly #door: Door;
  readonly #machines: Machines;
  #settings: SiteSettings;
  #orders: Orders | undefined;
  #endOrders: (() => void) | undefined;
  #ends: (() => void)[] = [];
  #isEnding = false;

  constructor(parts: SiteParts, settings: SiteSettings) {
    this.#parts = parts;
    this.#settings = settings;
    this.#times = { ...TIMES, ...parts.times };
    const { gate, bus, signer, log, incarnation, version, offered, outbox } = parts;
    const site = settings.fleet.name;
    this.#ceilings = new Ceilings((provider) => parts.isOffered(provider));
    this.#ceilings.configure(settings.fleet.fronts, settings.groups);
    this.#alive = new Alive({
      site, incarnation, version, bus, signer, log, clocks: this.#times.clocks, hush: this.#times.hush, hushAgain: this.#times.hushAgain,
      interval: () => this.#settings.fleet.aliveInterval, deadAfter: () => this.#settings.fleet.deadAfter, offered, orders: () => this.underWay, outbox,
    });
    this.#door = new Door({ site, incarnation, signer, log, ceilings: this.#ceilings });
    this.#machines = new Machines({ gate, ceilings: this.#ceilings, offered });
  }

  /** Orders that are under way. */
  get underWay(): number {
    return this.#orders?.size ?? 0;
  }

  /** Why nothing that fronts order is done now, for people; undefined where it is. */
  get trouble(): string | undefined {
    return this.#parts.bus.trouble ?? this.#alive.trouble;
  }

  /** Whether it takes orders: not before it has listened whether there is another server of its name. */
  get isOpen(): boolean {
    return this.#endOrders !== undefined;
  }

  /** Nobody waits for the bus: what fronts order is taken as soon as it is there. */
  start(): void {
    const { bus } = this.#parts;
    const site = this.#settings.fleet.name;
    const asks = new Asks({ site, door: this.#door, machines: this.#machines, clocks: this.#times.clocks });
    this.#ends = [bus.subscribe(askSubject(site), (asked) => asks.take(asked), SITE_QUEUE)];
    this.#alive.start();
    void this.#alive.settled().then(() => this.#open());
  }

  /** Takes on another configuration, of the same name. Who may do less than before, or nothing, does no more from then on. */
  configure(settings: SiteSettings): void {
    this.#settings = settings;
    this.#ceilings.configure(settings.fleet.fronts, settings.groups);
    this.#parts.gate.review();
    this.#alive.announce();
  }

  /** Something of what is told of the providers has changed. */
  changed(): void {
    this.#alive.announce();
  }

  /** Takes no further orders, and answers those that are under way. @param ms how long they may take */
  async drain(ms: number): Promise<void> {
    this.#alive.leave();
    this.#shut();
    await this.#orders?.idle(ms);
    this.#door.flush();
  }

  /** Lets go of everything but the bus. */
  close(): void {
    this.#shut();
    this.#door.flush();
    for (const end of this.#ends.splice(0)) end();
    this.#alive.close();
  }

  /** No order is taken from now on. */
  #shut(): void {
    this.#isEnding = true;
    this.#endOrders?.();
    this.#endOrders = undefined;
  }

  #open(): void {
    if (this.#isEnding) return;
    const { bus, incarnation, state } = this.#parts;
    const { clocks, runningFirst, runningEvery } = this.#times;
    const site = this.#settings.fleet.name;
    const orders = this.#orders = new Orders({
      site, incarnation, door: this.#door, machines: this.#machines, alive: this.#alive, journal: state.orders(), clocks, runningFirst, runningEvery,
    });
    this.#ends.push(bus.subscribe(resultSubject(site), (asked) => orders.takeResult(asked), SITE_QUEUE));
    this.#endOrders = bus.subscribe(orderSubject(site), (asked) => orders.takeOrder(asked), SITE_QUEUE);
    // what is said behind that on the same connection is heard when orders are
    this.#alive.announce();
  }
}
