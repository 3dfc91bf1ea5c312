import type { Driver, DriverHost, DriverModule, Machine, PowerState } from '../../../src/drivers/driver.js';
import type { ProviderSettings } from '../../../src/config/config.js';
import { capabilitiesOf } from '../../../src/fleet/capabilities.js';
import type { Lease } from '../../../src/instances/lease.js';
import { Events } from '../../../src/instances/events.js';
import { EventFeed } from '../../../src/instances/feed.js';
import { Provider } from '../../../src/instances/provider.js';
import { Registry } from '../../../src/instances/registry.js';
import { Stock } from '../../../src/instances/stock.js';
import type { KeyValue } from '../../../src/store/state.js';

/** A machine that can be started, and nothing else. There may be very many. */
export class SmallMachine implements Machine {
  readonly type = 'vm';

  constructor(readonly id: string, readonly name = id) {}

  status(): Promise<PowerState> {
    return Promise.resolve('on');
  }

  start(): Promise<void> {
    return Promise.resolve();
  }
}

export type Listed = [machine: Machine, state: PowerState][];

export const machines = (count: number, name = (index: number): string => `m${index}`): Listed =>
  Array.from({ length: count }, (_, index) => [new SmallMachine(name(index)), 'on']);

interface Opened {
  readonly provider: Provider;
  readonly driver: Driver;
  readonly host: DriverHost;
  /** what is there when it is listed */
  listed: () => Listed;
}

/** Providers of the test's own, as a site has them. */
export class World {
  readonly events: Events;
  readonly registry: Registry;
  readonly feed: EventFeed;
  readonly stock: Stock;
  readonly settings = new Map<string, ProviderSettings>();
  readonly #providers = new Map<string, Opened>();
  readonly logged: string[] = [];
  readonly log = (level: string, message: string, facts: object = {}): void =>
    void this.logged.push(`${level} ${message} ${JSON.stringify(facts)}`);

  constructor(history = 10_000) {
    this.events = new Events(history);
    this.registry = new Registry(this.events);
    this.feed = new EventFeed(this.events, () => new Map());
    this.stock = new Stock(this.registry, capabilitiesOf);
  }

  /** Opens a provider, and lists it where machines are given. */
  async open(
    name: string,
    listed?: Listed | (() => Listed),
    more: { readonly type?: string; readonly lease?: string; readonly leaseOf?: (name: string) => Lease | undefined } = {},
  ): Promise<Provider> {
    let host: DriverHost | undefined;
    const driver: Driver = {
      list: () => {
        const { listed: now } = this.#providers.get(name)!;
        return Promise.resolve(now().map(([machine, state]) => ({ machine, state })));
      },
      close: () => Promise.resolve(),
    };
    const module: DriverModule = {
      options: {},
      open: (_options, given) => {
        host = given;
        return driver;
      },
    };
    const settings: ProviderSettings = {
      name,
      type: more.type ?? 'fake',
      options: {},
      actionTimeout: undefined,
      pollInterval: 3_600_000,
      concurrency: undefined,
      fingerprint: '',
      ...(more.lease !== undefined && { lease: more.lease }),
    };
    const provider = new Provider(settings, module, this.registry, () => undefined, undefined, more.leaseOf);
    this.settings.set(name, settings);
    this.#providers.set(name, {
      provider,
      driver,
      host: host!,
      listed: typeof listed === 'function' ? listed : () => listed ?? [],
    });
    this.registry.arrange([...this.#providers.values()].map((one) => one.provider));
    if (listed !== undefined) await provider.refresh();
    return provider;
  }

  /** The driver of one that is open. */
  driver(name: string): Driver {
    return this.#providers.get(name)!.driver;
  }

  /** Takes it out of the configuration. */
  async close(name: string, isReplaced = false): Promise<void> {
    const { provider } = this.#providers.get(name)!;
    this.settings.delete(name);
    this.#providers.delete(name);
    this.registry.remove(provider, isReplaced);
    await provider.close(0);
  }

  /** Others are there now. */
  async list(name: string, listed: Listed): Promise<void> {
    const known = this.#providers.get(name)!;
    known.listed = () => listed;
    await known.provider.refresh();
  }

  /** A machine tells of its state. */
  see(name: string, id: string, state: PowerState): void {
    const known = this.#providers.get(name)!;
    known.host.changed(id, state);
    const row = known.listed().find(([machine]) => machine.id === id);
    if (row) row[1] = state;
  }

  async end(): Promise<void> {
    this.events.close();
    this.events.finish();
    await Promise.all([...this.#providers.values()].map(({ provider }) => provider.close(0)));
  }
}

/** Notes in memory. */
export function notes(kept = new Map<string, string>()): KeyValue & { readonly kept: Map<string, string> } {
  return {
    kept,
    get: async (key) => kept.get(key),
    set: async (key, value) => void kept.set(key, value),
    delete: async (key) => void kept.delete(key),
    list: async (prefix, after = '') => [...kept].filter(([key]) => key.startsWith(prefix) && key > after).sort(([one], [other]) => (one < other ? -1 : 1)).map(([key, value]) => ({ key, value })),
  };
}
