import type { Kept } from '../kept.js';
import { routeWords } from '../plan.js';
import { keepInFile, type Keeper } from './keeper.js';

/** interfaces(5): an interface may have several stanzas, all of which are carried out in order. */
const PATH = '/etc/network/interfaces.d/argo';

/** Whether ifquery(8) can read what comes by standard input. */
const TEST = 'set -e; umask 077; file=$(mktemp); trap \'rm -f "$file"\' EXIT; cat >"$file"; ifquery --interfaces "$file" --list >&2';

export const ifupdown: Keeper = {
  name: 'ifupdown',
  owns: async (tools, device) => {
    const listed = await tools.tryToAsk(device === undefined ? ['ifquery', '--list', '--all'] : ['ifquery', '--', device]);
    // It always knows the loopback.
    return listed !== undefined && (device !== undefined || listed.split(/\s+/).some((name) => name !== '' && name !== 'lo'));
  },
  keep: async (tools, keeping) => {
    let kept: Kept | undefined;
    const body = (all: Kept): string => render(kept = all);
    const file = { path: PATH, mode: '644', body, test: (content: string) => tools.do(['sh', '-c', TEST, 'sh'], content) };
    const done = await keepInFile(tools, file, keeping);
    if (done === false) return false;
    if (await isRead(kept!, (device) => tools.tryToAsk(['ifquery', '--', device]))) return true;
    await (done.before === '' ? tools.do(['rm', '-f', '--', PATH]) : tools.write(PATH, '644', done.before));
    throw new Error(`/etc/network/interfaces does not have ${PATH} read`);
  },
};

/** Whether the host's own file brings ours in. */
async function isRead({ routes, bridges }: Kept, ask: (device: string) => Promise<string | undefined>): Promise<boolean> {
  for (const { name } of bridges) if (await ask(name) === undefined) return false;
  for (const route of routes) if ((await ask(route.interface))?.includes(routeLine(route)) !== true) return false;
  return true;
}

const routeLine = (route: Kept['routes'][number]): string => `ip route replace ${routeWords(route as Parameters<typeof routeWords>[0])} || true`;

function render({ routes, bridges }: Kept): string {
  const lines = (device: string): string[] => routes.filter((route) => route.interface === device).map((route) => `    up ${routeLine(route)}`);
  const stanzas = bridges.map(({ name, addresses: [address, ...further], members }) => [
    `auto ${name}`,
    `iface ${name} inet ${address === undefined ? 'manual' : 'static'}`,
    ...(address === undefined ? [] : [`    address ${address}`]),
    // Without the package bridge-utils, nothing else makes it.
    `    pre-up ip link add name ${name} type bridge || true`,
    ...members.map((member) => `    pre-up ip link set dev ${member} master ${name} && ip link set dev ${member} up || true`),
    `    up ip link set dev ${name} up`,
    ...further.map((other) => `    up ip address replace ${other} dev ${name}`),
    ...lines(name),
    `    post-down ip link del dev ${name} || true`,
  ]);
  const devices = new Set(routes.map((route) => route.interface).filter((device) => !bridges.some(({ name }) => name === device)));
  for (const device of devices) stanzas.push([`iface ${device} inet manual`, ...lines(device)]);
  return stanzas.map((stanza) => `\n${stanza.join('\n')}\n`).join('');
}
