import type * as v from 'valibot';

/**
 * What types of providers or of gateways there are, and which keys each takes. The configuration is
 * checked against catalogues that are handed to it, so it knows no driver and no gateway itself.
 */
export interface Catalogue {
  types(): readonly string[];
  /** The keys of a type's table, beyond those that every such table takes; undefined where there is no such type. */
  options(type: string): Promise<v.ObjectEntries | undefined>;
}

export interface Catalogues {
  /** @param pluginPath folders that may bring further drivers */
  providers(pluginPath: readonly string[]): Promise<Catalogue>;
  /** @param pluginPath folders that may bring further gateways */
  gateways(pluginPath: readonly string[]): Promise<Catalogue>;
}
