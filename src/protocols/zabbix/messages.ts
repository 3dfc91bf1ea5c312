/**
 * What a Zabbix server and its proxies tell each other, as "Server-proxy data exchange protocol" of the Zabbix manual
 * and servers 6.0, 6.4 and 7.0 have it. Times are `clock`, seconds since 1970, and `ns`, nanoseconds of that second.
 */

/** What an item holds: value_type 0, 1, 2, 3 and 4 of the server's tables. */
export type ValueType = 'float' | 'char' | 'log' | 'unsigned' | 'text';

/** A value, or with `state: 1` why there is none. */
export interface HistoryRow {
  /** greater than that of every value before in the same session: a smaller one is dropped, and told to be a success */
  readonly id: number;
  readonly itemid: string;
  readonly clock: number;
  readonly ns: number;
  readonly value: string;
  readonly state?: 1 | undefined;
}

/** Whether an interface of a host answers: 0 unknown, 1 yes, 2 no. */
export interface AvailabilityRow {
  readonly interfaceid: number;
  readonly available: 0 | 1 | 2;
  readonly error: string;
}

/** What a check of a discovery rule found; the rows of an address end with one whose `dcheck` is null. */
export interface DiscoveryRow {
  readonly clock: number;
  readonly drule: number;
  readonly dcheck: number | null;
  /** of the check: 12 ICMP ping; -1 in the row that ends those of an address. For 5.4 alone */
  readonly type?: number | undefined;
  readonly ip: string;
  readonly dns: string;
  readonly port?: number | undefined;
  readonly value?: string | undefined;
  /** left out: up */
  readonly status?: 1 | undefined;
}

/** A host that makes itself known. */
export interface RegistrationRow {
  readonly clock: number;
  readonly host: string;
  readonly ip: string;
  readonly dns: string;
  readonly port: string;
  readonly host_metadata?: string | undefined;
  /** 1 not encrypted, 2 PSK, 4 certificate */
  readonly tls_accepted?: number | undefined;
}

/** A script or an operation of an action that is to run here (task type 2; 1 in the protocol's text for 5.4). */
export interface RemoteCommand {
  readonly kind: 'command';
  readonly parentTaskId: number;
  readonly clock: number;
  /** seconds after `clock` for which it is meant; 0 for ever */
  readonly ttl: number;
  readonly command: string;
  readonly hostid: number;
  /** the type of the result that answers it; left out: 3 */
  readonly resultType?: 0 | 3 | undefined;
}

/** An operator wants an item's value at once (task type 6). */
interface CheckNow {
  readonly kind: 'check now';
  readonly itemid: string;
}

/** The server wants figures of the proxy (task type 7). */
export interface DiagnosticQuestion {
  readonly kind: 'diagnostics';
  readonly parentTaskId: number;
  /** JSON: which figures */
  readonly data: string;
}

export type Task = RemoteCommand | CheckNow | DiagnosticQuestion;

/** How a remote command (type 3; 0 in the protocol's text for 5.4) or a diagnostic question (type 8) ended. */
export interface TaskResult {
  readonly type: 0 | 3 | 8;
  readonly parent_taskid: number;
  readonly clock: number;
  readonly status: 0 | -1;
  /** for whoever asked */
  readonly info: string;
}
