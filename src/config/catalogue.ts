import type * as v from 'valibot';
import type { Position } from './position.js';

/** What is wrong with what a table stands for. */
export interface TableFault {
  readonly message: string;
  /** another file that the table names, and where in it */
  readonly file?: string;
  readonly position?: Position;
  /** the key of the table, where no other file is meant */
  readonly path?: readonly (string | number)[];
}

/**
 * What types of providers, of gateways or of triggers there are, and which keys each takes. The configuration is
 * checked against catalogues that are handed to it, so it knows none of them itself.
 */
export interface Catalogue {
  types(): readonly string[];
  /** The keys of a type's table, beyond those that every such table takes; undefined where there is no such type. */
  options(type: string): Promise<v.ObjectEntries | undefined>;
  /** Looks beyond a table that fits its type. Left out where that must keep nothing from starting. */
  faults?(type: string, options: object): Promise<readonly TableFault[]>;
}

/** A {@link Catalogue} of gateways. */
export interface GatewayTypes extends Catalogue {
  /** Whether it makes a certificate of its own where its table names none. */
  makesCertificate(type: string): Promise<boolean>;
}

/** A plan that a table names, and the key where it does. */
export interface NamedPlan {
  readonly plan: string;
  readonly path: readonly (string | number)[];
}

/** A group that a table names, without its `@`, and the key where it does. */
export interface NamedGroup {
  readonly group: string;
  readonly path: readonly (string | number)[];
}

/** A {@link Catalogue} of what begins plans. */
export interface TriggerTypes extends Catalogue {
  /** The plans that a table names, once for each place. @param options of a table that fits its type */
  plans(type: string, options: object): Promise<readonly NamedPlan[]>;
  /** The plans whose runs it waits for. */
  hears(type: string, options: object): Promise<readonly NamedPlan[]>;
  groups(type: string, options: object): Promise<readonly NamedGroup[]>;
}

export interface Catalogues {
  /** @param pluginPath folders that may bring further drivers */
  providers(pluginPath: readonly string[]): Promise<Catalogue>;
  /** @param pluginPath folders that may bring further gateways */
  gateways(pluginPath: readonly string[]): Promise<GatewayTypes>;
  triggers(): Promise<TriggerTypes>;
}
