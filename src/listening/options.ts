import * as v from 'valibot';
import { endpoints, networks, text, whole } from '../config/values.js';
import { GATEWAY_CONNECTIONS, GATEWAY_CONNECTIONS_PER_ADDRESS } from '../kit/limits.js';
import type { EntranceSettings } from './entrance.js';

/** The keys by which a gateway's table says where it listens; the same names as in `[server]`. */
export const entranceEntries = {
  listen: v.optional(endpoints, []),
  'tls-listen': v.optional(endpoints, []),
  'tls-cert': v.optional(text),
  'tls-key': v.optional(text),
  'tls-client-ca': v.optional(text),
  from: v.optional(networks),
  'max-connections': v.optional(whole(1, 1_000_000), GATEWAY_CONNECTIONS),
  'max-connections-per-address': v.optional(whole(1, 1_000_000), GATEWAY_CONNECTIONS_PER_ADDRESS),
};

/** What {@link entranceEntries} yield. */
export type EntranceOptions = v.InferOutput<v.ObjectSchema<typeof entranceEntries, undefined>>;

/** @throws Error where they cannot be meant */
export function entranceSettings(options: EntranceOptions): EntranceSettings {
  const { listen, from, 'tls-listen': tlsListen, 'tls-cert': cert, 'tls-key': key, 'tls-client-ca': clientCa } = options;
  if (listen.length + tlsListen.length === 0) throw new Error('listen and tls-listen are both empty');
  if (tlsListen.length > 0 && (cert === undefined || key === undefined)) throw new Error('tls-listen needs tls-cert and tls-key');
  return {
    listen, tlsListen, from,
    tls: cert === undefined || key === undefined ? undefined : { cert, key, clientCa },
    maxConnections: options['max-connections'],
    maxConnectionsPerAddress: options['max-connections-per-address'],
  };
}
