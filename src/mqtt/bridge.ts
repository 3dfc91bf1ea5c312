import { Follower, type Heard } from '../client/follower.js';
import type { Failure } from '../client/outcome.js';
import { MQTT_LIST_EVERY, MQTT_LIST_SETTLES } from '../kit/mqtt-limits.js';
import { formatEndpoint } from '../kit/text.js';
import { Board } from './board.js';
import { BrokerSide } from './broker-side.js';
import type { BridgeConfig } from './config.js';
import { bridgeDiscovery, discoveryTopics, OFFLINE, ONLINE } from './discovery.js';
import { Display } from './display.js';
import type { Gate } from './gate.js';
import { Leftovers } from './leftovers.js';
import type { Machine } from './machine.js';
import { type OrderEnd, Orders } from './orders.js';
import { Providers } from './providers.js';
import { Rights } from './rights.js';
import { Roster } from './roster.js';
import { Topics } from './topics.js';

export type Say = (message: string) => void;

/** Why an order is not sent. */
const LOST: Failure = { phrase: 'UNREACHABLE', detail: 'the server cannot be reached; nothing was sent' };

/** What `watch` is asked for. */
const TYPES = '--types=state,added,removed,provider,server';

/**
 * The bridge: what a server tells of machines goes onto a board of retained messages, which a broker gets whenever
 * there is one; and what is written to a machine's topic goes to the server. Either may come and go.
 */
export class Bridge {
  readonly broker: BrokerSide;
  readonly #config: BridgeConfig;
  readonly #gate: Gate;
  readonly #say: Say;
  readonly #signal: AbortSignal;
  readonly #topics: Topics;
  readonly #board = new Board();
  readonly #display: Display;
  readonly #leftovers: Leftovers;
  readonly #roster: Roster;
  readonly #orders: Orders;
  readonly #follower: Follower;
  readonly #providers: Providers;
  readonly #rights: Rights;
  /** machines by the topics that orders for them come on */
  #byOrders = new Map<string, Machine>();
  /** what the server says is being taken in */
  #isFollowing = false;
  /** all of it has been taken in at least once since the states were told */
  #isSynced = false;
  #isRefreshing = false;
  #isOutdated = false;
  #refresh: NodeJS.Timeout | undefined;
  /** when it goes off */
  #due = 0;
  #unheard: ReadonlySet<string> = new Set();
  #leftOut = 0;

