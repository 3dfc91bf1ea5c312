import type { Catalogues } from '../config/catalogue.js';
import { DriverCatalogue } from '../drivers/catalogue.js';
import { GatewayCatalogue } from '../gateways/catalogue.js';
import type { Log } from '../kit/log.js';
import type { TriggerCatalogue } from '../plans/triggers/catalogue.js';
import { PluginLoader } from '../plugins/host/loader.js';

/** What the daemon can be made of: drivers, gateways and commands, its own and those of `plugin-path`. */
export interface Loaders {
  readonly plugins: PluginLoader;
  /** @param pluginPath folders that may bring further ones */
  drivers(pluginPath: readonly string[]): Promise<DriverCatalogue>;
  /** @param pluginPath folders that may bring further ones */
  gateways(pluginPath: readonly string[]): Promise<GatewayCatalogue>;
  triggers(): Promise<TriggerCatalogue>;
  /** all that a configuration is checked against */
  readonly catalogues: Catalogues;
  /** The server has started: what is loaded from now on is not to hold up its clients. */
  atWork(): void;
}

/** With the packages that they need they are loaded where there are any. */
const triggers = async (): Promise<TriggerCatalogue> => new (await import('../plans/triggers/catalogue.js')).TriggerCatalogue();

export function openLoaders(log: Log): Loaders {
  const plugins = new PluginLoader(log);
  let isAtWork = false;
  const drivers = async (pluginPath: readonly string[]): Promise<DriverCatalogue> => new DriverCatalogue(await plugins.modulesIn(pluginPath, 'driver'), isAtWork);
  const gateways = async (pluginPath: readonly string[]): Promise<GatewayCatalogue> => new GatewayCatalogue(await plugins.modulesIn(pluginPath, 'gateway'));
  return { plugins, drivers, gateways, triggers, catalogues: { providers: drivers, gateways, triggers }, atWork: () => { isAtWork = true; } };
}
