import type * as v from 'valibot';
import type { TableFault } from '../config/catalogue.js';
import type { Actor } from '../instances/actor.js';
import type { ArgoEvent, EventFacts } from '../instances/events.js';
import type { EventFeed } from '../instances/feed.js';
import type { Deadline } from '../kit/deadline.js';
import type { Log } from '../kit/log.js';
import type { Metrics } from '../kit/metrics.js';
import type { Change } from '../listening/change.js';
import type { Entrance, EntranceEvents } from '../listening/entrance.js';
import type { HttpDoors } from '../listening/http.js';
import type { History } from '../store/history.js';
import type { KeyValue, Once, Outbox } from '../store/state.js';

/**
 * The contract between the server and a gateway: the code that stands for one further protocol in
 * front of the machines. A gateway reaches machines through actors alone, as commands do; sockets,
 * logins, limits and state come from its host.
 */

/** The default export of a gateway's module. */
export interface GatewayModule<Entries extends v.ObjectEntries = v.ObjectEntries> {
  /** the keys of its table in argo-server.conf, beside `type` */
  readonly options: Entries;
  /** Must not listen or connect: that is {@link Gateway.prepare}'s part, which is called next. */
  open(options: GatewayOptions<Entries>, host: GatewayHost): Gateway<GatewayOptions<Entries>>;
  /** What cannot work although it fits the keys, for `argo-server check`: files that cannot be read and the like. */
  faults?(options: GatewayOptions<Entries>): readonly TableFault[];
  /** that it makes a certificate of its own where its table has `tls-listen` and names none */
  readonly makesCertificate?: true;
  /**
   * Where its table would let others reach what is the server's own, for `argo-server check`.
   * @param own as {@link GatewayHost.own}
   */
  ownFaults?(options: GatewayOptions<Entries>, own: readonly string[]): readonly TableFault[];
}

/** What the keys of a gateway's table yield. */
export type GatewayOptions<Entries extends v.ObjectEntries> = v.InferOutput<v.ObjectSchema<Entries, undefined>>;

/** One configured gateway. */
export interface Gateway<Options = object> {
  /**
   * Does what can go wrong about options: opens ports, reads files. Called after `open`, and again when
   * a reload has changed its table. What it returns puts them into force, or undoes what was prepared:
   * everything is then as it was.
   * @throws Error where they cannot be taken on; then nothing has changed
   */
  prepare(options: Options): Promise<Change>;
  /** Takes nothing new, and lets what is under way end. Resolves when that is so. */
  drain(deadline: Deadline): Promise<void>;
  /** Lets go of everything. Called once, after {@link drain} or where that took too long. */
  close(): Promise<void>;
  /** Where clients can connect, `127.0.0.1:8080`; left out by one that listens nowhere, or need not say. */
  addresses?(): readonly string[];
}

/** Somebody who is told of events. */
export interface Listener {
  /** An event, new or kept, as may be known of it at this moment; undefined: not at all. */
  told(event: ArgoEvent): Promise<EventFacts | undefined>;
}

/** An account that a gateway works for. */
export interface Member extends Listener {
  /** for log and audit */
  readonly name: string;
  /** aborted when a reload takes the account away; watched from its first use until {@link release} */
  readonly signal: AbortSignal;
  /** Nobody works by it any longer: its signal is aborted no more. Whoever has asked for the signal calls it at the end. */
  release(): void;
  /**
   * The account at work.
   * @param origin of this request, for the audit: `10.0.0.7:40122`; the gateway's name is added
   */
  actor(origin: string): Actor;
}

export interface Accounts {
  /**
   * Checks a name and a password. Failures delay the next attempt, by the same count for all gateways
   * and the line protocol.
   * @param address the peer's
   * @throws ArgoError NOT AUTHENTICATED, or BUSY where too many logins wait
   */
  login(name: string, password: string, address: string, signal?: AbortSignal): Promise<Member>;
  /**
   * Checks a token of an account. What is done with it is decided by what both may, and named in log and audit
   * as `kim (token backup)`. Wrong ones are delayed by where they come from.
   * @throws ArgoError as `login`
   */
  token(token: string, address: string, signal?: AbortSignal): Promise<Member>;
  /**
   * Checks a code that logs in once, as the server shows one at its first start.
   * @throws ArgoError as `login`
   */
  code(code: string, address: string, signal?: AbortSignal): Promise<Member>;
  /** What tells an account from one of the same name with another password, to be kept over a restart; undefined where there is none. */
  mark(name: string): string | undefined;
  /**
   * Somebody who had logged in before a restart.
   * @param mark of the account at that time
   * @param address the peer's at that time
   * @returns undefined where the account is not what it was, or may not come from there
   */
  again(name: string, mark: string, address: string): Member | undefined;
  /** An account that the gateway's own table names: no password is asked for. One that is gone may do nothing. */
  service(name: string): Member;
  /** Somebody who sees every instance and may do nothing, not even read a machine: for figures about all. */
  observer(): Member;
  /** Somebody who is told of everything, names of accounts too, as those may be who write the configuration. */
  listener(): Listener;
}

/** Ways in. What a gateway opens here keeps the limits on connections and hands over who is admitted. */
export interface Doors {
  /** Listeners of the gateway's own, for a protocol of its own. They open with {@link Entrance.prepare}. */
  sockets(events: EntranceEvents): Entrance;
  /** HTTP and HTTPS: gateways that name the same address share it, each below a path of its own. */
  readonly http: HttpDoors;
}

/** What a gateway keeps over a restart. Nobody else has its names. */
export interface GatewayState {
  readonly kv: KeyValue;
  readonly outbox: Outbox;
  readonly once: Once;
  /** values in great numbers; a file of their own, opened when first used */
  readonly history: History;
  /** a folder of its own below the state folder, for files that others' programs write; it is made by whoever needs it */
  readonly folder: string;
}

/** Everything that a gateway gets. */
export interface GatewayHost {
  /** the name of its table in argo-server.conf */
  readonly name: string;
  /** each line names the gateway */
  readonly log: Log;
  /** the process's figures: read them, or add some */
  readonly metrics: Metrics;
  readonly doors: Doors;
  readonly accounts: Accounts;
  /** what happens, for those who keep it for later; others use an actor's `watch` */
  readonly events: EventFeed;
  readonly state: GatewayState;
  /** files and folders of the server's own, which no gateway lets anybody reach: its configuration, its state */
  readonly own: readonly string[];
}
