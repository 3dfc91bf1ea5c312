import * as v from 'valibot';
import { ArgoError } from '../../../kit/errors.js';
import { outputOf, type HostCommands } from '../host-commands.js';
import { parseIpv4 } from './ipv4.js';
import { DEFAULT, type HostAddress, type HostLink, type HostNetwork, type HostRoute } from './state.js';

/** What `ip -j` of iproute2 prints: ip-route(8), ip-address(8), and print_route, print_linkinfo, print_addrinfo of its sources. */

/** Bytes: a host with 10,000 routes or 2,000 interfaces. */
const MAX_OUTPUT = 8 * 1024 * 1024;

/** Milliseconds for one look. */
const LOOK_TIMEOUT_MS = 10_000;

/** How commands are run: over the connection that is there, or over a new one. */
export type Run = HostCommands['run'];

/** A word of what `ip` prints, as far as it is given to `ip` again. */
const word = v.pipe(v.string(), v.regex(/^[\w.:/@+-]+$/));
const flags = v.optional(v.array(v.string()), []);
const count = v.pipe(v.number(), v.integer(), v.minValue(0));

const hopSchema = v.looseObject({
  gateway: v.optional(word),
  via: v.optional(v.object({ family: word, host: word })),
  dev: v.optional(word),
  weight: v.optional(count),
  flags,
});

const routeSchema = v.looseObject({
  ...hopSchema.entries,
  type: v.optional(word, 'unicast'),
  dst: word,
  protocol: v.optional(word),
  scope: v.optional(word),
  prefsrc: v.optional(word),
  metric: v.optional(count, 0),
  metrics: v.optional(v.array(v.record(v.string(), v.unknown()))),
  nexthops: v.optional(v.array(hopSchema)),
});

/** Keys of a route that are put back, or that the kernel finds by itself. */
const ROUTE_KEYS = new Set([...Object.keys(routeSchema.entries)]);
/** What may be set of a route besides, each with a number; others are written in other units than they are read. */
const ROUTE_METRICS = new Set(['mtu', 'advmss', 'window', 'hoplimit', 'initcwnd', 'initrwnd']);
/** Of these flags, the first is set by people, the others tell how it is. */
const ONLINK = 'onlink';
const TOLD_FLAGS = new Set(['linkdown', 'dead', 'offload', 'rt_offload', 'trap', 'rt_trap']);

const addressSchema = v.looseObject({
  family: v.string(),
  local: v.optional(word),
  peer: v.optional(word),
  address: v.optional(word),
  prefixlen: v.optional(count),
  broadcast: v.optional(word),
  scope: v.optional(word, 'global'),
  label: v.optional(v.string()),
  dynamic: v.optional(v.boolean(), false),
  noprefixroute: v.optional(v.boolean(), false),
});

const linkSchema = v.looseObject({
  ifname: v.string(),
  flags,
  mtu: v.optional(count),
  address: v.optional(v.string()),
  master: v.optional(v.string()),
  link: v.optional(v.nullable(v.string())),
  linkinfo: v.optional(v.looseObject({ info_kind: v.optional(v.string()), info_data: v.optional(v.record(v.string(), v.unknown())) })),
  addr_info: v.optional(v.array(v.unknown()), []),
});

/** Settings of a bridge that `ip link set … type bridge` takes by the name and in the unit in which they are read. */
const BRIDGE_SETTINGS = [
  'forward_delay', 'hello_time', 'max_age', 'ageing_time', 'stp_state', 'priority', 'vlan_filtering', 'mcast_snooping', 'mcast_querier',
  'nf_call_iptables', 'nf_call_ip6tables', 'nf_call_arptables',
];

/** Links with their addresses, and the routes of the main table. @throws ArgoError as commands do; FAILED where `ip` tells something else */
export async function readNetwork(run: Run, signal: AbortSignal): Promise<HostNetwork> {
  const [links, routes] = await Promise.all([readLinks(run, signal), readRoutes(run, signal)]);
  return { links, routes };
}

export const readRoutes = async (run: Run, signal: AbortSignal): Promise<HostRoute[]> =>
  (await ask(run, ['-4', 'route', 'show', 'table', 'main'], routeSchema, signal)).map(toRoute);

export const readLinks = async (run: Run, signal: AbortSignal): Promise<HostLink[]> => (await ask(run, ['-d', 'address', 'show'], linkSchema, signal)).map(toLink);

/** The interface by which an address is reached; `lo` of one of the host's own. */
export async function readDeviceTo(run: Run, client: string, host: string, signal: AbortSignal): Promise<string> {
  const zone = /%(.+)$/.exec(client)?.[1];
  if (zone !== undefined) return zone;
  const [route] = await ask(run, ['route', 'get', client, 'from', host], v.looseObject({ dev: v.string() }), signal);
  if (route === undefined) throw new ArgoError('FAILED', `the host does not tell by which way it reaches ${client}`);
  return route.dev;
}

async function ask<Schema extends v.GenericSchema>(run: Run, words: readonly string[], schema: Schema, signal: AbortSignal): Promise<v.InferOutput<Schema>[]> {
  const text = await outputOf({ run }, ['ip', '-j', ...words], { signal, effect: 'reads', timeout: LOOK_TIMEOUT_MS, maxOutput: MAX_OUTPUT });
  const told = v.safeParse(v.array(v.unknown()), parseJson(text));
  if (!told.success) throw unreadable(words);
  // Of what a filter leaves out, some versions print an empty object.
  return told.output.filter((entry) => JSON.stringify(entry) !== '{}').map((entry) => {
    const { success, output } = v.safeParse(schema, entry);
    if (!success) throw unreadable(words);
    return output;
  });
}

