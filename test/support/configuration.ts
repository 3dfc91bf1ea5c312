import type { Config } from '../../src/config/config.js';
import { ConfigError } from '../../src/config/document.js';
import { loadConfig as load, parseConfig as parse } from '../../src/config/load.js';
import { openLoaders } from '../../src/daemon/loaders.js';
import { loadDriver } from '../../src/drivers/catalogue.js';
import { Provider } from '../../src/instances/provider.js';
import type { Registry } from '../../src/instances/registry.js';
import type { Log } from '../../src/kit/log.js';

/** The server's own drivers and gateways. */
const { catalogues } = openLoaders(() => undefined);

/** As the daemon reads a configuration. */
export const parseConfig = (file: string, source: string, stateDir: string): Promise<Config> => parse(file, source, stateDir, catalogues);

export const loadConfig = (file: string, stateDir: string): Promise<Config> => load(file, stateDir, catalogues);

/** The message of each fault of a configuration that is being read; none where it is good. */
export async function faultsIn(reading: Promise<Config>): Promise<string[]> {
  try {
    await reading;
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.split('\n');
  }
}

/** The providers of a configuration, not yet listed. */
export async function openProviders({ providers }: Config, registry: Registry, log: Log): Promise<Provider[]> {
  return Promise.all([...providers.values()].map(async (settings) => new Provider(settings, (await loadDriver(settings.type))!, registry, log)));
}
