import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { Account } from '../../src/auth/account.js';
import type { GrantSettings, ProviderSettings } from '../../src/config/config.js';
import type { Driver, DriverModule } from '../../src/drivers/driver.js';
import type { ProviderAbilities } from '../../src/drivers/management/contract.js';
import type { Actor } from '../../src/instances/actor.js';
import { Events } from '../../src/instances/events.js';
import { Gate } from '../../src/instances/gate.js';
import type { Identity, Permission } from '../../src/instances/principal.js';
import { Provider } from '../../src/instances/provider.js';
import { Registry } from '../../src/instances/registry.js';
import type { AuditEntry, AuditLog } from '../../src/store/audit-entry.js';
import { State } from '../../src/store/state.js';
import { RememberedAudit } from '../server/core.js';
import type { FakeMachine } from './fake-driver.js';

/** What a provider of a world is made of. */
export interface FakeHost {
  readonly machines?: FakeMachine[];
  readonly abilities?: ProviderAbilities;
  readonly destination?: Driver['destination'];
  readonly place?: string;
  readonly farPlace?: string;
  readonly type?: string;
  readonly settings?: Partial<ProviderSettings>;
}

export interface World {
  readonly registry: Registry;
  readonly gate: Gate;
  readonly events: Events;
  readonly audit: RememberedAudit;
  readonly logged: string[];
  readonly folder: string;
  /** listings that were asked for, by provider */
  readonly listings: Map<string, number>;
  /** An account at work, by its grants as they are when it asks. */
  actor(name: string, through?: Permission): Actor;
  /** What an account may do from now on, as by a reload; none: it is taken away. */
  grant(name: string, grants: readonly GrantSettings[]): void;
  /** A process that begins anew on the same folder. */
  again(): Promise<World>;
}

export interface WorldOptions {
  readonly hosts: Readonly<Record<string, FakeHost>>;
  readonly accounts: Readonly<Record<string, readonly GrantSettings[]>>;
  readonly audit?: (entry: AuditEntry) => Promise<number>;
  /** false: nothing can be written down */
  readonly isWritten?: boolean;
  readonly folder?: string;
}

class TestAudit extends RememberedAudit {
  constructor(readonly refuse: ((entry: AuditEntry) => Promise<number>) | undefined) {
    super();
  }

  override begin(entry: AuditEntry): Promise<number> {
    return this.refuse?.(entry) ?? super.begin(entry);
  }
}

/** A gate over providers of the test's own, with real accounts and a real state folder. */
export async function world(t: Test, options: WorldOptions): Promise<World> {
  const { hosts, accounts, isWritten = true, folder = mkdtempSync(join(tmpdir(), 'argo-works-')) } = options;
  const logged: string[] = [];
  const log = (level: string, message: string, facts?: Record<string, unknown>): void => {
    logged.push(`${level} ${message} ${JSON.stringify(facts ?? {}, (_, value: unknown) => (value instanceof Error ? `${value.message} (${String(value.cause)})` : value))}`);
  };
  const events = new Events(1000);
  const registry = new Registry(events);
  const listings = new Map<string, number>();
  const providers = Object.entries(hosts).map(([name, { machines = [], abilities, destination, place, farPlace, type = 'fake', settings }]) => {
    const driver: Driver = {
      list: async () => {
        listings.set(name, (listings.get(name) ?? 0) + 1);
        return machines.map((machine) => ({ machine, state: machine.state }));
      },
      close: async () => undefined,
      ...(abilities ? { abilities } : {}), ...(destination ? { destination } : {}),
      ...(place === undefined ? {} : { place }), ...(farPlace === undefined ? {} : { farPlace }),
    };
    const module: DriverModule = { options: {}, open: () => driver };
    return new Provider({ name, type, options: {}, actionTimeout: undefined, pollInterval: undefined, concurrency: undefined, fingerprint: '', ...settings }, module, registry, log);
  });
  registry.arrange(providers);
  await Promise.all(providers.map((provider) => provider.refresh()));
  const audit: AuditLog & RememberedAudit = new TestAudit(options.audit);
  const state = new State(folder, () => undefined);
  t.teardown(async () => {
    await Promise.all(providers.map((provider) => provider.close(0)));
    await state.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const gate = new Gate({
    registry,
    audit,
    log,
    actionTimeout: () => 5000,
    groups: () => new Map(),
    auditRows: (before = Infinity, most) => Promise.resolve(audit.rows(before, most)),
    maxWatchersPerAccount: () => 10,
    ...(isWritten ? { tasks: state.tasks('orders'), workTasks: state.tasks('works') } : {}),
  });
  const known = new Map(Object.entries(accounts).map(([name, grants]) => [name, account(name, grants)]));
  const identity = (name: string): Identity => ({ name, get principal() { return known.get(name) ?? account(name, []); }, onTakenAway: () => () => undefined });
  return {
    registry, gate, events, audit, logged, folder, listings,
    actor: (name, through) => gate.actor({ identity: identity(name), through, origin: '127.0.0.1:1' }),
    grant: (name, grants) => {
      known.set(name, account(name, grants));
      gate.review();
    },
    again: () => world(t, { ...options, folder }),
  };
}

const account = (name: string, grants: readonly GrantSettings[]): Account => new Account({ name, passwordHash: '', from: undefined, grants }, new Map());
