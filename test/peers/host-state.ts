/** The network of a host in the words of its own `ip`, to be compared. @param ip what it prints; it must not fail */
type Ip = (...args: readonly string[]) => Promise<string>;

/** The main table, a route a line. */
export const routesBy = async (ip: Ip): Promise<string[]> =>
  (await ip('-4', 'route', 'show')).split('\n').map((line) => line.trim()).filter((line) => line !== '').sort();

/** All that a change may concern. */
export async function networkBy(ip: Ip): Promise<string> {
  const links = JSON.parse(await ip('-j', 'address', 'show')) as { ifname: string; master?: string; flags: string[]; addr_info: { family: string; local: string }[] }[];
  const shown = links.map(({ ifname, master, flags, addr_info: addresses }) =>
    [ifname, master, flags.includes('UP'), addresses.filter(({ family }) => family === 'inet').map(({ local }) => local).sort()]);
  return JSON.stringify([shown.sort(([one], [other]) => String(one).localeCompare(String(other))), await routesBy(ip)]);
}
