import * as v from 'valibot';
import type { TableFault } from '../../config/catalogue.js';
import { flag, positiveDuration, text, type Endpoint } from '../../config/values.js';
import { packageVersion } from '../../kit/own-files.js';
import { formatEndpoint } from '../../kit/text.js';
import { VMSERVERD_IDLE, VMSERVERD_STOP_TIMEOUT } from '../../kit/vmserverd-limits.js';
import type { EntranceSettings } from '../../listening/entrance.js';
import { entranceEntries } from '../../listening/options.js';
import type { Product } from '../../protocols/vmserverd/envelope.js';
import type { GatewayOptions } from '../contract.js';
import { fileOptions } from './files/options.js';

/** A user of this host by his name, or the number that the kernel knows him by. */
const localUsers = v.record(v.pipe(text, v.regex(/^[A-Za-z_][\w.-]{0,31}\$?$|^\d{1,10}$/, 'a user of this host is expected')), text, 'a table is expected: local-users = { root = "admin" }');

/** What may stand in an answer's `<product>`. */
const label = v.pipe(text, v.regex(/^[\x20-\x7E]{1,100}$/, 'up to 100 printable characters of ASCII are expected'));

/** The keys of a table of type `vmserverd`. */
export const options = {
  ...entranceEntries,
  ...fileOptions,
  compat: v.optional(flag, false),
  'product-title': v.optional(label),
  'product-version': v.optional(label),
  'product-build': v.optional(label),
  'local-users': v.optional(localUsers, {}),
  host: v.optional(text),
  'idle-timeout': v.optional(positiveDuration, VMSERVERD_IDLE),
  'stop-timeout': v.optional(positiveDuration, VMSERVERD_STOP_TIMEOUT),
};

export type VmserverdOptions = GatewayOptions<typeof options>;

/** As the seed's client was answered by VMware Server 1.0.3. */
const VMWARE = { title: 'VMware Server', version: '1.0.3 build-44356', build: '44356' } as const;

/** What the server says it is: itself, unless its table says otherwise. The id is always VMware's, by which its clients know the protocol. */
export function productOf(given: VmserverdOptions): Product {
  const own = given.compat ? VMWARE : { title: 'argo-server', version: packageVersion(), build: '' };
  return { id: 'GSX', title: given['product-title'] ?? own.title, version: given['product-version'] ?? own.version, build: given['product-build'] ?? own.build };
}

/** A fault of one key. */
interface KeyFault {
  readonly key: keyof VmserverdOptions;
  readonly message: string;
}

function faultIn(given: VmserverdOptions): KeyFault | undefined {
  const { listen, 'tls-listen': tls, 'tls-cert': cert, 'tls-key': key } = given;
  if (listen.length + tls.length === 0) return { key: 'listen', message: 'listen and tls-listen are both empty' };
  const plain = new Set(listen.map(formatEndpoint));
  const both = tls.map(formatEndpoint).find((one) => plain.has(one));
  if (both !== undefined) return { key: 'tls-listen', message: `${both} is in listen, too` };
  if ((cert === undefined) !== (key === undefined)) return { key: cert === undefined ? 'tls-key' : 'tls-cert', message: 'tls-cert and tls-key are given together, or none of them: a certificate is made then' };
  if (given['tls-client-ca'] !== undefined && tls.length === 0) return { key: 'tls-client-ca', message: 'tls-client-ca: it is used with tls-listen alone' };
  return undefined;
}

/** What of a table cannot work, for `argo-server check`. */
export function faultsOf(given: VmserverdOptions): TableFault[] {
  const fault = faultIn(given);
  return fault === undefined ? [] : [{ message: fault.message, path: [fault.key] }];
}

/** @throws Error where they cannot be meant */
export function entranceOf(given: VmserverdOptions): EntranceSettings {
  const fault = faultIn(given);
  if (fault !== undefined) throw new Error(fault.message);
  const { listen, 'tls-listen': tls, from } = given;
  return {
    listen: [...listen, ...tls] satisfies readonly Endpoint[], gatewayTls: tls, tlsListen: [], tls: undefined, from,
    maxConnections: given['max-connections'], maxConnectionsPerAddress: given['max-connections-per-address'],
  };
}
