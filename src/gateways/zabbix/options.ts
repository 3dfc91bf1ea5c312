import { isIP } from 'node:net';
import * as v from 'valibot';
import type { TableFault } from '../../config/catalogue.js';
import { parseEndpoint, parseNetwork, positiveDuration, text, whole, type Endpoint, type Network } from '../../config/values.js';
import { CONFIG_FILE_SIZE } from '../../kit/limits.js';
import { readRegularFile } from '../../kit/regular-file.js';
import { ZABBIX_LEAST_FREQUENCY, ZABBIX_SERVER_PORT } from '../../kit/zabbix-gateway-limits.js';
import { entranceEntries } from '../../listening/options.js';
import { ZabbixError } from '../../protocols/zabbix/errors.js';
import { certificateFault, distinguishedNameFault, parsePsk, pskIdentityFault, type TlsSettings } from '../../protocols/zabbix/tls.js';

/** The keys of a Zabbix proxy's table. */

const version = v.pipe(text, v.regex(/^\d{1,2}\.\d{1,2}$/, 'a version is expected, such as "5.4"'));

/** Whoever asks more often than a server can answer gets nothing sooner. */
const frequency = v.pipe(positiveDuration, v.minValue(ZABBIX_LEAST_FREQUENCY, 'must be at least "100ms"'));

export const options = {
  mode: v.picklist(['active', 'passive'], 'one of "active", "passive" is expected'),
  server: v.pipe(v.array(text, 'a list is expected, such as ["zabbix.example.net"]'), v.minLength(1, 'a server is expected, such as ["zabbix.example.net"]')),
  'proxy-name': text,
  account: text,
  listen: entranceEntries.listen,
  'config-frequency': v.optional(frequency),
  'heartbeat-frequency': v.optional(frequency),
  'data-frequency': v.optional(frequency),
  tls: v.optional(v.picklist(['none', 'psk', 'certificate'], 'one of "none", "psk", "certificate" is expected'), 'none'),
  'psk-identity': v.optional(text),
  'psk-file': v.optional(text),
  'ca-file': v.optional(text),
  'tls-cert': v.optional(text),
  'tls-key': v.optional(text),
  'server-issuer': v.optional(text),
  'server-subject': v.optional(text),
  'buffer-age': v.optional(positiveDuration, '1d'),
  'buffer-values': v.optional(whole(1000, 1_000_000_000), 10_000_000),
  'keep-acknowledged': v.optional(positiveDuration, '10m'),
  'command-age': v.optional(positiveDuration, '60s'),
  'server-version': v.optional(version),
  // without defaults, so that it is known whether they were given
  'max-connections': v.optional(entranceEntries['max-connections'].wrapped),
  'max-connections-per-address': v.optional(entranceEntries['max-connections-per-address'].wrapped),
};

export type ZabbixOptions = v.InferOutput<v.ObjectSchema<typeof options, undefined>>;

/** Keys that mean something only where another key has a certain value; elsewhere whoever wrote them is mistaken. */
const BOUND: readonly { readonly keys: readonly (keyof ZabbixOptions)[]; readonly to: Partial<ZabbixOptions>; readonly words: string }[] = [
  { keys: ['config-frequency', 'heartbeat-frequency', 'data-frequency'], to: { mode: 'active' }, words: 'in passive mode the server says how often' },
  { keys: ['max-connections', 'max-connections-per-address'], to: { mode: 'passive' }, words: 'in active mode nobody connects' },
  { keys: ['server-version'], to: { mode: 'passive' }, words: 'in active mode the server says which versions it takes' },
  { keys: ['psk-identity', 'psk-file'], to: { tls: 'psk' }, words: 'it is used with tls = "psk" alone' },
  { keys: ['ca-file', 'tls-cert', 'tls-key', 'server-issuer', 'server-subject'], to: { tls: 'certificate' }, words: 'it is used with tls = "certificate" alone' },
];

/** How often, where the table does not say. Milliseconds. */
export const CONFIG_FREQUENCY = 60_000;
export const HEARTBEAT_FREQUENCY = 60_000;
export const DATA_FREQUENCY = 1000;

/** A fault of one key. */
class KeyFault extends Error {
  constructor(readonly key: string, message: string) {
    super(message);
  }
}

/** `zabbix.example.net`, `10.0.0.1:10051`, `[::1]:10051`, `::1`. @returns undefined for anything else */
export function parseServer(value: string): Endpoint | undefined {
  // Node makes what knows IPv6 when it is asked first, which takes a start a millisecond: so it is not for a name or an IPv4 address
  if (/:.*:/.test(value) && isIP(value) === 6) return { host: value, port: ZABBIX_SERVER_PORT };
  const endpoint = parseEndpoint(value) ?? parseEndpoint(`${value}:${ZABBIX_SERVER_PORT}`);
  return endpoint && (HOST.test(endpoint.host) || isIP(endpoint.host) !== 0) ? endpoint : undefined;
}

