import type { Test } from 'tap';
import { Authenticator } from '../../../src/auth/authenticator.js';
import type { Driver, DriverHost, DriverModule, Sightings } from '../../../src/drivers/driver.js';
import { accountsFor } from '../../../src/gateways/accounts.js';
import type { Member } from '../../../src/gateways/contract.js';
import { Collecting } from '../../../src/gateways/zabbix/collecting.js';
import type { NewValue, Outgoing } from '../../../src/gateways/zabbix/contract.js';
import { Events } from '../../../src/instances/events.js';
import { Gate } from '../../../src/instances/gate.js';
import type { PlanDesk } from '../../../src/instances/plans.js';
import { Provider } from '../../../src/instances/provider.js';
import { Registry } from '../../../src/instances/registry.js';
import type { ConfiguredHost, ConfiguredInterface, ConfiguredItem, DiscoveryRule, ProxyConfiguration } from '../../../src/protocols/zabbix/configuration.js';
import type { AvailabilityRow, DiscoveryRow, RegistrationRow } from '../../../src/protocols/zabbix/messages.js';
import { RememberedAudit, STEVE_HASH } from '../../server/core.js';
import { openProviders, parseConfig } from '../../support/configuration.js';
import { until } from '../../support/until.js';
import type { FakeMachine } from '../../instances/fake-driver.js';

/** An account `zabbix` that may read and switch everything; and four machines. */
export const CONFIG = `
[server]
listen = ["127.0.0.1:0"]
[accounts.zabbix]
password = "${STEVE_HASH}"
grants = [{ instances = ["*"], commands = ["read", "power", "plan"] }]
[providers.demo]
type = "sim"
instances = ["lj", "builder", { name = "test", state = "off" }, "dev"]
`;

/** What a server would have got. */
export class Received implements Outgoing {
  readonly all: NewValue[] = [];
  readonly available: AvailabilityRow[] = [];
  readonly discovered: DiscoveryRow[] = [];
  readonly registered: RegistrationRow[] = [];
  /** values that were collected and are lost, by the reason */
  readonly lost: Record<string, number> = {};
  /** instead of keeping values */
  refuse: Error | undefined;

  values(values: readonly NewValue[]): Promise<void> {
    if (this.refuse) return Promise.reject(this.refuse);
    this.all.push(...values);
    return Promise.resolve();
  }

  dropped(reason: string, count: number): void {
    this.lost[reason] = (this.lost[reason] ?? 0) + count;
  }

  availability(rows: readonly AvailabilityRow[]): void {
    this.available.push(...rows);
  }

  discovery(rows: readonly DiscoveryRow[]): void {
    this.discovered.push(...rows);
  }

  registration(rows: readonly RegistrationRow[]): void {
    this.registered.push(...rows);
  }

  of(itemid: string): NewValue[] {
    return this.all.filter((value) => value.itemid === itemid);
  }

  last(itemid: string): NewValue | undefined {
    return this.of(itemid).at(-1);
  }
}

/** A provider of the test's own machines. */
export interface OwnProvider {
  readonly name: string;
  readonly machines: FakeMachine[];
  /** all readings at once */
  sample?: Driver['sample'];
  /** what the next listings do instead of listing */
  fault?: Error | undefined;
}

export interface Rig {
  readonly member: Member;
  readonly received: Received;
  readonly audit: RememberedAudit;
  readonly logged: string[];
  readonly gate: Gate;
  /** Takes another configuration's accounts into force, as a reload does. */
  reload(config: string): Promise<void>;
  /** Lists a provider now. */
  relist(provider: string): Promise<void>;
  /** Takes a provider away, as a reload does whose configuration does not name it any more. */
  withdraw(provider: string): Promise<void>;
  host(provider: string): DriverHost;
  collecting(options?: { now?: () => number; figures?: Readonly<Record<string, number>> }): Collecting;
}

