import type { Groups } from '../kit/patterns.js';
import type { Endpoint, Network } from './values.js';

/** A configuration that was read, checked and completed with defaults. Times in milliseconds. */
export interface Config {
  /** undefined for the configuration that start-up makes where there is no file */
  readonly file: string | undefined;
  readonly server: ServerSettings;
  readonly accounts: ReadonlyMap<string, AccountSettings>;
  readonly groups: Groups;
  readonly providers: ReadonlyMap<string, ProviderSettings>;
  readonly gateways: ReadonlyMap<string, GatewaySettings>;
}

export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  /** asks clients for a certificate signed by one of these */
  readonly clientCa: string | undefined;
}

export interface ServerSettings {
  readonly listen: readonly Endpoint[];
  readonly tlsListen: readonly Endpoint[];
  readonly tls: TlsFiles | undefined;
  readonly stateDir: string;
  /** whether the audit is on the disk before an order is sent, or only with the kernel */
  readonly auditSync: 'full' | 'normal';
  /** how much of the audit is kept, in milliseconds and bytes; undefined: all of it */
  readonly auditKeep: { readonly age: number | undefined; readonly size: number | undefined };
  readonly pluginPath: readonly string[];
  /** bytes */
  readonly maxLine: number;
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  readonly idleTimeout: number;
  readonly anonymousList: boolean;
  readonly actionTimeout: number;
  /** events that are remembered for those who watch */
  readonly eventHistory: number;
  readonly maxWatchersPerAccount: number;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
}

export interface GrantSettings {
  readonly instances: readonly string[];
  readonly commands: readonly string[];
}

export interface AccountSettings {
  readonly name: string;
  /** bcrypt */
  readonly passwordHash: string;
  /** undefined: from anywhere */
  readonly from: readonly Network[] | undefined;
  readonly grants: readonly GrantSettings[];
}

export interface ProviderSettings {
  readonly name: string;
  readonly type: string;
  /** what the table's keys yielded, the driver's own among them */
  readonly options: object;
  readonly actionTimeout: number | undefined;
  readonly pollInterval: number | undefined;
  readonly concurrency: number | undefined;
  /** differs when the table in the file differs: a reload then opens the provider anew */
  readonly fingerprint: string;
}

export interface GatewaySettings {
  readonly name: string;
  readonly type: string;
  /** what the table's keys yielded */
  readonly options: object;
  /** differs when the table in the file differs: a reload then hands the new options to the gateway */
  readonly fingerprint: string;
}
