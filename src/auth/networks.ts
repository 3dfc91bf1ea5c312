import { BlockList, isIP } from 'node:net';
import type { Network } from '../config/values.js';
import { IPV6_SOURCE_BITS } from '../kit/limits.js';

/** An IPv4 address that a socket of both families shows as `::ffff:1.2.3.4`, in its own form. */
export const plainAddress = (address: string): string => (address.startsWith('::ffff:') && isIP(address.slice(7)) === 4 ? address.slice(7) : address);

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

const GROUPS = 8;
const GROUP_BITS = 16;

/**
 * What clients are counted by: an IPv4 address, or the network of an IPv6 address.
 * @param address in its plain form
 */
export function sourceOf(address: string): string {
  if (isIP(address) !== 6) return address;
  const [groups = ''] = address.split('%');
  const [head = '', tail] = groups.split('::');
  const [before, after] = [head, tail ?? ''].map((part) => part.split(':').filter((group) => group !== '')) as [string[], string[]];
  // An IPv4 address at the end stands for two groups.
  const length = [...before, ...after].reduce((sum, group) => sum + (group.includes('.') ? 2 : 1), 0);
  const all = [...before, ...Array<string>(GROUPS - length).fill('0'), ...after];
  return `${all.slice(0, IPV6_SOURCE_BITS / GROUP_BITS).map((group) => group.replace(/^0+(?=.)/, '').toLowerCase()).join(':')}::/${IPV6_SOURCE_BITS}`;
}
