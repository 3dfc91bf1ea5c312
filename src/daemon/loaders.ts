import type { Catalogues, TriggerTypes } from '../config/catalogue.js';
import { DriverCatalogue } from '../drivers/catalogue.js';
import { GatewayCatalogue } from '../gateways/catalogue.js';
import type { Log } from '../kit/log.js';
import { PluginLoader } from '../plugins/host/loader.js';

/** What the daemon can be made of: drivers, gateways and commands, its own and those of `plugin-path`. */
export interface Loaders {
  readonly plugins: PluginLoader;
  /** @param pluginPath folders that may bring further ones */
  drivers(pluginPath: readonly string[]): Promise<DriverCatalogue>;
  /** @param pluginPath folders that may bring further ones */
  gateways(pluginPath: readonly string[]): Promise<GatewayCatalogue>;
  /** all that a configuration is checked against */
  readonly catalogues: Catalogues;
}

/** No type of triggers comes with the server as yet. */
const NO_TRIGGERS: TriggerTypes = { types: () => [], options: () => Promise.resolve(undefined), plans: () => Promise.resolve([]) };

export function openLoaders(log: Log): Loaders {
  const plugins = new PluginLoader(log);
  const drivers = async (pluginPath: readonly string[]): Promise<DriverCatalogue> => new DriverCatalogue(await plugins.modulesIn(pluginPath, 'driver'));
  const gateways = async (pluginPath: readonly string[]): Promise<GatewayCatalogue> => new GatewayCatalogue(await plugins.modulesIn(pluginPath, 'gateway'));
  return { plugins, drivers, gateways, catalogues: { providers: drivers, gateways, triggers: () => Promise.resolve(NO_TRIGGERS) } };
}
