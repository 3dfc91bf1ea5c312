/** The network of a host as `ip` tells it, of the main table; IPv4 unless something else is said. */

export const DEFAULT = 'default';

export interface NextHop {
  readonly gateway?: string;
  readonly device: string;
}

export interface HostRoute {
  /** 192.168.3.0, `default` */
  readonly destination: string;
  readonly prefix: number;
  /** several of a multipath route; none of one that leads nowhere, as a blackhole */
  readonly hops: readonly NextHop[];
  readonly metric: number;
  /** unicast, blackhole, … */
  readonly type: string;
  readonly protocol?: string;
  /**
   * What `ip route add` takes to make it as it is; undefined where it has something of which we do not know how it is
   * put back.
   */
  readonly words?: string;
}

export interface HostAddress {
  readonly address: string;
  readonly prefix: number;
  readonly family: 'inet' | 'inet6';
  /** global, link, host */
  readonly scope: string;
  /** a DHCP client, or the kernel, has given it for a time */
  readonly isLeased: boolean;
  /** what `ip address add` takes to make it as it is, but for the device */
  readonly words: string;
}

export interface HostLink {
  readonly name: string;
  /** bridge, veth, tun, vlan, …; undefined of a card */
  readonly kind?: string;
  /** the bridge or bond that it is a member of */
  readonly master?: string;
  /** what it is on top of, as the card of a VLAN; of a veth its other end */
  readonly under?: string;
  readonly isUp: boolean;
  readonly isLoopback: boolean;
  readonly addresses: readonly HostAddress[];
  /**
   * Of a bridge: what `ip link add` takes to make it as it is, and then `ip link set` one by one, since a kernel tells
   * settings that it does not take. Undefined where that cannot be told.
   */
  readonly bridge?: { readonly words: string; readonly settings: readonly string[] };
}

export interface HostNetwork {
  readonly links: readonly HostLink[];
  readonly routes: readonly HostRoute[];
}

export const linkOf = ({ links }: HostNetwork, name: string): HostLink | undefined => links.find((link) => link.name === name);

export const membersOf = ({ links }: HostNetwork, name: string): HostLink[] => links.filter(({ master }) => master === name);

export const ipv4Of = ({ addresses }: HostLink): HostAddress[] => addresses.filter(({ family }) => family === 'inet');

/** Addresses of IPv6 that somebody has given it: each interface that is up has one of its own besides. */
export const globalIpv6Of = ({ addresses }: HostLink): HostAddress[] => addresses.filter(({ family, scope }) => family === 'inet6' && scope !== 'link');

/** The way out that the kernel takes where no other route fits: the first one with the lowest metric. */
export function defaultOf({ routes }: HostNetwork, device?: string): HostRoute | undefined {
  return routes
    .filter(({ destination, type, hops }) => destination === DEFAULT && type === 'unicast' && (device === undefined || hops.some((hop) => hop.device === device)))
    .reduce<HostRoute | undefined>((best, route) => (best === undefined || route.metric < best.metric ? route : best), undefined);
}

export const networkName = ({ destination, prefix }: { readonly destination: string; readonly prefix: number }): string =>
  (destination === DEFAULT ? DEFAULT : `${destination}/${prefix}`);