/** A name that may be looked up; a list with commas, as Zabbix's own proxy takes it, is none. */
const HOST = /^[\w.-]{1,253}$/;

/** What a table says of the other side. */
interface Peers {
  /** active mode: the servers, best first */
  readonly servers: readonly Endpoint[];
  /** passive mode: from where servers come */
  readonly from: readonly Network[];
}

/** @throws KeyFault */
export function peersOf({ mode, server, listen }: ZabbixOptions): Peers {
  const [servers, from]: [Endpoint[], Network[]] = [[], []];
  for (const one of server) {
    if (mode === 'active') servers.push(found(parseServer(one), `${one} is no server: write a name or an address, with :port where it is not ${ZABBIX_SERVER_PORT}`));
    else from.push(found(parseNetwork(one), `${one} is no address: in passive mode servers are known by addresses or networks, such as "10.0.0.5"`));
  }
  if (mode === 'passive' && listen.length === 0) throw new KeyFault('listen', 'in passive mode the server connects: listen is missing, such as ["0.0.0.0:10051"]');
  if (mode === 'active' && listen.length > 0) throw new KeyFault('listen', 'in active mode nobody connects: leave listen out');
  return { servers, from };
}

function found<T>(value: T | undefined, message: string): T {
  if (value === undefined) throw new KeyFault('server', message);
  return value;
}

/** Reads what TLS needs. @returns undefined without TLS @throws KeyFault that names the file, never what is in it */
export function tlsOf(given: ZabbixOptions): TlsSettings | undefined {
  if (given.tls === 'none') return undefined;
  if (given.tls === 'psk') {
    const identity = needed(given, 'psk-identity');
    const fault = pskIdentityFault(identity);
    if (fault !== undefined) throw new KeyFault('psk-identity', `psk-identity ${fault}`);
    return { kind: 'psk', identity, key: reading(given, 'psk-file', parsePsk) };
  }
  const file = (key: 'ca-file' | 'tls-cert' | 'tls-key'): string => reading(given, key, (content) => content);
  const settings = { kind: 'certificate' as const, ca: file('ca-file'), cert: file('tls-cert'), key: file('tls-key'), issuer: given['server-issuer'], subject: given['server-subject'] };
  const fault = certificateFault(settings);
  if (fault !== undefined) throw new KeyFault(FILES[fault.part], `${given[FILES[fault.part]]}: ${fault.reason}`);
  for (const key of ['server-issuer', 'server-subject'] as const) {
    const reason = given[key] === undefined ? undefined : distinguishedNameFault(given[key]);
    if (reason !== undefined) throw new KeyFault(key, `${key} ${reason}`);
  }
  return settings;
}

const FILES = { ca: 'ca-file', cert: 'tls-cert', key: 'tls-key' } as const;

type FileKey = 'psk-file' | 'ca-file' | 'tls-cert' | 'tls-key';

/** @throws KeyFault */
function needed(given: ZabbixOptions, key: FileKey | 'psk-identity'): string {
  const value = given[key];
  if (value === undefined) throw new KeyFault('tls', `tls = "${given.tls}" needs ${key}`);
  return value;
}

/** @throws KeyFault */
function reading<T>(given: ZabbixOptions, key: FileKey, use: (content: string) => T): T {
  const path = needed(given, key);
  try {
    return use(readRegularFile(path, CONFIG_FILE_SIZE).toString());
  } catch (error) {
    const { message } = error as Error;
    throw new KeyFault(key, error instanceof ZabbixError ? `${path}: ${message}` : message);
  }
}

/** What of a table cannot work, for `argo-server check`. */
export function faultsOf(given: ZabbixOptions): TableFault[] {
  const faults: TableFault[] = [];
  const trying = (work: () => unknown): void => {
    try {
      work();
    } catch (error) {
      if (!(error instanceof KeyFault)) throw error;
      faults.push({ message: error.message, path: [error.key] });
    }
  };
  trying(() => peersOf(given));
  trying(() => tlsOf(given));
  for (const { keys, to: { mode = given.mode, tls = given.tls }, words } of BOUND) {
    if (given.mode === mode && given.tls === tls) continue;
    for (const key of keys) if (given[key] !== undefined) faults.push({ message: `${key}: ${words}`, path: [key] });
  }
  if (given['proxy-name'].length > 128 || !/^(?! )[0-9A-Za-z_. -]+(?<! )$/.test(given['proxy-name'])) faults.push({ message: 'a proxy is called by letters, digits, dots, dashes, underscores and blanks between them, at most 128', path: ['proxy-name'] });
  return faults;
}
