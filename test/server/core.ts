import type { Test } from 'tap';
import { Authenticator, type AuthenticatorParts } from '../../src/auth/authenticator.js';
import type { Config } from '../../src/config/config.js';
import { openProviders, parseConfig } from '../support/configuration.js';
import { Events } from '../../src/instances/events.js';
import { Gate } from '../../src/instances/gate.js';
import type { FleetDesk } from '../../src/instances/fleet.js';
import type { PlanDesk } from '../../src/instances/plans.js';
import { Registry } from '../../src/instances/registry.js';
import { TagBook } from '../../src/instances/tag-book.js';
import type { Log } from '../../src/kit/log.js';
import { CommandTable, loadCommands } from '../../src/plugins/host/command-table.js';
import type { Plugin } from '../../src/plugins/host/contract.js';
import { PluginLoader } from '../../src/plugins/host/loader.js';
import { Dispatcher } from '../../src/server/dispatcher.js';
import { Reply, type Sink } from '../../src/server/reply.js';
import { LineServer } from '../../src/server/server.js';
import { Session } from '../../src/server/session.js';
import type { AuditEntry, AuditLog, AuditRow, Outcome } from '../../src/store/audit-entry.js';
import type { TagStore } from '../../src/store/tags.js';
import type { TaskStore } from '../../src/store/tasks.js';

/** Of the password `steve`. */
export const STEVE_HASH = '$2b$12$NputH3vRqBIdT3Fcq5GCFOmeRf0Z.6rUOcz6VRBiuKunt6qCHPKGO';

/** The table of an account with one grant. @param commands in quotes: `"read", "image.create"` @param instances likewise */
export const accountTable = (name: string, commands: string, instances = '"*"'): string => `
[accounts.${name}]
password = "${STEVE_HASH}"
grants = [{ instances = [${instances}], commands = [${commands}] }]`;

/** The seed's four machines, and two accounts: steve may do everything, tenant may see lj and test, and start lj. */
export const SEED_CONFIG = `
[server]
listen = ["127.0.0.1:0"]
[accounts.steve]
password = "${STEVE_HASH}"
[[accounts.steve.grants]]
instances = ["*"]
commands = ["*"]
[accounts.tenant]
password = "${STEVE_HASH}"
[[accounts.tenant.grants]]
instances = ["lj", "test"]
commands = ["read"]
[[accounts.tenant.grants]]
instances = ["lj"]
commands = ["start"]
[providers.demo]
type = "sim"
instances = ["lj", "builder", { name = "test", state = "off" }, "dev"]
`;

/** An audit that is only remembered. */
export class RememberedAudit implements AuditLog {
  readonly begun: AuditEntry[] = [];
  readonly ended: { id: number; outcome: Outcome }[] = [];

  begin(entry: AuditEntry): Promise<number> {
    return Promise.resolve(this.begun.push(entry));
  }

  end(id: number, outcome: Outcome): Promise<void> {
    this.ended.push({ id, outcome });
    return Promise.resolve();
  }

  /** As the real one's: those below a number, newest first. */
  rows(before: number, most: number): AuditRow[] {
    const rows = this.begun.map((entry, index) => {
      const end = this.ended.find(({ id }) => id === index + 1);
      return { ...entry, id: index + 1, at: '2026-11-29T06:00:00.000Z', outcome: end?.outcome ?? null, ms: end ? 1 : null };
    });
    return rows.filter(({ id }) => id < before).reverse().slice(0, most);
  }
}

/** A sink that takes everything. */
export class TextSink implements Sink {
  text = '';
  readonly full = false;
  gone = false;

  append(text: string): void {
    this.text += text;
  }

  drain(): undefined {
    return undefined;
  }
}

export interface CoreOptions {
  readonly config?: string;
  /** further plugins beside the server's own */
  readonly plugins?: Readonly<Record<string, Plugin>>;
  readonly authenticator?: AuthenticatorParts;
  readonly plans?: (gate: Gate, authenticator: Authenticator, log: Log) => PlanDesk;
  /** where orders for many are written down */
  readonly tasks?: TaskStore;
  /** where work that is a task is written down */
  readonly workTasks?: TaskStore;
  /** where tags are kept; left out: there are none */
  readonly tags?: TagStore;
  /** left out: it is in no fleet */
  readonly fleet?: FleetDesk;
}

