import type { Config } from '../config/config.js';
import { ConfigError } from '../config/document.js';
import { loadConfig } from '../config/load.js';
import { endpoint, type Endpoint } from '../config/values.js';
import * as v from 'valibot';
import { HURRIED_END } from '../kit/limits.js';
import { Daemon } from './daemon.js';
import { openLoaders, type Loaders } from './loaders.js';
import { createLogger, type Logger } from './log.js';
import { packageVersion } from '../kit/own-files.js';
import { endWithReader } from './output.js';
import { defaultStateDir, findConfig, OWN_ACCOUNT } from './places.js';

export interface RunOptions {
  /** the configuration file, if one was named */
  readonly config: string | undefined;
  /** where to listen instead of what the configuration says */
  readonly listen: string | undefined;
}

const LISTEN_ERRORS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there already; stop it, or choose another port with `listen` or --listen',
  EACCES: 'this user may not listen there',
  EADDRNOTAVAIL: 'this machine has no such address',
};

/** What went wrong at start, for the person who started it. */
function explain(error: unknown): string {
  if (error instanceof ConfigError) return error.message;
  const { code, address, port, gateway, message } = error as NodeJS.ErrnoException & { address?: string; port?: number; gateway?: string };
  const known = code === undefined ? undefined : LISTEN_ERRORS[code];
  return known && port !== undefined ? `${gateway === undefined ? '' : `gateway ${gateway}: `}cannot listen on ${address}:${port}: ${known}` : message;
}

/** Runs the daemon until it is told to stop. @returns the process's exit code where it could not start */
export async function run(options: RunOptions): Promise<number | undefined> {
  const file = findConfig(options.config);
  const logger = createLogger('info');
  try {
    const loaders = openLoaders(logger.log);
    const { config, greet, elsewhere } = await configure(file, options.listen, loaders);
    logger.setLevel(config.server.logLevel);
    const reload = new Reloading(() => starting, () => configure(file, options.listen, loaders), logger);
    const starting: Promise<Daemon> = Daemon.start(config, logger, loaders, () => reload.ask()).catch(async (error: unknown) => {
      const other = await elsewhere?.(error);
      if (other === undefined) throw error;
      return Daemon.start(other, logger, loaders, () => reload.ask());
    });
    handleSignals(starting, reload, logger);
    const daemon = await starting;
    loaders.atWork();
    greet(daemon);
    return undefined;
  } catch (error) {
    logger.flush();
    process.stderr.write(`argo-server: ${explain(error)}\n`);
    return 1;
  }
}

interface Configured {
  readonly config: Config;
  greet(daemon: Daemon): void;
  /** The configuration to start with where the first try has failed for a port that need not be just that one; undefined: it has not. */
  elsewhere?(error: unknown): Promise<Config | undefined>;
}

async function configure(file: string | undefined, listen: string | undefined, loaders: Loaders): Promise<Configured> {
  const place = listen === undefined ? undefined : parseListen(listen);
  loaders.plugins.begin();
  if (file !== undefined) return { config: withListen(await loadConfig(file, defaultStateDir(), loaders.catalogues), place), greet: () => undefined };
  const { firstPassword, greeting, leavePagePort, ownConfig, PAGE_GATEWAY, pageAt } = await import('./first-start.js');
  const own = await ownConfig(loaders, place?.port === 0);
  const greet = (daemon: Daemon): void => {
    const [address = ''] = daemon.addresses();
    const [page] = daemon.gatewayAddresses(PAGE_GATEWAY);
    endWithReader();
    process.stdout.write(greeting(own, packageVersion(), {
      address, password: firstPassword(), page: page === undefined ? undefined : pageAt(page, daemon.loginCode(OWN_ACCOUNT)),
    }));
  };
  const elsewhere = async (error: unknown): Promise<Config | undefined> => {
    const { code, gateway } = error as { readonly code?: unknown; readonly gateway?: unknown };
    if (code !== 'EADDRINUSE' || gateway !== PAGE_GATEWAY) return undefined;
    leavePagePort();
    return withListen((await ownConfig(loaders, false)).config, place);
  };
  return { config: withListen(own.config, place), greet, elsewhere };
}

function parseListen(listen: string): Endpoint {
  const result = v.safeParse(endpoint, listen);
  if (!result.success) throw new Error(`--listen: ${result.issues[0].message}`);
  return result.output;
}

const withListen = (config: Config, place: Endpoint | undefined): Config =>
  (place === undefined ? config : { ...config, server: { ...config.server, listen: [place] } });

/** Reads the configuration again and has the server go by it: one time after the other. */
class Reloading {
  readonly #starting: () => Promise<Daemon>;
  readonly #configureAnew: () => Promise<Configured>;
  readonly #log: Logger['log'];
  #last: Promise<unknown> = Promise.resolve();

  constructor(starting: () => Promise<Daemon>, configureAnew: () => Promise<Configured>, { log }: Logger) {
    this.#starting = starting;
    this.#configureAnew = configureAnew;
    this.#log = log;
  }

  /** @throws Error where it is refused: then nothing has changed */
  ask(): Promise<void> {
    const asked = this.#last.then(() => this.#reload());
    this.#last = asked.catch(() => undefined);
    return asked;
  }

  async #reload(): Promise<void> {
    try {
      const { config } = await this.#configureAnew();
      await (await this.#starting()).reload(config);
      this.#log('info', 'reloaded', { file: config.file });
    } catch (error) {
      const reason = explain(error);
      this.#log('error', 'reload refused, the former configuration stays', { reason });
      throw new Error(reason, { cause: error });
    }
  }
}

/** Also while the start is under way: a signal then waits for its end. */
function handleSignals(starting: Promise<Daemon>, reload: Reloading, logger: Logger): void {
  const { log } = logger;
  // a refusal is in the log
  process.on('SIGHUP', () => void reload.ask().catch(() => undefined));
  let signals = 0;
  const end = (code: number) => {
    logger.flush();
    process.exit(code);
  };
  const stop = (signal: string) => {
    signals += 1;
    if (signals > 2) end(1);
    if (signals === 2) {
      // also where the start is still under way, or the audit's disk hangs
      setTimeout(end, 2 * HURRIED_END, 1);
      void starting.then((daemon) => daemon.hurry()).then(() => end(1), () => end(1));
      return;
    }
    log('info', 'stopping', { signal });
    void starting.then((daemon) => daemon.stop()).catch((error: unknown) => log('error', 'did not stop well', { cause: error })).then(() => {
      if (signals > 1) return;
      log('info', 'stopped');
      end(0);
    });
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  // A plugin's stray error must not take the power switch of every other machine with it.
  process.on('uncaughtException', (error) => log('error', 'uncaught', { cause: error }));
  process.on('unhandledRejection', (reason) => log('error', 'unhandled rejection', { cause: reason }));
}
