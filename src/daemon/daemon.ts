import type { Config, ProviderSettings } from '../config/config.js';
import { Authenticator } from '../auth/authenticator.js';
import { Gate } from '../instances/gate.js';
import { Provider } from '../instances/provider.js';
import { Registry } from '../instances/registry.js';
import { FIRST_LISTING_GRACE, HURRIED_END, LAST_WORDS, PROVIDER_GRACE, SHUTDOWN_GRACE } from '../kit/limits.js';
import { PluginLoader } from '../plugins/host/loader.js';
import { Dispatcher } from '../server/dispatcher.js';
import { LineServer } from '../server/server.js';
import { Audit } from '../store/audit.js';
import type { Logger } from './log.js';

/** The parts of the server, put together; how it starts, takes on a new configuration, and ends. */
export class Daemon {
  readonly #registry = new Registry();
  readonly #providers = new Map<string, Provider>();
  readonly #gate: Gate;
  readonly #dispatcher: Dispatcher;
  readonly #server: LineServer;
  #config: Config;
  readonly #logger: Logger;
  readonly #plugins: PluginLoader;
  readonly #audit: Audit;
  readonly #authenticator: Authenticator;

  private constructor(
    config: Config,
    logger: Logger,
    plugins: PluginLoader,
    audit: Audit,
    authenticator: Authenticator,
    table: Awaited<ReturnType<PluginLoader['load']>>,
  ) {
    this.#config = config;
    this.#logger = logger;
    this.#plugins = plugins;
    this.#audit = audit;
    this.#authenticator = authenticator;
    const { log } = logger;
    this.#gate = new Gate({
      registry: this.#registry, audit, log,
      actionTimeout: () => this.#config.server.actionTimeout,
      groups: () => this.#config.groups,
    });
    this.#dispatcher = new Dispatcher({ authenticator, gate: this.#gate, table, log });
    this.#server = new LineServer(config.server, this.#dispatcher, authenticator, log);
  }

  /**
   * Starts everything that a configuration names. Providers that do not answer at once are waited for
   * a moment only.
   * @throws Error where a listener cannot be opened
   */
  static async start(config: Config, logger: Logger): Promise<Daemon> {
    const plugins = new PluginLoader(logger.log);
    const audit = new Audit(config.server.stateDir, (message, facts) => logger.log('error', message, facts));
    const [table] = await Promise.all([plugins.load(config.server.pluginPath), audit.open()]);
    const daemon = new Daemon(config, logger, plugins, audit, new Authenticator(config), table);
    await daemon.#openProviders(config.providers);
    try {
      await daemon.#server.listen();
    } catch (error) {
      // what is open by now would keep the process from ending
      await daemon.stop();
      throw error;
    }
    return daemon;
  }

  /** Where clients can connect. */
  addresses(): string[] {
    return this.#server.addresses();
  }

  /**
   * Takes on a new configuration, connections and actions under way undisturbed.
   * @throws Error where a listener fails; then nothing has changed
   */
  async reload(config: Config): Promise<void> {
    const applyToServer = await this.#server.prepare(config.server);
    if (config.server.stateDir !== this.#config.server.stateDir) {
      this.#logger.log('warn', 'state-dir changes at the next start only', { stateDir: config.server.stateDir });
    }
    this.#config = config;
    this.#logger.setLevel(config.server.logLevel);
    this.#authenticator.configure(config);
    this.#gate.review();
    const table = await this.#plugins.load(config.server.pluginPath);
    this.#dispatcher.parts = { ...this.#dispatcher.parts, table };
    this.#closeProviders([...this.#providers.values()].filter(({ name, settings }) => config.providers.get(name)?.fingerprint !== settings.fingerprint), config);
    await this.#openProviders(config.providers);
    applyToServer();
  }

  /** Ends listening, lets what runs finish within a limit, logs out of the providers, and closes the audit. */
  async stop(): Promise<void> {
    this.#server.stopListening();
    await Promise.all([this.#gate.drain(SHUTDOWN_GRACE, LAST_WORDS), this.#server.close(SHUTDOWN_GRACE + LAST_WORDS)]);
    await Promise.all([...this.#providers.values()].map((provider) => provider.close(0)));
    await this.#audit.close();
  }

  /** What {@link stop} still waits for is given up; the audit says how actions ended, as far as that is known. */
  async hurry(): Promise<void> {
    await this.#gate.hurry(HURRIED_END);
    await this.#audit.close();
  }

  async #openProviders(settings: ReadonlyMap<string, ProviderSettings>): Promise<void> {
    const opened = [...settings.values()].filter(({ name }) => !this.#providers.has(name)).map((one) => {
      const provider = new Provider(one, this.#registry, this.#logger.log);
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
      void provider.close(PROVIDER_GRACE);
    }
  }
}