const unreadable = (words: readonly string[]): ArgoError => new ArgoError('FAILED', `the host's ip tells something that is not known here: ip -j ${words.join(' ')}`);

function parseJson(text: string): unknown {
  try {
    return text.trim() === '' ? [] : JSON.parse(text);
  } catch {
    return undefined;
  }
}

function toRoute(entry: v.InferOutput<typeof routeSchema>): HostRoute {
  const [destination = '', mask] = entry.dst.split('/');
  const hops = (entry.nexthops ?? [entry]).flatMap(({ dev, gateway, via }) => {
    const next = gateway ?? via?.host;
    return dev === undefined ? [] : [{ device: dev, ...(next === undefined ? {} : { gateway: next }) }];
  });
  const prefix = destination === DEFAULT ? 0 : mask === undefined ? 32 : Number(mask);
  if (destination !== DEFAULT && parseIpv4(destination) === undefined) throw unreadable([entry.dst]);
  const words = routeWords(entry);
  return {
    destination, prefix, hops, metric: entry.metric, type: entry.type,
    ...(entry.protocol === undefined ? {} : { protocol: entry.protocol }), ...(words === undefined ? {} : { words }),
  };
}

/** What `ip route add` takes for it. */
function routeWords(entry: v.InferOutput<typeof routeSchema>): string | undefined {
  if (Object.keys(entry).some((key) => !ROUTE_KEYS.has(key))) return undefined;
  const pair = (name: string, value: string | number | undefined): string[] => (value === undefined ? [] : [name, String(value)]);
  const metrics = (entry.metrics ?? []).flatMap((set) => Object.entries(set));
  if (metrics.some(([name, value]) => !ROUTE_METRICS.has(name) || typeof value !== 'number')) return undefined;
  const own = hopWords(entry);
  const hops = entry.nexthops?.map((hop) => hopWords(hop)) ?? [];
  if (own === undefined || hops.includes(undefined)) return undefined;
  return [
    ...(entry.type === 'unicast' ? [] : [entry.type]), entry.dst, ...own,
    ...pair('proto', entry.protocol), ...pair('scope', entry.scope), ...pair('src', entry.prefsrc), ...pair('metric', entry.metric || undefined),
    ...metrics.flatMap(([name, value]) => [name, String(value)]),
    ...hops.flatMap((hop) => ['nexthop', ...hop!]),
  ].join(' ');
}

function hopWords({ dev, gateway, via, weight, flags: told }: v.InferOutput<typeof hopSchema>): string[] | undefined {
  if (told.some((flag) => flag !== ONLINK && !TOLD_FLAGS.has(flag))) return undefined;
  return [
    ...(gateway === undefined ? [] : ['via', gateway]), ...(via === undefined ? [] : ['via', via.family, via.host]),
    ...(dev === undefined ? [] : ['dev', dev]), ...(weight === undefined ? [] : ['weight', String(weight)]),
    ...(told.includes(ONLINK) ? [ONLINK] : []),
  ];
}

function toLink(entry: v.InferOutput<typeof linkSchema>): HostLink {
  const kind = entry.linkinfo?.info_kind;
  const bridge = kind === 'bridge' ? bridgeOf(entry) : undefined;
  return {
    name: entry.ifname,
    ...(kind === undefined ? {} : { kind }),
    ...(entry.master === undefined ? {} : { master: entry.master }),
    ...(typeof entry.link === 'string' ? { under: entry.link } : {}),
    isUp: entry.flags.includes('UP'),
    isLoopback: entry.flags.includes('LOOPBACK'),
    addresses: entry.addr_info.flatMap((address) => toAddress(address)),
    ...(bridge === undefined ? {} : { bridge }),
  };
}

function bridgeOf({ address, mtu, linkinfo }: v.InferOutput<typeof linkSchema>): HostLink['bridge'] {
  const data = linkinfo?.info_data ?? {};
  const set = BRIDGE_SETTINGS.filter((name) => data[name] !== undefined);
  if (address === undefined || mtu === undefined || set.some((name) => typeof data[name] !== 'number')) return undefined;
  return { words: `address ${address} mtu ${mtu}`, settings: set.map((name) => `${name} ${data[name] as number}`) };
}

/** An address that is not of IP, or of which only the place is told, is left out. */
function toAddress(given: unknown): HostAddress[] {
  const { success, output } = v.safeParse(addressSchema, given);
  if (!success || output.local === undefined || output.prefixlen === undefined) return [];
  const { family, local, prefixlen, broadcast, scope, peer, address, label } = output;
  if (family !== 'inet' && family !== 'inet6') return [];
  const other = peer ?? address;
  const words = [
    ...(other === undefined ? [`${local}/${prefixlen}`] : [local, 'peer', `${other}/${prefixlen}`]),
    ...(broadcast === undefined ? [] : ['broadcast', broadcast]), 'scope', scope,
    ...(label === undefined || !/^[\w.:-]+$/.test(label) ? [] : ['label', label]),
    ...(output.noprefixroute ? ['noprefixroute'] : []),
  ].join(' ');
  return [{ address: local, prefix: prefixlen, family, scope, isLeased: output.dynamic, words }];
}
