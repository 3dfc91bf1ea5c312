import type { Config, ProviderSettings } from '../config/config.js';
import { Authenticator } from '../auth/authenticator.js';
import type { DriverModule } from '../drivers/driver.js';
import { Events } from '../instances/events.js';
import { EventFeed } from '../instances/feed.js';
import { Gate } from '../instances/gate.js';
import { Provider } from '../instances/provider.js';
import { Registry } from '../instances/registry.js';
import { TagBook, type Bearer } from '../instances/tag-book.js';
import { ORDER_TEXT } from '../kit/api-limits.js';
import { FIRST_LISTING_GRACE, HURRIED_END, LAST_WORDS, PROVIDER_GRACE, SHUTDOWN_GRACE } from '../kit/limits.js';
import { WORK_TASK_TIMEOUT } from '../kit/work-limits.js';
import { Gateways } from '../gateways/gateways.js';
import { Metrics } from '../kit/metrics.js';
import { prepareAll } from '../listening/change.js';
import type { CommandTable } from '../plugins/host/command-table.js';
import { Dispatcher } from '../server/dispatcher.js';
import { LineServer } from '../server/server.js';
import { Audit } from '../store/audit.js';
import { AuditRetention } from '../store/audit-retention.js';
import { FolderInUse, FolderLock } from '../store/folder-lock.js';
import { State } from '../store/state.js';
import { Enrolments } from './enrolments.js';
import { collectFigures, type Told } from './figures.js';
import { Fleet } from './fleet.js';
import type { Loaders } from './loaders.js';
import type { Logger } from './log.js';
import { ownPlaces } from './places.js';
import { Plans } from './plans.js';

/** A folder that cannot be held is told of and goes without: the audit will refuse what it cannot record. */
async function holdStateFolder(folder: string, { log }: Logger): Promise<FolderLock | undefined> {
  try {
    return await FolderLock.take(folder);
  } catch (error) {
    if (error instanceof FolderInUse) throw error;
    log('warn', 'state folder cannot be held, another server could use it as well', { reason: (error as Error).message });
    return undefined;
  }
}

/** The parts of the server, put together; how it starts, takes on a new configuration, and ends. */
export class Daemon {
  readonly #events: Events;
  readonly #registry: Registry;
  readonly #providers = new Map<string, Provider>();
  readonly #gate: Gate;
  readonly #dispatcher: Dispatcher;
  readonly #server: LineServer;
  #config: Config;
  readonly #logger: Logger;
  readonly #loaders: Loaders;
  readonly #gateways: Gateways;
  readonly #plans: Plans;
  readonly #enrolments: Enrolments;
  readonly #fleet: Fleet;
  readonly #state: State;
  readonly #tags: TagBook;
  readonly #audit: Audit;
  readonly #retention: AuditRetention;
  /** held while this server runs; undefined where the state folder cannot be held */
  #folder: FolderLock | undefined;
  readonly #authenticator: Authenticator;
  readonly #figures: Told;

