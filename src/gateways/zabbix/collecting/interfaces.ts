import type { ConfiguredInterface } from '../../../protocols/zabbix/configuration.js';

/** The addresses of each host's interfaces: of an agent's before others, main ones first. */
export function interfaceAddresses(interfaces: readonly ConfiguredInterface[]): ReadonlyMap<number, readonly string[]> {
  const byHost = new Map<number, ConfiguredInterface[]>();
  for (const one of interfaces) {
    const others = byHost.get(one.hostid);
    if (others === undefined) byHost.set(one.hostid, [one]);
    else others.push(one);
  }
  return new Map([...byHost].map(([hostid, all]) => [hostid, all.sort(byRank).map(({ address }) => address)]));
}

const rank = ({ type, isMain }: ConfiguredInterface): number => (type === 1 ? 0 : 2) + (isMain ? 0 : 1);
const byRank = (one: ConfiguredInterface, other: ConfiguredInterface): number => rank(one) - rank(other);