  constructor(config: BridgeConfig, gate: Gate, say: Say, signal: AbortSignal) {
    this.#config = config;
    this.#gate = gate;
    this.#say = say;
    this.#signal = signal;
    this.#topics = new Topics(config.prefixes);
    this.#display = new Display(this.#board, this.#topics);
    this.#leftovers = new Leftovers(this.#board, this.#display, this.#topics, {
      isShown: (base) => this.#byOrders.has(`${base}/set`),
      isOpen: (device) => {
        const machine = this.#roster.withDevice(device);
        return machine !== undefined && machine.may === undefined;
      },
    });
    this.#roster = new Roster(this.#topics);
    this.#providers = new Providers(gate, () => this.#soon(0), signal);
    this.#rights = new Rights(gate, {
      told: (machine) => this.#mayBe(machine),
      failed: (error) => { if (this.#isFollowing) say(`what may be done with some machines cannot be had: ${worded(error)}`); },
    }, signal);
    this.#orders = new Orders(gate, config.orderTimeout, (machine, end) => this.#ended(machine, end), signal);
    this.#follower = new Follower(gate.session(), { words: [TYPES, ...config.names], state: true, since: undefined, isPatient: true }, {
      begun: (isAnew) => this.#begun(isAnew),
      take: async (heard) => this.#take(heard),
      lost: async (failure, attempts) => this.#lost(failure, attempts),
      missed: async () => say('some events were missed; the states are told anew'),
    });
    this.broker = new BrokerSide({
      config, topics: this.#topics, board: this.#board, leftovers: this.#leftovers, say,
      orderedOn: (topic) => this.#byOrders.get(topic),
      order: (machine, payload, refusal) => this.#orders.give(machine, payload, refusal ?? (this.#isFollowing ? undefined : LOST)),
      isSynced: () => this.#isSynced,
    });
    for (const [topic, payload] of bridgeDiscovery(this.#topics, formatEndpoint(config.server.address))) this.#board.set(topic, payload);
  }

  /** Follows the server until the signal. @returns what will not get better by itself @throws SettingsError */
  async follow(): Promise<Failure | undefined> {
    try {
      return await this.#follower.run(this.#signal);
    } finally {
      clearTimeout(this.#refresh);
      this.#isFollowing = this.#isSynced = false;
      if (this.#orders.running > 0) this.#say(`${this.#orders.running} orders are under way; they go on at the server`);
    }
  }

  #begun(isAnew: boolean): void {
    this.#isFollowing = true;
    this.#say(`following ${formatEndpoint(this.#config.server.address)}`);
    if (isAnew) {
      this.#isSynced = false;
      this.#roster.begin();
      this.#providers.begin();
      // nobody has told us what may have changed
      this.#rights.forget();
    }
    // when the list is there, all is said to be true again
    this.#soon(0);
  }

  #lost(failure: Failure, attempts: number): void {
    this.#isFollowing = false;
    this.#board.set(this.#topics.availability, OFFLINE);
    this.#orders.drop(LOST);
    this.#gate.forget();
    if (attempts === 1) this.#say(`the server is lost: ${failure.phrase}${failure.detail && `: ${failure.detail}`}; all machines are unavailable until it is back`);
  }

  #take(heard: readonly Heard[]): void {
    for (const { event } of heard) {
      if (event === undefined) continue;
      const { instance, provider, now } = event.facts as Record<string, string>;
      switch (event.type) {
        case 'is': this.#show(this.#roster.see(instance!, now!)); break;
        case 'state': this.#show(this.#roster.see(instance!, now!, event.time)); break;
        case 'added':
          this.#roster.see(instance!, now!, event.time);
          this.#soon();
          break;
        case 'removed':
          this.#show(this.#roster.forget(instance!));
          this.#soon();
          break;
        case 'provider': this.#providerSays(provider!, now!); break;
        case 'synced':
          this.#roster.synced();
          this.#soon(0);
          break;
        // what the account may has perhaps changed
        case 'server': if (now === 'reloaded') this.#follower.anew(); break;
      }
    }
  }

  /** Of one that has gone meanwhile nothing is told: nobody would take that away again. */
  #ended(machine: Machine, end: OrderEnd): void {
    if (this.#roster.has(machine)) this.#display.showEnd(machine, end);
  }

  /** It is known what may be done with a machine. */
  #mayBe(machine: Machine): void {
    if (!this.#roster.has(machine)) return;
    this.#display.show(machine);
    this.#leftovers.settle(discoveryTopics(this.#topics, machine));
  }

  #show(machine: Machine | undefined): void {
    if (machine !== undefined) this.#display.showState(machine);
  }

  #providerSays(provider: string, now: string): void {
    this.#providers.says(provider, now === 'answers');
    for (const machine of this.#roster.machines) {
      if (machine.provider !== provider || now === 'answers') continue;
      machine.isStale = true;
      this.#display.showState(machine);
    }
    this.#soon();
  }

  /** The list is asked for, after the events that come with this one. @param ms until then, at the latest */
  #soon(ms = MQTT_LIST_SETTLES): void {
    const due = performance.now() + ms;
    if (this.#refresh !== undefined && this.#due <= due) return;
    clearTimeout(this.#refresh);
    this.#due = due;
    this.#refresh = setTimeout(() => {
      this.#refresh = undefined;
      void this.#update();
    }, ms).unref();
  }

  async #update(): Promise<void> {
    if (this.#isRefreshing) {
      this.#isOutdated = true;
      return;
    }
    this.#isRefreshing = true;
    this.#isOutdated = false;
    try {
      await this.#takeList();
    } catch (error) {
      if (this.#signal.aborted) return;
      if (this.#isFollowing) this.#say(`the list of machines cannot be had: ${worded(error)}`);
    } finally {
      this.#isRefreshing = false;
      if (!this.#signal.aborted) this.#soon(this.#isOutdated ? MQTT_LIST_SETTLES : MQTT_LIST_EVERY);
    }
  }

  async #takeList(): Promise<void> {
    if (!this.#isFollowing || !this.#roster.isWhole) return;
    const listed = await this.#gate.list(this.#signal);
    // what was told while we asked may have begun anew
    if (!this.#isFollowing || !this.#roster.isWhole) return;
    this.#providers.listed(listed.note);
    const { changed, gone, namesGone, unheard, leftOut } = this.#roster.reconcile(listed, (provider) => this.#providers.standingOf(provider));
    for (const machine of gone) this.#display.clearDevice(machine);
    for (const { provider, name } of namesGone) this.#display.clearName(provider, name);
    for (const machine of changed) this.#display.show(machine);
    this.#byOrders = new Map([...this.#roster.machines].map((machine) => [this.#topics.orders(machine.provider, machine.name), machine]));
    this.broker.listen(this.#byOrders.keys());
    if (leftOut > 0 && leftOut !== this.#leftOut) this.#say(`${leftOut} machines are left out: there are too many`);
    this.#leftOut = leftOut;
    if (!this.#isSynced) this.#say(`${this.#byOrders.size} machines`);
    this.#isSynced = true;
    this.#board.set(this.#topics.availability, ONLINE);
    this.#leftovers.update(this.#providers.stale);
    this.#leftovers.look();
    this.#hear(unheard);
    this.#rights.ask(this.#roster.machines);
    this.#providers.ask(this.#roster.machines);
  }

  /** What a new tag or grant lets us see is in the list, and no event has told of it. Names that `watch` does not choose stay unheard. */
  #hear(unheard: readonly string[]): void {
    const isNews = this.#config.names.length === 0 && unheard.some((name) => !this.#unheard.has(name));
    this.#unheard = new Set(unheard);
    if (isNews) this.#follower.anew();
  }
}

const worded = (error: unknown): string => (error instanceof Error ? error.message : String(error));
