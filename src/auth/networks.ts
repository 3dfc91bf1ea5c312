import { BlockList, isIP } from 'node:net';
import type { Network } from '../config/values.js';
import { IPV6_SOURCE_BITS, NETWORK_BITS } from '../kit/limits.js';

/** A test for addresses that lie in one of the networks. */
export function networkTest(networks: readonly Network[]): (address: string) => boolean {
  const list = new BlockList();
  for (const { address, prefix, family } of networks) list.addSubnet(address, prefix, family);
  return (address) => {
    const version = isIP(address);
    if (version === 4) return list.check(address, 'ipv4') || list.check(`::ffff:${address}`, 'ipv6');
    return version === 6 && list.check(address, 'ipv6');
  };
}

/** Where a client comes from, as narrowly and as widely as clients are counted. */
export interface Origin {
  /** an IPv4 address, or the first 64 bits of an IPv6 address */
  readonly source: string;
  readonly network: string;
  readonly region: string;
  /** what nobody gets many of at no cost, by which newcomers are told: the IPv4 address, or the IPv6 network */
  readonly isNewBy: 'source' | 'network';
}

const GROUPS = 8;
const GROUP_BITS = 16;
const BYTE_BITS = 8;

/** The eight groups of an IPv6 address, without leading zeros. */
function groupsOf(address: string): string[] {
  const [groups = ''] = address.split('%');
  const [head = '', tail] = groups.split('::');
  const [before, after] = [head, tail ?? ''].map((part) => part.split(':').filter((group) => group !== '')) as [string[], string[]];
  // An IPv4 address at the end stands for two groups.
  const length = [...before, ...after].reduce((sum, group) => sum + (group.includes('.') ? 2 : 1), 0);
  const all = [...before, ...Array<string>(GROUPS - length).fill('0'), ...after];
  return all.map((group) => group.replace(/^0+(?=.)/, '').toLowerCase());
}

const ipv6Network = (groups: readonly string[], bits: number): string => `${groups.slice(0, bits / GROUP_BITS).join(':')}::/${bits}`;

/**
 * What clients are counted by: an IPv4 address, or the network of an IPv6 address.
 * @param address in its plain form
 */
export const sourceOf = (address: string): string => (isIP(address) === 6 ? ipv6Network(groupsOf(address), IPV6_SOURCE_BITS) : address);

/** @param address in its plain form; what is no address is an origin of its own */
export function originOf(address: string): Origin {
  const version = isIP(address);
  if (version === 0) return { source: address, network: address, region: address, isNewBy: 'source' };
  if (version === 4) {
    const bytes = address.split('.');
    const networkOf = (bits: number): string => `${bytes.slice(0, bits / BYTE_BITS).join('.')}/${bits}`;
    return { source: address, network: networkOf(NETWORK_BITS.ipv4.network), region: networkOf(NETWORK_BITS.ipv4.region), isNewBy: 'source' };
  }
  const groups = groupsOf(address);
  return {
    source: ipv6Network(groups, IPV6_SOURCE_BITS),
    network: ipv6Network(groups, NETWORK_BITS.ipv6.network),
    region: ipv6Network(groups, NETWORK_BITS.ipv6.region),
    isNewBy: 'network',
  };
}
