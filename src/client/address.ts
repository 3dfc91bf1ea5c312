import { isIP } from 'node:net';

/** The port of the line protocol, plain or inside TLS, where none is named. */
export const DEFAULT_PORT = 20203;

export interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address.
 * @returns undefined for anything else
 */
export function parseAddress(text: string, defaultPort = DEFAULT_PORT): Address | undefined {
  if (isIP(text) === 6) return { host: text, port: defaultPort };
  const match = /^(?:\[([^\]]+)\]|([\p{L}\p{N}._-]+))(?::(\d{1,5}))?$/u.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
  if (host === undefined || port < 1 || port > 65_535) return undefined;
  if (match?.[1] !== undefined && isIP(host) !== 6) return undefined;
  return { host, port };
}
