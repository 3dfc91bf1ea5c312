import { isIPv4, isIPv6 } from 'node:net';
import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os';

/** Where the magic packets for a host are sent. */
export interface Destination {
  readonly address: string;
  readonly port: number;
  /** the address of ours that they leave by; the system's choice without */
  readonly from?: string;
}

export interface WakeRoute {
  /** broadcast or multicast addresses */
  readonly broadcast?: readonly string[] | undefined;
  /** a unicast address, such as one that a router forwards as a broadcast */
  readonly address?: string | undefined;
  /** the name of our interface that they leave by */
  readonly interface?: string | undefined;
  /** `all`: by each interface of ours with an IPv4 address, to its broadcast addresses */
  readonly interfaces?: 'all' | undefined;
  /** UDP port; 9, discard, unless given */
  readonly port?: number | undefined;
}

/** Our interfaces by name; undefined where the system does not let us see them. */
export type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>> | undefined;

export const DEFAULT_PORT = 9;
/** RFC 919: this network, whichever it is. */
const LIMITED_BROADCAST = '255.255.255.255';

/** RFC 4291, 2.7.1: whoever is on the link. */
const ALL_NODES = 'ff02::1';

/** A route that leads nowhere; the message is for people. */
export class RouteError extends Error {}

/**
 * Where to send. Where nothing but a port is given: to the broadcast addresses of the networks of ours
 * in which the host is, by a link-local address on its link, else straight to its address and to the limited broadcast address.
 * @param hosts addresses of the host to be woken; where none is known it may be in each network of ours
 * @throws RouteError where the interface is missing or has no address to send from
 */
export function destinations(route: WakeRoute, hosts: readonly string[], look: () => Interfaces = ownInterfaces): Destination[] {
  const port = route.port ?? DEFAULT_PORT;
  const chosen = [...(route.broadcast ?? []), ...(route.address === undefined ? [] : [route.address])];
  if (route.interfaces !== undefined) return byAll(chosen, port, look());
  if (route.interface !== undefined) return byInterface(route.interface, chosen, port, look());
  if (chosen.length > 0) return chosen.map((address) => ({ address, port }));
  const interfaces = look() ?? {};
  const near = Object.entries(interfaces).flatMap(([name, infos = []]) => infos.filter(isIpv4Info)
    .filter((info) => hosts.length === 0 || hosts.some((host) => isNear(host, info) || isOnLink(host, name, interfaces)))
    .map((info) => ({ address: directedBroadcast(info), port, from: info.address })));
  if (near.length > 0) return near;
  return [...hosts.flatMap((host) => zoneOf(host) === undefined ? [host] : [host, `${ALL_NODES}%${zoneOf(host)}`]), LIMITED_BROADCAST]
    .map((address) => ({ address, port }));
}

const UNSEEN = 'this system does not let its network interfaces be seen (AF_NETLINK is not allowed)';

/** A service whose address families are restricted may not ask for them. */
function ownInterfaces(): Interfaces {
  try {
    return networkInterfaces();
  } catch {
    return undefined;
  }
}

/** @throws RouteError where none has an IPv4 address */
function byAll(chosen: readonly string[], port: number, interfaces: Interfaces): Destination[] {
  if (!interfaces) throw new RouteError(UNSEEN);
  const own = Object.values(interfaces).flatMap((infos = []) => infos.filter(isIpv4Info));
  if (own.length === 0) throw new RouteError('no network interface has an IPv4 address');
  return [...own.map((info) => ({ address: directedBroadcast(info), port, from: info.address })), ...chosen.map((address) => ({ address, port }))];
}

function byInterface(name: string, chosen: readonly string[], port: number, interfaces: Interfaces): Destination[] {
  if (!interfaces) throw new RouteError(UNSEEN);
  const infos = interfaces[name];
  if (!infos) throw new RouteError(`there is no network interface ${name}, or it is down`);
  const own = infos.filter(isIpv4Info);
  if (chosen.length === 0) {
    if (own.length === 0) throw new RouteError(`the network interface ${name} has no IPv4 address`);
    return own.map((info) => ({ address: directedBroadcast(info), port, from: info.address }));
  }
  return chosen.map((address) => {
    if (isIPv6(address)) return { address: address.includes('%') || !isLinkLocal(address) ? address : `${address}%${name}`, port };
    const from = own.find((info) => inSameNetwork(address, info)) ?? own[0];
    if (!from) throw new RouteError(`the network interface ${name} has no IPv4 address`);
    return { address, port, from: from.address };
  });
}

const isIpv4Info = (info: NetworkInterfaceInfo): boolean => info.family === 'IPv4' && !info.internal;

/** RFC 4291: fe80::/10, and multicast of the scope of a link or an interface. */
const isLinkLocal = (address: string): boolean => /^(?:fe[89ab]|ff.[12])/i.test(address);

const isNear = (host: string, info: NetworkInterfaceInfo): boolean => isIPv4(host) && inSameNetwork(host, info);

/** `eth0` of `fe80::1%eth0`; systems also write its number there. */
const zoneOf = (host: string): string | undefined => host.split('%')[1];

/** Whether a link-local address is one of this link: without a zone, as resolvers tell it, it may be one of any. */
function isOnLink(host: string, name: string, interfaces: NonNullable<Interfaces>): boolean {
  if (!isIPv6(host) || !isLinkLocal(host)) return false;
  const zone = zoneOf(host);
  return zone === undefined || zone === name || (interfaces[name] ?? []).some((info) => info.family === 'IPv6' && info.scopeid > 0 && String(info.scopeid) === zone);
}

const toNumber = (address: string): number => address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
const toAddress = (number: number): string => [24, 16, 8, 0].map((shift) => (number >>> shift) & 0xff).join('.');

const inSameNetwork = (address: string, info: NetworkInterfaceInfo): boolean =>
  (toNumber(address) & toNumber(info.netmask)) === (toNumber(info.address) & toNumber(info.netmask));

/** RFC 919: all bits of the host part set. A network of one or two addresses (RFC 3021) has none. */
function directedBroadcast({ address, netmask }: NetworkInterfaceInfo): string {
  const mask = toNumber(netmask);
  const hostBits = ~mask >>> 0;
  return hostBits <= 1 ? LIMITED_BROADCAST : toAddress((toNumber(address) | hostBits) >>> 0);
}
