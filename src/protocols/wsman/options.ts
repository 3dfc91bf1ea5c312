import type { Trust } from '../tls/connect.js';
import type { WmiConnection } from '../wmi/connection.js';

/**
 * How to log in. Over plain HTTP only NTLM is safe: it seals what is said. Kerberos asks the realm's KDC
 * for a ticket at each login, by Debian's python3-gssapi.
 */
export interface WsmanLogin {
  readonly kind: 'basic' | 'ntlm' | 'kerberos';
  /** the account's name, or `name@domain.example` */
  readonly user: string;
  readonly password: string;
  /**
   * NTLM: the NetBIOS name of the domain, or of the machine for an account of its own; empty where the
   * server is to find out. Kerberos: the realm
   */
  readonly domain?: string;
}

/**
 * Whether a login by NTLM or Kerberos over TLS is bound to the channel (RFC 5929), so that nobody between can
 * pass it on. `if-offered`: where the certificate has a binding, and but where the service refuses it and takes
 * the login without; `required`: always, or there is no login.
 */
export const CHANNEL_BINDINGS = ['required', 'if-offered', 'off'] as const;
export type ChannelBinding = (typeof CHANNEL_BINDINGS)[number];

/** What a session puts up with. */
export interface WsmanLimits {
  /** the whole of one request, ms; the service gives up a little earlier by itself */
  readonly requestTimeout: number;
  /** how long a socket is kept after its last request, ms; HTTP.sys drops it after 120 s */
  readonly idleTimeout: number;
  /** requests that wait for their turn */
  readonly queue: number;
  /** bytes of one answer */
  readonly answer: number;
  /** objects that one query may yield */
  readonly objects: number;
}

export const DEFAULT_LIMITS: WsmanLimits = {
  requestTimeout: 60_000,
  idleTimeout: 60_000,
  queue: 256,
  answer: 4 * 1024 * 1024,
  objects: 100_000,
};

export interface WsmanOptions {
  /** with its port, since WinRM's own are not those of the scheme: `https://host:5986/wsman`, `http://host:5985/wsman` */
  readonly origin: URL;
  /** of the origin, where it has a zone (`fe80::1%eth0`), which a URL cannot hold */
  readonly address?: string;
  readonly trust: Trust;
  readonly login: WsmanLogin;
  /** lets plain HTTP be used where nothing is sealed: whoever listens reads it all, with Basic the password too */
  readonly allowUnencrypted?: boolean;
  /** `if-offered` unless given */
  readonly channelBinding?: ChannelBinding;
  readonly limits?: Partial<WsmanLimits>;
}

/** Who answers, as DSP0226 "wsmid:Identify" has it. */
export interface WsmanIdentity {
  readonly protocolVersion: string;
  readonly productVendor: string;
  readonly productVersion: string;
}

/**
 * WMI over WS-Management, as `new WsmanSession(options)` of session.ts offers it. The constructor throws a
 * WmiAccessError where the options would send a password, or all that is said, in the clear without leave.
 */
export interface WsmanConnection extends WmiConnection {
  /** Who answers; asked with the login, so it also tells whether that is good. */
  identify(signal: AbortSignal): Promise<WsmanIdentity>;
}
