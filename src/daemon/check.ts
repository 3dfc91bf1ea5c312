import type { Catalogues, TableFault } from '../config/catalogue.js';
import type { Config } from '../config/config.js';
import { ConfigError, parseDocument, type Warning } from '../config/document.js';
import { readConfigFile } from '../config/file.js';
import { loadConfig } from '../config/load.js';
import { WEBHOOK_PREFIX } from '../config/webhooks.js';
import type { EntranceOptions } from '../listening/options.js';
import { readTls } from '../listening/tls-door.js';
import { gatewayWarnings, openToAll } from './check-gateways.js';
import { grantWarnings } from './check-grants.js';
import { openLoaders, type Loaders } from './loaders.js';
import { defaultStateDir, findConfig, ownPlaces } from './places.js';

/** `argo-server check`. */
export interface CheckResult {
  readonly verdict: string;
  /** what is no error and probably not meant, with file, line and column */
  readonly warnings: readonly string[];
}

const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`;

/** The plans that triggers begin. */
async function triggeredPlans({ triggers }: Config, { catalogues }: Loaders): Promise<Set<string>> {
  if (triggers.size === 0) return new Set();
  const catalogue = await catalogues.triggers();
  const named = await Promise.all([...triggers.values()].map(({ type, options }) => catalogue.plans(type, options)));
  return new Set(named.flat().map(({ plan }) => plan));
}

/** What is worth a word about plans; what finds it is loaded where there are any. */
async function plansOf(config: Config, loaders: Loaders): Promise<Warning[]> {
  if (config.plans.size === 0) return [];
  return (await import('./check-plans.js')).planWarnings(config, await triggeredPlans(config, loaders));
}

const fleetOf = async (config: Config): Promise<Warning[]> =>
  (config.fleet === undefined ? [] : (await import('./check-fleet.js')).fleetWarnings(config));

/** As the daemon checks a configuration, and what lies beyond its tables: that keeps the daemon from nothing. */
const thorough = ({ drivers, gateways, catalogues }: Loaders): Catalogues => ({
  ...catalogues,
  providers: async (pluginPath) => {
    const found = await drivers(pluginPath);
    return { types: () => found.types(), options: (type) => found.options(type), faults: (type, options) => found.check(type, options) };
  },
  gateways: async (pluginPath) => {
    const found = await gateways(pluginPath);
    return {
      types: () => found.types(), options: (type) => found.options(type), makesCertificate: (type) => found.makesCertificate(type),
      faults: async (type, options) => [...await found.check(type, options), ...tlsFaults(options)],
    };
  },
});

/** A certificate by which a gateway cannot speak TLS where it is to listen. */
function tlsFaults(options: EntranceOptions | object): TableFault[] {
  if (!('tls-listen' in options) || options['tls-listen'].length === 0) return [];
  const { 'tls-cert': cert, 'tls-key': key, 'tls-client-ca': clientCa } = options;
  if (cert === undefined || key === undefined) return [];
  try {
    readTls({ cert, key, clientCa });
    return [];
  } catch (error) {
    return [{ message: (error as Error).message, path: ['tls-listen'] }];
  }
}

/** Nothing that a gateway hands out may be the server's own; where that is, the whole file says. @throws ConfigError */
async function checkOwn(file: string, config: Config, { gateways }: Loaders): Promise<void> {
  if (config.gateways.size === 0) return;
  const catalogue = await gateways(config.server.pluginPath);
  const found = await Promise.all([...config.gateways.values()].map(async ({ name, type, options }) =>
    (await catalogue.checkOwn(type, options, ownPlaces(config))).map(({ message, path = [] }) => ({ message, path: ['gateways', name, ...path] }))));
  if (found.flat().length === 0) return;
  const document = parseDocument(file, readConfigFile(file));
  throw new ConfigError(file, found.flat().map(({ message, path }) => ({ message, position: document.position(path) })));
}

/** Warnings as the faults of a configuration are told. */
function placed(file: string, warnings: readonly Warning[]): string[] {
  if (warnings.length === 0) return [];
  const document = parseDocument(file, readConfigFile(file));
  return warnings.map(({ message, path }) => new ConfigError(file, [{ message, position: document.position(path) }]).message);
}

/**
 * @param asked the configuration file, if one was named
 * @throws Error with everything that is wrong, or where there is no file, or no good certificate
 */
export async function check(asked: string | undefined): Promise<CheckResult> {
  const file = findConfig(asked);
  if (file === undefined) throw new Error('there is no configuration file to check; name one with --config');
  const warnings = new Set<string>();
  const loaders = openLoaders((_level, message, facts) => void warnings.add(`${message}: ${String(facts?.plugin ?? facts?.folder)}: ${String(facts?.reason ?? facts?.word)}`));
  const config = await loadConfig(file, defaultStateDir(), thorough(loaders)).catch((error: unknown) => {
    // a file that could not be loaded may be why there is no such gateway
    throw new Error([(error as Error).message, ...warnings].join('\n'), { cause: error });
  });
  await checkOwn(file, config, loaders);
  const { server, accounts, providers, plans, triggers, fleet } = config;
  if (server.tls) readTls(server.tls);
  const table = await loaders.plugins.load(server.pluginPath);
  const hooks = [...config.gateways.keys()].filter((name) => name.startsWith(WEBHOOK_PREFIX)).length;
  const further = [count(config.gateways.size - hooks, 'gateway'), count(hooks, 'webhook'), count(plans.size, 'plan'), count(triggers.size, 'trigger')].filter((words) => !words.startsWith('0 '));
  const role = fleet === undefined ? [] : [`${[...fleet.roles].join(' and ')} ${fleet.name} of a fleet`];
  const parts = [count(accounts.size, 'account'), count(providers.size, 'provider'), ...further, ...role];
  return {
    verdict: `${file} is good: ${parts.join(', ')}`,
    warnings: [
      ...openToAll(file), ...warnings,
      ...placed(file, [...grantWarnings(config, table), ...gatewayWarnings(config), ...await plansOf(config, loaders), ...await fleetOf(config)]),
    ],
  };
}
