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
  /** UDP port; 9, discard, unless given */
  readonly port?: number | undefined;
}

/** Our interfaces by name; undefined where the system does not let us see them. */
export type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>> | undefined;

export const DEFAULT_PORT = 9;
/** RFC 919: this network, whichever it is. */
const LIMITED_BROADCAST = '255.255.255.255';

/** A route that leads nowhere; the message is for people. */
export class RouteError extends Error {}

/**
 * Where to send. Where nothing but a port is given: to the broadcast addresses of the networks of ours
 * in which the host is, else straight to its address and to the limited broadcast address.
 * @param hosts addresses of the host to be woken; may be empty where they are not known
 * @throws RouteError where the interface is missing or has no address to send from
 */
export function destinations(route: WakeRoute, hosts: readonly string[], look: () => Interfaces = ownInterfaces): Destination[] {
  const port = route.port ?? DEFAULT_PORT;
  const chosen = [...(route.broadcast ?? []), ...(route.address === undefined ? [] : [route.address])];
  if (route.interface !== undefined) return byInterface(route.interface, chosen, port, look());
  if (chosen.length > 0) return chosen.map((address) => ({ address, port }));
  const near = Object.values(look() ?? {}).flatMap((infos = []) => infos.filter(isIpv4Info))
    .filter((info) => hosts.some((host) => isIPv4(host) && inSameNetwork(host, info)))
    .map((info) => ({ address: directedBroadcast(info), port, from: info.address }));
  return near.length > 0 ? near : [...hosts, LIMITED_BROADCAST].map((address) => ({ address, port }));
}

/** A service whose address families are restricted may not ask for them. */
function ownInterfaces(): Interfaces {
  try {
    return networkInterfaces();
  } catch {
    return undefined;
  }
}

function byInterface(name: string, chosen: readonly string[], port: number, interfaces: Interfaces): Destination[] {
  if (!interfaces) throw new RouteError('this system does not let its network interfaces be seen (AF_NETLINK is not allowed)');
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
