import { networkInterfaces } from 'node:os';

/** What this process was given: the interface with it may not be there yet. */
const given = new Set<string>();

/** A third byte of addresses such as `198.18.N.1` that no interface of this machine has. @param network its first two bytes */
export function freeSubnet(network: string): number {
  const taken = Object.values(networkInterfaces()).flat().map((entry) => entry?.address ?? '');
  for (let i = 0; i < 256; i += 1) {
    // Tests that start at the same moment see none of each other's yet, and have other numbers.
    const subnet = (process.pid + i) % 256;
    const prefix = `${network}.${subnet}.`;
    if (given.has(prefix) || taken.some((address) => address.startsWith(prefix))) continue;
    given.add(prefix);
    return subnet;
  }
  throw new Error(`no free network in ${network}.0.0/16`);
}
