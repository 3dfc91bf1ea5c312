/** What can go wrong between a server and a proxy, each with what it means for what was sent. */
const ZABBIX_FAULTS = {
  /** there was no connection */
  UNREACHABLE: 'nothing was sent',
  /** TLS was refused, by either side */
  TLS: 'nothing was sent',
  /** the connection was closed before an answer began */
  SILENT: 'it may have arrived',
  /** the connection was lost in the middle of a frame */
  CUT: 'it may have arrived',
  /** the time was over */
  LATE: 'it may have arrived',
  /** whoever asked does not want it any more */
  ABORTED: 'it may have arrived',
  /** what came is not the protocol */
  GARBAGE: 'it may have arrived',
  /** a frame, or what it says it holds, is longer than its limit */
  LARGE: 'it may have arrived',
  /** the server answered that it failed, or did not do it */
  FAILED: 'it was refused',
  /** the server answered that it does not speak with this version */
  VERSION: 'it was refused',
  /** our own key, certificate or message is not one that can be used */
  OWN: 'nothing was sent',
} as const;

export type ZabbixFault = keyof typeof ZABBIX_FAULTS;

/** The message says in plain words what was wrong, without what was sent. */
export class ZabbixError extends Error {
  override readonly name = 'ZabbixError';

  /** of the server, where its refusal names it */
  readonly serverVersion: string | undefined;

  constructor(readonly code: ZabbixFault, message: string, { serverVersion, ...options }: ErrorOptions & { readonly serverVersion?: string | undefined } = {}) {
    super(message, options);
    this.serverVersion = serverVersion;
  }

  /** Whether the other side cannot have had what was sent. */
  get nothingSent(): boolean {
    return ZABBIX_FAULTS[this.code] === 'nothing was sent';
  }
}
