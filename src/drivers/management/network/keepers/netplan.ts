import { networkName } from '../state.js';
import type { Kept } from '../kept.js';
import { keepInFile, type Keeper, type Tools } from './keeper.js';

/**
 * netplan(5): all files of /etc/netplan are read in the order of their names and put together, routes of an interface too.
 * Ours is written as JSON, which YAML holds. It is in force from the next start on: what it says is so already.
 */
const PATH = '/etc/netplan/90-argo.yaml';

/** Generates what networkd and NetworkManager read in a folder of its own. Standard input: our file. */
const TEST = 'set -e; umask 077; root=$(mktemp -d); trap \'rm -rf "$root"\' EXIT; mkdir -p "$root/etc/netplan"; '
  + 'for file in /etc/netplan/*.yaml; do [ ! -e "$file" ] || cp "$file" "$root/etc/netplan/"; done; '
  + 'cat >"$root$1"; netplan generate --root-dir "$root" >&2';

export const netplan: Keeper = {
  name: 'netplan',
  owns: async (tools, device) => {
    const kinds = await definitions(tools);
    return kinds !== undefined && (device === undefined ? kinds.size > 0 : kinds.has(device));
  },
  keep: async (tools, keeping) => {
    const kinds = await definitions(tools) ?? new Map<string, string>();
    const body = (kept: Kept): string => `${JSON.stringify({ network: render(kept, kinds) }, undefined, 2)}\n`;
    return await keepInFile(tools, { path: PATH, mode: '600', body, test: (content) => tools.do(['sh', '-c', TEST, 'sh', PATH], content) }, keeping) !== false;
  },
};

/** The kind of each interface that netplan knows: ethernets, bridges, …; undefined where there is no netplan. */
async function definitions(tools: Tools): Promise<Map<string, string> | undefined> {
  const text = await tools.tryToAsk(['netplan', 'get', 'all']);
  if (text === undefined) return undefined;
  const found = new Map<string, string>();
  let kind = '';
  for (const line of text.split('\n')) {
    kind = /^ {2}([a-z-]+):$/.exec(line)?.[1] ?? kind;
    const name = /^ {4}"?([\w.-]+)"?:/.exec(line)?.[1];
    if (name !== undefined) found.set(name, kind);
  }
  return found;
}

function render({ routes, bridges }: Kept, kinds: ReadonlyMap<string, string>): object {
  const sections: Record<string, Record<string, object>> = {};
  const put = (kind: string, name: string, more: object): void => {
    const section = sections[kind] ??= {};
    section[name] = { ...section[name], ...more };
  };
  for (const { name, addresses, members } of bridges) {
    // A member has to be defined somewhere.
    members.forEach((member) => put(kinds.get(member) ?? 'ethernets', member, {}));
    put('bridges', name, { dhcp4: false, addresses, interfaces: members });
  }
  const isOurs = (name: string): boolean => bridges.some((bridge) => bridge.name === name);
  for (const device of new Set(routes.map((route) => route.interface))) {
    const own = routes.filter((route) => route.interface === device).map(({ destination, prefix, gateway, metric }) => ({
      to: networkName({ destination, prefix }), ...(gateway === undefined ? { scope: 'link' } : { via: gateway }), ...(metric === 0 ? {} : { metric }),
    }));
    put(isOurs(device) ? 'bridges' : kinds.get(device) ?? 'ethernets', device, { routes: own });
  }
  return { version: 2, ...sections };
}
