import type { Catalogues } from '../config/catalogue.js';
import { driverCatalogue, loadDriver } from '../drivers/catalogue.js';
import { GatewayCatalogue, gatewayFault } from '../gateways/catalogue.js';
import type { Log } from '../kit/log.js';
import { PluginLoader } from '../plugins/host/loader.js';

/** What the daemon can be made of: drivers, gateways and commands, its own and those of `plugin-path`. */
export interface House {
  readonly plugins: PluginLoader;
  readonly loadDriver: typeof loadDriver;
  /** @param pluginPath folders that may bring further ones */
  gateways(pluginPath: readonly string[]): Promise<GatewayCatalogue>;
  /** all that a configuration is checked against */
  readonly catalogues: Catalogues;
}

export function openHouse(log: Log): House {
  const plugins = new PluginLoader(log, gatewayFault);
  const gateways = async (pluginPath: readonly string[]): Promise<GatewayCatalogue> => new GatewayCatalogue(await plugins.gatewaysIn(pluginPath));
  return { plugins, loadDriver, gateways, catalogues: { providers: driverCatalogue, gateways } };
}
