import type { HostCommands } from '../host-commands.js';
import { readDeviceTo } from './ip-output.js';
import { contains, parseIpv4 } from './ipv4.js';
import { DEFAULT, defaultOf, linkOf, membersOf, networkName, type HostNetwork, type HostRoute } from './state.js';

/** The way by which a host is managed: what must not be changed without force. */
export interface Way {
  /** who manages it, as the host sees it; undefined on this host, and where that is no address of IPv4 */
  readonly client: number | undefined;
  /** the interfaces that carry it: a bridge with its members, what a VLAN is on */
  readonly devices: ReadonlySet<string>;
  /** the entry of the main table that leads to the client, or out where nobody is known */
  readonly route: HostRoute | undefined;
  /** the commands run on the host itself, so that no connection proves anything */
  readonly isHere: boolean;
}

/** @throws ArgoError where it cannot be told, and then nothing should be changed */
export async function readWay(commands: HostCommands, network: HostNetwork, signal: AbortSignal): Promise<Way> {
  const ends = await commands.way(signal);
  const device = ends && await readDeviceTo((words, options) => commands.run(words, options), ends.client, ends.host, signal);
  const isHere = device === undefined || linkOf(network, device)?.isLoopback === true;
  // People come to this host by its default way, as far as anything can be told.
  const route = isHere ? defaultOf(network) : routeTo(network, parseIpv4(ends!.client));
  const first = isHere ? route?.hops.map((hop) => hop.device) ?? [] : [device];
  return { client: isHere ? undefined : parseIpv4(ends!.client), devices: carriers(network, first), route, isHere };
}

/** Interfaces with all by which they reach a cable. */
function carriers(network: HostNetwork, first: readonly string[]): Set<string> {
  const found = new Set<string>();
  const waiting = [...first];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (found.has(name)) continue;
    found.add(name);
    const link = linkOf(network, name);
    waiting.push(...[link?.under, link?.master].filter((other) => other !== undefined), ...membersOf(network, name).map((member) => member.name));
  }
  return found;
}

/** The entry that the kernel takes for an address: the one with the longest mask, then the lowest metric. */
function routeTo({ routes }: HostNetwork, address: number | undefined): HostRoute | undefined {
  if (address === undefined) return undefined;
  const better = (one: HostRoute, other: HostRoute): boolean => one.prefix > other.prefix || (one.prefix === other.prefix && one.metric < other.metric);
  return routes
    .filter((route) => leadsTo(route, address))
    .reduce<HostRoute | undefined>((best, route) => (best === undefined || better(route, best) ? route : best), undefined);
}

/** A network that a route leads to, or an address brings with it. */
export interface Destination {
  readonly destination: string;
  readonly prefix: number;
}

const leadsTo = ({ destination, prefix }: Destination, address: number): boolean =>
  destination === DEFAULT || contains(parseIpv4(destination) ?? 0, prefix, address);

/** Why an interface must be left as it is. */
export function whyNotLink({ devices, isHere }: Way, ...names: readonly string[]): string | undefined {
  const carrier = names.find((name) => devices.has(name));
  if (carrier === undefined) return undefined;
  return isHere ? `the host's default way goes by ${carrier}` : `the host is reached by ${carrier}`;
}

/**
 * Why routes must be left as they are.
 * @param gone of the table, which are taken away or replaced
 * @param made which come into it
 */
export function whyNotRoutes(network: HostNetwork, way: Way, gone: readonly HostRoute[], made: readonly Destination[]): string | undefined {
  const { route, client } = way;
  if (route !== undefined && gone.includes(route)) {
    return way.isHere ? 'it is the host\'s default way' : `the host is reached by its route ${networkName(route)}`;
  }
  const standing = defaultOf(network);
  if (standing !== undefined && (gone.includes(standing) || made.some(({ destination }) => destination === DEFAULT))) return 'it is the host\'s default way';
  const taken = client === undefined ? undefined : made.find((other) => other.prefix >= (route?.prefix ?? 0) && leadsTo(other, client));
  return taken && `${networkName(taken)} would lead away what the host is reached by`;
}