/** Everything of the server but sockets, files and signals. */
export interface Core {
  readonly config: Config;
  readonly dispatcher: Dispatcher;
  readonly authenticator: Authenticator;
  readonly gate: Gate;
  readonly events: Events;
  readonly audit: RememberedAudit;
  readonly logged: string[];
  /** A connection that is none, logged in as an account where one is named. */
  session(account?: string): Promise<Session>;
  /** The whole reply to one line. */
  ask(session: Session, line: string): Promise<string>;
  /** With sockets: listens as configured until the test ends. @returns the port of the first listener, and the server */
  listen(): Promise<{ port: number; server: LineServer }>;
}

/** Puts the parts together as the daemon does. */
export async function startCore(
  t: Test,
  { config: text = SEED_CONFIG, plugins = {}, authenticator: parts, plans, tasks, workTasks, tags, fleet }: CoreOptions = {},
): Promise<Core> {
  const config = await parseConfig('argo-server.conf', text, '/nonexistent');
  const logged: string[] = [];
  const log = (level: string, message: string, facts?: Record<string, unknown>): void => {
    logged.push(
      `${level} ${message} ${JSON.stringify(facts ?? {}, (_, value: unknown) => (value instanceof Error ? value.message : value))}`,
    );
  };
  const authenticator = new Authenticator(
    config,
    parts ?? { verify: (password, hash) => Promise.resolve(hash === STEVE_HASH && password === 'steve') },
  );
  const events = new Events(config.server.eventHistory);
  const registry = new Registry(events);
  const providers = await openProviders(config, registry, log);
  t.teardown(() => Promise.all(providers.map((provider) => provider.close(0))));
  registry.arrange(providers);
  await Promise.all(providers.map((provider) => provider.refresh()));
  const audit = new RememberedAudit();
  const gate: Gate = new Gate({
    registry,
    audit,
    log,
    actionTimeout: () => config.server.actionTimeout,
    groups: () => config.groups,
    maxWatchersPerAccount: () => config.server.maxWatchersPerAccount,
    plans: (): PlanDesk | undefined => desk,
    ...(tasks ? { tasks } : {}),
    ...(workTasks ? { workTasks } : {}),
    ...(tags ? { tags: new TagBook(tags, log) } : {}),
    fleet: () => fleet,
    auditRows: (before = Infinity, most) => Promise.resolve(audit.rows(before, most)),
  });
  const desk = plans?.(gate, authenticator, log);
  const own = await new PluginLoader(log).load([]);
  const table = new CommandTable(
    [
      { name: 'own', commands: own.all() },
      ...Object.entries(plugins).map(([name, plugin]) => ({ name, commands: loadCommands(plugin) })),
    ],
    log,
  );
  const dispatcher = new Dispatcher({ authenticator, gate, table, log });

  const ask = async (session: Session, line: string): Promise<string> => {
    const sink = new TextSink();
    await dispatcher.dispatch(session, line, new Reply(sink, '\n'));
    return sink.text;
  };
  return {
    config,
    dispatcher,
    authenticator,
    gate,
    events,
    audit,
    logged,
    ask,
    session: async (account) => {
      const session = new Session(authenticator, '127.0.0.1', '127.0.0.1:40000');
      if (account !== undefined && (await ask(session, `auth ${account} steve`)) !== '200 OK\n300 DONE\n')
        throw new Error(`${account} cannot log in`);
      return session;
    },
    listen: async () => {
      const server = new LineServer(config.server, dispatcher, authenticator, log);
      await server.listen();
      t.teardown(async () => {
        server.stopListening();
        await server.close(0);
      });
      const [address = ''] = server.addresses();
      return { port: Number(address.slice(address.lastIndexOf(':') + 1)), server };
    },
  };
}
