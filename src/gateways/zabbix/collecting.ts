import type { Actor } from '../../instances/actor.js';
import type { Log } from '../../kit/log.js';
import { AVAILABILITY_LOOK, DISCOVERY_LOOK, REGISTRATION_LOOK } from '../../kit/zabbix-collecting-limits.js';
import type { ConfiguredItem, ProxyConfiguration } from '../../protocols/zabbix/configuration.js';
import type { RemoteCommand, TaskResult } from '../../protocols/zabbix/messages.js';
import type { Member } from '../contract.js';
import { Addresses } from './discovering/addresses.js';
import { Availability } from './collecting/availability.js';
import { Collector, type CollectorFigures } from './collecting/collector.js';
import { Commands } from './collecting/commands.js';
import type { Incoming, Outgoing } from './contract.js';
import { Discovery } from './discovering/discovery.js';
import { isPolled } from './items/items.js';
import { Pings } from './items/ping-items.js';
import { Registration } from './discovering/registration.js';
import { Silence } from './collecting/subjects.js';

interface CollectingParts {
  readonly log: Log;
  readonly outgoing: Outgoing;
  /** the configured account, as it is now */
  member(): Member;
  /** a figure of the speaking half, for `argo.proxy[…]`; undefined: there is none of that name */
  figure(name: string): number | undefined;
  /** milliseconds since 1970; another clock in tests */
  now?(): number;
}

/** The half of the gateway that looks at the machines, for one account. */
export class Collecting implements Incoming {
  readonly #parts: CollectingParts;
  readonly #pings: Pings;
  readonly #collector: Collector;
  readonly #availability: Availability;
  readonly #registration: Registration;
  readonly #discovery: Discovery;
  readonly #commands: Commands;
  readonly #rounds: readonly Round[];

  constructor(parts: CollectingParts) {
    this.#parts = parts;
    const { log, outgoing } = parts;
    const silence = new Silence();
    const addresses = new Addresses();
    const pings = this.#pings = new Pings(log);
    const actor = (): Actor => parts.member().actor('items');
    const figure = (name: string): number | undefined => this.#figure(name);
    const now = (): number => parts.now?.() ?? Date.now();
    this.#collector = new Collector({ log, outgoing, silence, pings, actor, figure, now });
    this.#availability = new Availability(outgoing, silence);
    this.#registration = new Registration(outgoing, addresses, log);
    this.#discovery = new Discovery({ outgoing, addresses, pings, log, figure });
    this.#commands = new Commands((origin) => parts.member().actor(origin), log);
    this.#rounds = [
      new Round(AVAILABILITY_LOOK, () => this.#availability.look(actor()), log),
      new Round(REGISTRATION_LOOK, () => this.#registration.look(actor(), now()), log),
      new Round(DISCOVERY_LOOK, async () => this.#discovery.look(actor(), Math.floor(now() / 1000)), log),
    ];
  }

  get figures(): CollectorFigures {
    return this.#collector.figures;
  }

  /** One of this half's own, or of the other's. */
  #figure(name: string): number | undefined {
    const own: Readonly<Record<string, number>> = { ...this.#collector.figures };
    return Object.hasOwn(own, name) ? own[name] : this.#parts.figure(name);
  }

  configured(configuration: ProxyConfiguration): void {
    this.#collector.configured(configuration);
    this.#availability.configured(configuration);
    this.#registration.configured(configuration);
    this.#discovery.configured(configuration, Math.floor((this.#parts.now?.() ?? Date.now()) / 1000));
    this.#rounds.forEach((round) => round.begin());
  }

  /** A reload has changed the gateway's account, or its server: all instances are registered again. */
  reloaded(): void {
    this.#registration.forget();
  }

  /** Those that a proxy polls: what of them is not served here is told to be unsupported. */
  serves(item: Pick<ConfiguredItem, 'type' | 'key'>): boolean {
    return isPolled(item);
  }

  checkNow(itemid: string): void {
    this.#collector.checkNow(itemid);
  }

  run(command: RemoteCommand, origin: string, signal: AbortSignal): Promise<Pick<TaskResult, 'status' | 'info'>> {
    return this.#commands.run(command, origin, signal);
  }

  async close(): Promise<void> {
    this.#discovery.close();
    this.#rounds.forEach((round) => round.close());
    await this.#collector.close();
    this.#pings.close();
  }
}

/** Something that is done again and again, and never twice at a time. */
class Round {
  readonly #every: number;
  readonly #work: () => Promise<void>;
  readonly #log: Log;
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> | undefined;
  #closed = false;

  /** @param every milliseconds between the end of one and the next */
  constructor(every: number, work: () => Promise<void>, log: Log) {
    this.#every = every;
    this.#work = work;
    this.#log = log;
  }

  /** Now, or at the end of the one that is under way it goes on as usual. */
  begin(): void {
    if (this.#closed || this.#working) return;
    clearTimeout(this.#timer);
    this.#working = this.#work()
      .catch((error: unknown) => this.#log('error', 'looking at instances for Zabbix failed', { error }))
      .finally(() => {
        this.#working = undefined;
        if (this.#closed) return;
        this.#timer = setTimeout(() => this.begin(), this.#every);
        this.#timer.unref();
      });
  }

  /** Takes up no more. What is under way is not waited for: it reads, and hands nothing over that anybody would miss. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}