  private constructor(
    config: Config,
    logger: Logger,
    loaders: Loaders,
    audit: Audit,
    table: CommandTable,
    reload: () => Promise<void>,
  ) {
    this.#config = config;
    this.#logger = logger;
    this.#loaders = loaders;
    this.#audit = audit;
    this.#retention = new AuditRetention(config.server.stateDir, config.server.auditKeep, (...wanted) => audit.prune(...wanted));
    const { log } = logger;
    const authenticator = this.#authenticator = new Authenticator(config);
    const state = this.#state = new State(config.server.stateDir, (message, facts) => log('error', message, facts));
    this.#events = new Events(config.server.eventHistory);
    this.#registry = new Registry(this.#events);
    this.#tags = new TagBook(state.tags(), log);
    this.#tags.keepTidy((bearer) => this.#isThere(bearer), () => state.isThere);
    this.#gate = new Gate({
      registry: this.#registry, audit, log,
      actionTimeout: () => this.#config.server.actionTimeout,
      groups: () => this.#config.groups,
      plans: () => this.#plans.desk, enrolment: () => this.#enrolments.desk, fleet: () => this.#fleet.desk,
      tasks: state.tasks('orders', ORDER_TEXT), workTasks: state.tasks('works'), auditRows: (before, most) => audit.rows(before, most), tags: this.#tags,
      maxWatchersPerAccount: () => this.#config.server.maxWatchersPerAccount,
    });
    this.#plans = new Plans({
      authenticator, gate: this.#gate, events: this.#events, state, log,
      groups: () => this.#config.groups, ownHost: () => this.#config.server.ownHost, triggers: () => loaders.triggers(),
    });
    this.#enrolments = new Enrolments({
      audit, log, state, tags: this.#tags, account: (name) => authenticator.account(name), config: () => this.#config, catalogues: loaders.catalogues, reload,
    });
    const requests = new Map<string, { value: number }>();
    this.#dispatcher = new Dispatcher({ authenticator, gate: this.#gate, table, log, requests });
    this.#server = new LineServer(config.server, this.#dispatcher, authenticator, log);
    const metrics = new Metrics();
    this.#figures = collectFigures(metrics, {
      server: this.#server, authenticator, requests, events: this.#events, plans: () => this.#plans.engine, fleet: () => this.#fleet.desk,
    });
    const { listed } = this.#figures;
    this.#fleet = new Fleet({ registry: this.#registry, gate: this.#gate, events: this.#events, state, audit, log, config: () => this.#config, listed });
    const feed = new EventFeed(this.#events, () => this.#config.groups);
    this.#gateways = new Gateways(async (departures) => (await import('../gateways/host.js')).hosts({ authenticator, gate: this.#gate, metrics, feed, state, log, own: ownPlaces(config) }, departures), log);
  }

  /**
   * Starts everything that a configuration names. Providers that do not answer at once are waited for
   * a moment only.
   * @param reload has the configuration read again; rejects where that is refused
   * @throws Error where a listener cannot be opened
   * @throws FolderInUse where another server runs on the state folder
   */
  static async start(config: Config, logger: Logger, loaders: Loaders, reload: () => Promise<void>): Promise<Daemon> {
    const audit = new Audit(config.server.stateDir, (message, facts) => logger.log('error', message, facts), config.server.auditSync);
    const [folder, table] = await Promise.all([holdStateFolder(config.server.stateDir, logger), loaders.plugins.load(config.server.pluginPath)]);
    audit.check();
    const daemon = new Daemon(config, logger, loaders, audit, table, reload);
    daemon.#folder = folder;
    await daemon.#openProviders(config.providers, await daemon.#modulesFor(config));
    try {
      await daemon.#server.listen();
      (await daemon.#gateways.prepare(config.gateways, await loaders.gateways(config.server.pluginPath))).commit();
      (await daemon.#plans.prepare(config)).commit();
      (await daemon.#enrolments.prepare(config)).commit();
      (await daemon.#fleet.prepare(config)).commit();
    } catch (error) {
      // what is open by now would keep the process from ending
      await daemon.stop();
      throw error;
    }
    daemon.#events.add({ type: 'server', now: 'started' });
    return daemon;
  }

  /** Where clients can connect. */
  addresses(): string[] {
    return this.#server.addresses();
  }

  /** Where clients of a gateway can connect. */
  gatewayAddresses(name: string): readonly string[] {
    return this.#gateways.addresses(name);
  }

  /** A code that logs an account in once, at a gateway that takes such codes. */
  loginCode(account: string): string {
    return this.#authenticator.codes.issue(account);
  }

  /**
   * Takes on a new configuration, connections and actions under way undisturbed.
   * @throws Error where a listener or a gateway fails; then nothing has changed
   */
  async reload(config: Config): Promise<void> {
    const catalogue = await this.#loaders.gateways(config.server.pluginPath);
    const change = await prepareAll([
      () => this.#server.prepare(config.server), () => this.#gateways.prepare(config.gateways, catalogue), () => this.#plans.prepare(config),
      () => this.#enrolments.prepare(config), () => this.#fleet.prepare(config),
    ]);
    if (config.server.stateDir !== this.#config.server.stateDir) {
      this.#logger.log('warn', 'state-dir changes at the next start only', { stateDir: config.server.stateDir });
    }
    this.#config = config;
    this.#audit.sync = config.server.auditSync;
    this.#retention.keep = config.server.auditKeep;
    this.#logger.setLevel(config.server.logLevel);
    this.#authenticator.configure(config);
    this.#gate.review();
    const table = await this.#loaders.plugins.load(config.server.pluginPath);
    this.#dispatcher.parts = { ...this.#dispatcher.parts, table };
    const modules = await this.#modulesFor(config);
    const isSame = ({ name, settings, module }: Provider): boolean =>
      config.providers.get(name)?.fingerprint === settings.fingerprint && modules.get(settings.type) === module;
    this.#closeProviders([...this.#providers.values()].filter((provider) => !isSame(provider)), config);
    this.#fleet.review();
    await this.#openProviders(config.providers, modules);
    change.commit();
    this.#events.resize(config.server.eventHistory);
    this.#events.add({ type: 'server', now: 'reloaded' });
  }

  /** Ends listening, lets what runs finish within a limit, logs out of the providers, and closes the audit. */
  async stop(): Promise<void> {
    this.#events.add({ type: 'server', now: 'stopping' });
    this.#events.close();
    this.#server.stopListening();
    this.#plans.drain();
    const drained = this.#gate.drain(SHUTDOWN_GRACE, LAST_WORDS).finally(() => this.#events.finish());
    await Promise.all([
      drained, this.#server.close(SHUTDOWN_GRACE + LAST_WORDS), this.#gateways.stop(SHUTDOWN_GRACE + LAST_WORDS), this.#enrolments.close(),
      this.#fleet.drain(SHUTDOWN_GRACE + LAST_WORDS),
    ]);
    await Promise.all([...this.#providers.values()].map((provider) => provider.close(0)));
    await this.#fleet.close();
    await this.#plans.close();
    this.#retention.close();
    this.#tags.close();
    await Promise.all([this.#audit.close(), this.#state.close()]);
    this.#folder?.release();
  }

  /** What {@link stop} still waits for is given up; the audit says how actions ended, as far as that is known. */
  async hurry(): Promise<void> {
    await this.#gate.hurry(HURRIED_END);
    await this.#audit.close();
  }

  /** Whether something that has tags is there; undefined while that cannot be told. */
  #isThere({ provider, id }: Bearer): boolean | undefined {
    const owner = this.#registry.providerNamed(provider);
    if (owner === undefined) return this.#fleet.mayCome(provider) ? undefined : false;
    if (id === '' || this.#registry.byId(provider, id)) return true;
    return owner.listed && owner.staleReason === undefined ? false : undefined;
  }

  /** The drivers that a configuration needs, by type; of one in `plugin-path`, as its file is now. @throws Error where there is none */
  async #modulesFor({ providers, server }: Config): Promise<ReadonlyMap<string, DriverModule>> {
    const catalogue = await this.#loaders.drivers(server.pluginPath);
    const types = [...new Set([...providers.values()].map(({ type }) => type))];
    return new Map(await Promise.all(types.map(async (type) => {
      const module = await catalogue.load(type);
      if (module === undefined) throw new Error(`there is no driver for type "${type}"`);
      return [type, module] as const;
    })));
  }

  async #openProviders(settings: ReadonlyMap<string, ProviderSettings>, modules: ReadonlyMap<string, DriverModule>): Promise<void> {
    const missing = [...settings.values()].filter(({ name }) => !this.#providers.has(name));
    const opened = missing.map((one) => {
      const provider = new Provider(one, modules.get(one.type)!, this.#registry, this.#logger.log, this.#figures.listed, (lease) => this.#fleet.leaseOf(lease));
      this.#providers.set(one.name, provider);
      return provider;
    });
    this.#registry.arrange([...settings.keys()].map((name) => this.#providers.get(name)!));
    if (opened.length === 0) return;
    const listings = Promise.all(opened.map((provider) => provider.refresh()));
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([listings, new Promise((resolve) => {
      timer = setTimeout(resolve, FIRST_LISTING_GRACE);
    })]);
    clearTimeout(timer);
  }

  /** Their instances are gone at once; what is under way on them may still end. */
  #closeProviders(providers: readonly Provider[], { providers: wanted }: Config): void {
    for (const provider of providers) {
      this.#providers.delete(provider.name);
      this.#registry.remove(provider, wanted.has(provider.name));
      // its tasks go on where it is only configured anew
      void provider.close(PROVIDER_GRACE, wanted.has(provider.name) ? WORK_TASK_TIMEOUT : PROVIDER_GRACE);
    }
  }
}
