import type { Groups } from '../kit/patterns.js';
import type { SecretOptions } from './secret.js';
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
  readonly plans: ReadonlyMap<string, PlanSettings>;
  readonly triggers: ReadonlyMap<string, TriggerSettings>;
  /** left out: no host is enrolled, and this file is changed by nobody but people */
  readonly enrolment?: EnrolmentSettings;
  /** left out: this server is in no fleet */
  readonly fleet?: FleetSettings;
}

/** What this server is in a fleet of many sites. Times in milliseconds. */
export interface FleetSettings {
  /** `site`: others order here; `front`: those of other sites are ordered from here */
  readonly roles: ReadonlySet<'site' | 'front'>;
  /** of this server in the fleet: lower case, one token of a subject */
  readonly name: string;
  /** of the bus: `tls://bus1.example:4222` */
  readonly servers: readonly string[];
  /** who has signed the bus's certificates; undefined: those whom Node trusts */
  readonly caFile: string | undefined;
  /** where its own key is: an nkey's seed */
  readonly nkey: SecretOptions<'nkey'>;
  readonly aliveInterval: number;
  readonly deadAfter: number;
  readonly sendTimeout: number;
  /** how many events of each kind are kept while the bus takes none */
  readonly outboxSize: number;
  /** patterns over names of providers: those that a site offers */
  readonly share: readonly string[];
  /** who may order at this site, and at most what */
  readonly fronts: readonly FleetFrontSettings[];
  /** keys of sites by their names; undefined: the bus's permissions alone say which site is which */
  readonly sites: ReadonlyMap<string, string> | undefined;
  /** differs when the tables in the file differ */
  readonly fingerprint: string;
}

export interface FleetFrontSettings {
  readonly name: string;
  /** an nkey: `U…` */
  readonly publicKey: string;
  readonly grants: readonly GrantSettings[];
}

export interface EnrolmentSettings {
  /** as whom the server logs in on hosts where nobody says otherwise */
  readonly user: string;
  /** of a login that hosts have already, by which ours is brought onto them */
  readonly access: { readonly 'private-key-file'?: string | undefined; readonly 'private-key-env'?: string | undefined };
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
  /** the machines that carry this server, beside those that are found: plans stop them last */
  readonly ownHost: readonly string[];
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
}

export interface GrantSettings {
  readonly instances: readonly string[];
  readonly commands: readonly string[];
}

/** What a script may use in place of its account's password. */
export interface TokenSettings {
  readonly name: string;
  /** `sha256:` and 64 hex digits */
  readonly hash: string;
  /** milliseconds since 1970; undefined: it does not end by itself */
  readonly expires: number | undefined;
  /** of what the account may do, it may do so much */
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
  /** left out: none */
  readonly tokens?: readonly TokenSettings[];
}

export interface ProviderSettings {
  readonly name: string;
  readonly type: string;
  /** what the table's keys yielded, the driver's own among them */
  readonly options: object;
  readonly actionTimeout: number | undefined;
  readonly pollInterval: number | undefined;
  readonly concurrency: number | undefined;
  /** by which several sites that serve the same machines agree on which of them acts; left out: there is no other */
  readonly lease?: string | undefined;
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

/** What a stage does to each of its targets. */
export type StageAction = 'start' | 'stop' | 'reboot' | 'pause' | 'unpause' | 'suspend' | 'resume';

/** One stage of a plan: one action on many, which begins when those before it have ended. */
export interface StageSettings {
  readonly name: string;
  readonly action: StageAction;
  /** names, globs, ranges, groups, and `@stopped-by PLAN`; resolved when the stage begins */
  readonly targets: readonly string[];
  /** stages that have to have ended */
  readonly after: readonly string[];
  /** targets at a time */
  readonly parallel: number;
  /** of a stop: how long the guest is asked before `then`; undefined: as long as an action may take */
  readonly soft: number | undefined;
  /** of a stop: what is done to one that is still on then */
  readonly then: 'force' | 'leave';
  /** milliseconds before the stage's first order, and between two orders */
  readonly pauseBefore: number;
  readonly pauseBetween: number;
  /** what must hold after the last order, before the next stage may begin: a command that ends with 0 */
  readonly settle: { readonly command: readonly string[]; readonly timeout: number } | undefined;
  /** more failures than this make the stage fail */
  readonly maxFailures: { readonly count: number } | { readonly percent: number } | undefined;
  /** what follows when the stage has failed: the next stages all the same; none of those that depend on it; or this one's targets by force */
  readonly onFailure: 'continue' | 'abort' | 'force';
}

export interface PlanSettings {
  readonly name: string;
  /** whose grants it works with */
  readonly account: string;
  readonly stages: readonly StageSettings[];
  /** milliseconds for the whole run, from what began it; undefined: no limit */
  readonly timeLimit: number | undefined;
  /** what becomes of a run that a restart has cut off */
  readonly resume: 'continue' | 'ask' | 'drop';
  /** plans of the same group do not run at the same time */
  readonly exclusive: string | undefined;
  /** what a run does where another of its group is under way: wait for its end, or cancel it */
  readonly whenBusy: 'wait' | 'cancel';
  /** the plan that is run where the cause goes away before the end */
  readonly undo: string | undefined;
  readonly fingerprint: string;
}

export interface TriggerSettings {
  readonly name: string;
  readonly type: string;
  /** what the table's keys yielded */
  readonly options: object;
  readonly fingerprint: string;
}
