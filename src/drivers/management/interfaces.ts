import type { Sections } from './sections.js';

/** The network interface of a Linux host that leads out of it, from what /proc, /sys and `ip` tell. */

/** Bytes since the boot. */
export interface Traffic {
  readonly rx: bigint;
  readonly tx: bigint;
}

/** An interface's address, and its counters since the boot. */
export interface Interface extends Traffic {
  readonly name: string;
  readonly mac: string | undefined;
  readonly ips: readonly string[];
}

/** Programs whose outputs tell of it. None of them needs a right beyond that of any account. */
export const INTERFACE_SOURCES = {
  route: 'cat /proc/net/route',
  route6: 'cat /proc/net/ipv6_route',
  traffic: 'cat /proc/net/dev',
  macs: 'grep . /sys/class/net/*/address /dev/null',
  ips: 'ip -o addr show scope global || /sbin/ip -o addr show scope global',
  connection: 'echo "$SSH_CONNECTION"',
} as const;

/**
 * The interface of the default route; without one, that by which the host is reached.
 * @param sections outputs of {@link INTERFACE_SOURCES}
 */
export function interfaceOf(sections: Sections): Interface | undefined {
  const name = defaultInterface(sections);
  const counters = name === undefined ? undefined : parseTraffic(sections.traffic ?? '').get(name);
  if (name === undefined || counters === undefined) return undefined;
  const ips = ipsOf(sections.ips ?? '').filter((ip) => ip.device === name).map((ip) => ip.address);
  return { name, mac: macOf(sections.macs ?? '', name), ips, ...counters };
}

function defaultInterface({ route = '', route6 = '', ips = '', connection = '' }: Sections): string | undefined {
  const address = connection.split(' ')[2]?.replace(/^::ffff:/, '');
  return defaultRoute(route) ?? defaultRoute6(route6) ?? ipsOf(ips).find((ip) => ip.address === address)?.device;
}

/** /proc/net/route: device, destination, gateway, flags, …, metric (the seventh), mask; in hexadecimal but for the metric. */
function defaultRoute(text: string): string | undefined {
  const routes = text.split('\n').slice(1).map((line) => line.trim().split(/\s+/))
    .filter((words) => words[1] === '00000000' && words[7] === '00000000');
  return routes.sort((one, other) => Number(one[6]) - Number(other[6]))[0]?.[0];
}

/** /proc/net/ipv6_route: destination, prefix, source, prefix, next hop, metric, …, device; `lo` holds the one that rejects. */
function defaultRoute6(text: string): string | undefined {
  const routes = text.split('\n').map((line) => line.trim().split(/\s+/))
    .filter((words) => words[0] === '0'.repeat(32) && words[1] === '00' && words[9] !== 'lo');
  return routes.sort((one, other) => parseInt(one[5] ?? '', 16) - parseInt(other[5] ?? '', 16))[0]?.[9];
}

/** By interface. /proc/net/dev: `name: bytes packets errs drop fifo frame compressed multicast bytes …` */
export function parseTraffic(text: string): ReadonlyMap<string, Traffic> {
  const traffic = new Map<string, Traffic>();
  for (const line of text.split('\n')) {
    const colon = line.lastIndexOf(':');
    if (colon < 0) continue;
    const words = line.slice(colon + 1).trim().split(/\s+/);
    const [rx = '', tx = ''] = [words[0], words[8]];
    if (/^\d+$/.test(rx) && /^\d+$/.test(tx)) traffic.set(line.slice(0, colon).trim(), { rx: BigInt(rx), tx: BigInt(tx) });
  }
  return traffic;
}

/** `/sys/class/net/NAME/address:MAC` */
function macOf(text: string, name: string): string | undefined {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`/sys/class/net/${name}/address:`));
  return line?.slice(line.indexOf(':') + 1).trim();
}

/** `2: eth0    inet 10.0.0.11/24 brd …`, ip-address(8) */
function ipsOf(text: string): { device: string; address: string }[] {
  return [...text.matchAll(/^\d+: (\S+)\s+inet6? ([0-9a-fA-F.:]+)/gm)].map(([, device = '', address = '']) => ({ device: device.replace(/@.*$/, ''), address }));
}