/** Everything of the server that the gateway's half needs, with the real registry, gate and accounts. */
export async function arrange(
  t: Test,
  { config: text = CONFIG, own = [], plans }: { config?: string; own?: readonly OwnProvider[]; plans?: PlanDesk } = {},
): Promise<Rig> {
  const config = await parseConfig('argo-server.conf', text, '/nonexistent');
  const logged: string[] = [];
  const log = (level: string, message: string, facts?: object): void => {
    logged.push(`${level} ${message} ${JSON.stringify(facts ?? {})}`);
  };
  const authenticator = new Authenticator(config, { verify: () => Promise.resolve(false) });
  const registry = new Registry(new Events(1000));
  const hosts = new Map<string, DriverHost>();
  const owned = own.map((one) => {
    const driver: Driver = {
      list: () =>
        one.fault
          ? Promise.reject(one.fault)
          : Promise.resolve(one.machines.map((machine) => ({ machine, state: machine.state })) as Sightings),
      close: () => Promise.resolve(),
      ...(one.sample && { sample: (signal) => one.sample!(signal) }),
    };
    const module: DriverModule = {
      options: {},
      open: (_options, host) => {
        hosts.set(one.name, host);
        return driver;
      },
    };
    return new Provider(
      {
        name: one.name,
        type: 'own',
        options: {},
        actionTimeout: undefined,
        pollInterval: 3_600_000,
        concurrency: undefined,
        fingerprint: '',
      },
      module,
      registry,
      () => undefined,
    );
  });
  const providers = [...(await openProviders(config, registry, log)), ...owned];
  registry.arrange(providers);
  await Promise.all(providers.map((provider) => provider.refresh()));
  t.teardown(() => Promise.all(providers.map((provider) => provider.close(0))));
  const audit = new RememberedAudit();
  const gate = new Gate({ registry, audit, log, actionTimeout: () => 5000, groups: () => config.groups, plans: () => plans });
  const member = accountsFor('zabbix', authenticator, gate, log).service('zabbix');
  const received = new Received();
  return {
    member,
    received,
    audit,
    logged,
    gate,
    reload: async (changed) => {
      authenticator.configure(await parseConfig('argo-server.conf', changed, '/nonexistent'));
      gate.review();
    },
    relist: async (name) => providers.find((provider) => provider.name === name)!.refresh(),
    withdraw: async (name) => {
      const gone = providers.filter((provider) => provider.name === name);
      registry.arrange(providers.filter((provider) => provider.name !== name));
      for (const provider of gone) registry.remove(provider, false);
      await Promise.all(gone.map((provider) => provider.close(0)));
    },
    host: (name) => hosts.get(name)!,
    collecting: ({ now, figures = {} } = {}) => {
      const collecting = new Collecting({
        log,
        outgoing: received,
        member: () => member,
        figure: (name) => figures[name],
        ...(now && { now }),
      });
      t.teardown(() => collecting.close());
      return collecting;
    },
  };
}

/** Items as the server would have them: `host key delay type`, itemid is their place. */
export interface Wanted {
  readonly hosts?: readonly (string | Partial<ConfiguredHost>)[];
  /** of hosts by their place, 1 upwards */
  readonly items?: readonly (Partial<ConfiguredItem> & { readonly key: string })[];
  readonly interfaces?: readonly Partial<ConfiguredInterface>[];
  readonly rules?: readonly DiscoveryRule[];
}

export function wanted({ hosts = ['lj'], items = [], interfaces = [], rules = [] }: Wanted): ProxyConfiguration {
  const all = hosts.map((host, index): ConfiguredHost => {
    const given = typeof host === 'string' ? { host } : host;
    return { hostid: index + 1, host: `host ${index + 1}`, name: given.host ?? '', ...given };
  });
  return {
    hosts: new Map(all.map((host) => [host.hostid, host])),
    items: items.map((item, index) => ({ itemid: String(index + 1), hostid: 1, type: 0, delay: '1s', valueType: 'text', ...item })),
    interfaces: interfaces.map((one, index) => ({ interfaceid: index + 1, hostid: 1, isMain: true, type: 1, address: '127.0.0.1', port: '10050', ...one })),
    rules,
  };
}

/** Waits until an item has such a value, told after it was looked at last. */
export async function valueOf({ received }: Rig, itemid: string, holds: (value: NewValue) => boolean = () => true): Promise<NewValue> {
  let found: NewValue | undefined;
  await until(() => (found = received.of(itemid).findLast(holds)) !== undefined, 15_000, `a value of item ${itemid}; the last is ${JSON.stringify(received.last(itemid))}`);
  return found!;
}
