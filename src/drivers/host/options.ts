import { isIP, isIPv4 } from 'node:net';
import * as v from 'valibot';
import { Secret } from '../../config/secret.js';
import { duration, text, whole } from '../../config/values.js';
import { LONGEST_TIMEOUT, MOST_RETRIES } from '../../protocols/ping/limits.js';
import { MacError, parseMac, parseSecureOn } from '../../protocols/wol/mac.js';
import { ownPowerTable, powerOf, powerTable, type PowerTable } from './board-options.js';

/** Milliseconds; well below the time that an action may take. */
const LONGEST_OFF_AFTER = 120_000;

/** The keys that every driver of physical hosts takes, for one host or for many. */

/** A schema whose transformation may say in its own words what is wrong. */
const parsed = <T>(parse: (value: string) => T) => v.pipe(text, v.rawTransform(({ dataset, addIssue, NEVER }) => {
  try {
    return parse(dataset.value);
  } catch (error) {
    if (!(error instanceof MacError)) throw error;
    addIssue({ message: error.message });
    return NEVER;
  }
}));

/** Labels of RFC 1123, and underscores, which some networks use. */
const HOST_NAME = /^(?=.{1,253}$)[a-z\d_]([a-z\d_-]{0,61}[a-z\d_])?(\.[a-z\d_]([a-z\d_-]{0,61}[a-z\d_])?)*\.?$/i;

/**
 * A host name or address. Numbers and dots that are no address are refused: the system's resolver
 * takes `10.1` for 10.0.0.1, which would be another machine.
 */
export const hostAddress = v.pipe(
  text,
  v.check((value) => isIP(value) !== 0 || (HOST_NAME.test(value) && !/^[\d.]+$/.test(value)), 'a host name or an IP address is expected'),
);

const ipAddress = v.pipe(text, v.check((value) => isIP(value) !== 0, 'an IP address is expected'));

/** As `52:54:00:aa:00:11`, whatever its spelling in the file. */
export const macAddress = parsed(parseMac);

const secureOn = parsed((value) => {
  parseSecureOn(value);
  return new Secret(value);
});

export const wolTable = v.strictObject({
  /** one or several */
  broadcast: v.optional(v.union(
    [v.pipe(ipAddress, v.transform((address) => [address])), v.array(ipAddress)], 'a broadcast address is expected, or a list of them',
  )),
  address: v.optional(v.pipe(text, v.check(isIPv4, 'an IPv4 address is expected'))),
  interface: v.optional(text),
  interfaces: v.optional(v.literal('all', '"all" is expected')),
  port: v.optional(whole(1, 65_535)),
  password: v.optional(secureOn),
});

export const pingTable = v.strictObject({
  timeout: v.optional(v.pipe(
    duration, v.minValue(100, 'must be at least "100ms"'), v.maxValue(LONGEST_TIMEOUT, `must be at most "${LONGEST_TIMEOUT / 1000}s"`),
  )),
  retries: v.optional(whole(0, MOST_RETRIES)),
  'tcp-port': v.optional(whole(1, 65_535)),
  /** how long silence must last after an order to go down */
  'off-after': v.optional(v.pipe(duration, v.maxValue(LONGEST_OFF_AFTER, `must be at most "${LONGEST_OFF_AFTER / 1000}s"`))),
});

/** What may be said for all hosts of a provider, and for one of them over that. */
export const sharedEntries = {
  wol: v.optional(wolTable, {}),
  ping: v.optional(pingTable, {}),
  power: v.optional(powerTable),
};

/** For a provider that is one host, such as a hypervisor's. */
export const singleHostEntries = {
  address: hostAddress,
  mac: v.optional(macAddress),
  ...sharedEntries,
  power: v.optional(ownPowerTable),
};

/** One host of a list. */
export const listedHostEntries = {
  name: text,
  /** the name unless given */
  address: v.optional(hostAddress),
  mac: v.optional(macAddress),
  wol: v.optional(wolTable),
  ping: v.optional(pingTable),
  /** where its management board is, for the provider's `power` */
  board: v.optional(hostAddress),
  power: v.optional(ownPowerTable),
};

/**
 * For a provider of many hosts.
 * @param host {@link listedHostEntries} and what else the driver lets be said of one host, as v.strictObject
 */
export const manyHostsEntries = <Host extends v.GenericSchema<unknown, HostEntry>>(host: Host) => ({
  hosts: v.optional(v.pipe(
    v.array(host, 'a list is expected, such as [{ name = "web1", address = "10.0.0.11" }]'),
    v.rawCheck(({ dataset, addIssue }) => {
      if (dataset.typed) for (const message of faultsOf(dataset.value)) addIssue({ message });
    }),
  ), []),
  /** read by {@link HostList} of hosts.ts */
  'hosts-file': v.optional(text),
  ...sharedEntries,
});

function faultsOf(hosts: readonly HostEntry[]): string[] {
  const names = hosts.map(({ name }) => name);
  const twice = names.filter((name, index) => names.indexOf(name) < index);
  const nowhere = hosts.filter(({ name, address }) => address === undefined && !v.is(hostAddress, name));
  return [
    ...[...new Set(twice)].map((name) => `there are two hosts of the name "${name}"`),
    ...nowhere.map(({ name }) => `"${name}" is no host name, so the host needs an address`),
  ];
}

export type WolTable = v.InferOutput<typeof wolTable>;
export type PingTable = v.InferOutput<typeof pingTable>;
export type SharedOptions = v.InferOutput<v.ObjectSchema<typeof sharedEntries, undefined>>;
export type SingleHostOptions = v.InferOutput<v.ObjectSchema<typeof singleHostEntries, undefined>>;

/** One host as all parts of a driver know it. */
export interface HostSettings {
  readonly name: string;
  /** a name or an address */
  readonly address: string;
  /** as `52:54:00:aa:00:11`; without one it cannot be woken */
  readonly mac: string | undefined;
  readonly wol: WolTable;
  readonly ping: PingTable;
  /** its management board; without one it is seen and woken by the network */
  readonly power?: PowerTable | undefined;
}

/** What a file says about a host, over what is said for all. */
export interface HostEntry {
  readonly name: string;
  readonly address?: string | undefined;
  readonly mac?: string | undefined;
  readonly wol?: WolTable | undefined;
  readonly ping?: PingTable | undefined;
  readonly board?: string | undefined;
  readonly power?: PowerTable | undefined;
}

export function hostSettings(entry: HostEntry, shared: SharedOptions): HostSettings {
  const { name, address = name } = entry;
  const power = entry.power ?? shared.power;
  return {
    name,
    address,
    mac: entry.mac,
    wol: { ...shared.wol, ...entry.wol },
    ping: { ...shared.ping, ...entry.ping },
    power: power && powerOf(power, { name, address, board: entry.board }),
  };
}

/** The settings of a provider that is one host. */
export const singleHostSettings = (name: string, options: SingleHostOptions): HostSettings =>
  hostSettings({ name, address: options.address, mac: options.mac }, options);
