import { networkInterfaces } from 'node:os';

/** A third byte of addresses such as `198.18.N.1` that no interface of this machine has. @param network its first two bytes */
export function freeSubnet(network: string): number {
  const taken = Object.values(networkInterfaces()).flat().map((entry) => entry?.address ?? '');
  for (let i = 0; i < 256; i += 1) {
    // Tests that start at the same moment see none of each other's yet, and have other numbers.
    const subnet = (process.pid + i) % 256;
    if (!taken.some((address) => address.startsWith(`${network}.${subnet}.`))) return subnet;
  }
  throw new Error(`no free network in ${network}.0.0/16`);
}
