import { BlockList, isIP } from 'node:net';
import type { Network } from '../config/values.js';

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
