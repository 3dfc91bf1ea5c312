import { SettingsFault } from '../../../kit/errors.js';
import type { BridgeSettings } from '../network.js';
import { addressFault, contains, interfaceAddressFault, isPrefix, parseIpv4 } from './ipv4.js';
import { INTERFACE, interfaceOf, linesBack, routesBy, wrongState, type Plan } from './plan.js';
import { isOnLink, planGateway } from './route-plans.js';
import { DEFAULT, defaultOf, globalIpv6Of, ipv4Of, linkOf, membersOf, type HostLink, type HostNetwork, type HostRoute } from './state.js';
import { whyNotLink, whyNotRoutes, type Destination, type Way } from './way.js';

/** Making, changing and taking away bridges, and their members. */

export function planAddBridge(network: HostNetwork, way: Way, settings: BridgeSettings): Plan {
  const { name } = settings;
  if (!INTERFACE.test(name)) throw new SettingsFault({ name: 'is no name of an interface: letters, digits, ".", "_" and "-", at most 15' });
  if (linkOf(network, name) !== undefined) throw wrongState('the host has an interface of that name');
  const given = addressOf(network, settings);
  const bridge: HostLink = { name, kind: 'bridge', isUp: true, isLoopback: false, addresses: given === undefined ? [] : [given] };
  const gateway = gatewayPlan(network, way, settings, bridge);
  return {
    change: [
      `link add name ${name} type bridge`, ...(given === undefined ? [] : [`address add ${given.words} dev ${name}`]),
      `link set dev ${name} up`, ...gateway?.change ?? [],
    ],
    // The default way that was there can come back only when the new one is gone with its bridge.
    undo: [`link del dev ${name}`, ...gateway?.undo ?? []],
    danger: gateway?.danger ?? whyNotRoutes(network, way, [], given === undefined ? [] : [networkWith(given)]),
    fault: (now) => bridgeFault(now, bridge) ?? gateway?.fault(now),
    keeping: { ...gateway?.keeping, device: undefined, bridge: { name, to: { addresses: shown(bridge), isNew: true } } },
  };
}

/** Its address of IPv4 as it is to be, in place of all that it has; without one, it has none then. */
export function planChangeBridge(network: HostNetwork, way: Way, settings: BridgeSettings): Plan {
  const { name } = settings;
  const before = bridgeOf(network, name);
  const given = addressOf(network, settings, before);
  const after: HostLink = { ...before, addresses: given === undefined ? [] : [given] };
  const gateway = isGateway(network, settings) ? undefined : gatewayPlan(network, way, settings, after);
  const renumbering = shown(before).join() === shown(after).join() ? undefined : renumber(network, before, given, gateway !== undefined);
  if (renumbering === undefined && gateway === undefined) throw wrongState('it is so already');
  const lost = renumbering?.lost ?? [];
  return {
    change: [...renumbering?.change ?? [], ...gateway?.change ?? []],
    undo: [...gateway?.undo ?? [], ...renumbering?.undo ?? []],
    danger: whyNotLink(way, name) ?? gateway?.danger ?? whyNotRoutes(network, way, lost, given === undefined ? [] : [networkWith(given)]),
    fault: (now) => bridgeFault(now, after) ?? gateway?.fault(now),
    keeping: { ...gateway?.keeping, device: name, bridge: { name, to: { addresses: shown(after) } } },
  };
}

const isGateway = (network: HostNetwork, { name, gateway }: BridgeSettings): boolean =>
  gateway !== undefined && defaultOf(network, name)?.hops.some((hop) => hop.device === name && hop.gateway === gateway) === true;

/** Another address, or none, in place of those that it has. @throws ArgoError WRONG STATE */
function renumber(network: HostNetwork, bridge: HostLink, given: GivenAddress | undefined, hasGateway: boolean) {
  const { name } = bridge;
  const old = ipv4Of(bridge);
  if (old.some(({ isLeased }) => isLeased)) throw wrongState(`${name} has its address for a time, as by DHCP`);
  const gone = old.filter(({ address, prefix }) => address !== given?.address || prefix !== given.prefix);
  const isNew = given !== undefined && gone.length === old.length;
  const routes = routesBy(network, name);
  // Of the routes that need the old address, the kernel takes some away and leaves others: what still fits comes back, the rest goes.
  const numbered = { ...bridge, addresses: given === undefined ? [] : [given] };
  const back = linesBack(routes);
  const without = { ...network, routes: network.routes.filter((route) => !routes.includes(route)) };
  const fits = ({ hops, destination, protocol }: HostRoute): boolean => protocol !== 'kernel' && hops.length === 1
    && !(hasGateway && destination === DEFAULT) && (hops[0]!.gateway === undefined || isOnLink(without, numbered, hops[0]!.gateway));
  const put = given === undefined ? [] : [`address replace ${given.words} dev ${name}`];
  return {
    lost: routes.filter((route) => !fits(route)),
    change: [
      // With the first address of a network the kernel takes the others of it away: the last goes first, and the new one comes once more.
      ...put, ...gone.toReversed().map(({ words }) => `address del ${words} dev ${name}`), ...put,
      ...(given === undefined ? [] : routes.filter((route) => !fits(route) && staysInVain(route))).map(({ words }) => `route del ${words!}`),
      ...linesBack(routes.filter(fits)).map((line) => line.replace(/^route add/, 'route replace')),
    ],
    undo: [
      ...(isNew ? [`address del ${given.address}/${given.prefix} dev ${name}`] : []), ...old.map(({ words }) => `address replace ${words} dev ${name}`),
      ...back,
    ],
  };
}

/** The kernel takes away what is sent from an address that goes, and the network of that address. */
const staysInVain = ({ protocol, hops, words }: HostRoute): boolean => protocol !== 'kernel' && hops.length === 1 && words?.includes(' src ') === false;

export function planDeleteBridge(network: HostNetwork, way: Way, name: string): Plan {
  const bridge = bridgeOf(network, name);
  const members = membersOf(network, name);
  if (members.length > 0) throw wrongState(`${name} has members: ${members.map((member) => member.name).join(', ')}`);
  if (globalIpv6Of(bridge).length > 0) throw wrongState(`${name} has an address of IPv6`);
  const above = network.links.find(({ under }) => under === name);
  if (above !== undefined) throw wrongState(`${above.name} is on top of ${name}`);
  const addresses = ipv4Of(bridge);
  if (bridge.bridge === undefined || addresses.some(({ isLeased }) => isLeased)) throw wrongState(`${name} could not be put back if it went wrong`);
  const routes = routesBy(network, name);
  return {
    change: [`link del dev ${name}`],
    undo: [
      `link add name ${name} ${bridge.bridge.words} type bridge`,
      ...bridge.bridge.settings.map((setting) => `link set dev ${name} type bridge ${setting}`), ...addresses.map(({ words }) => `address add ${words} dev ${name}`),
      ...(bridge.isUp ? [`link set dev ${name} up`] : []), ...linesBack(routes),
    ],
    danger: whyNotLink(way, name) ?? whyNotRoutes(network, way, routes, []),
    fault: (now) => (linkOf(now, name) === undefined ? undefined : `${name} is still there`),
    keeping: { device: name, bridge: { name, to: undefined } },
  };
}

export function planAddMember(network: HostNetwork, way: Way, bridge: string, name: string): Plan {
  bridgeOf(network, bridge);
  const link = interfaceOf(network, name);
  const reason = whyNoMember(network, link, bridge);
  if (reason !== undefined) throw wrongState(reason);
  return {
    change: [`link set dev ${name} master ${bridge}`, `link set dev ${name} up`],
    undo: [`link set dev ${name} nomaster`, ...(link.isUp ? [] : [`link set dev ${name} down`])],
    danger: whyNotLink(way, name, bridge),
    fault: (now) => (linkOf(now, name)?.master === bridge ? undefined : `${name} is no member of ${bridge}`),
    ...keepingMember(link, bridge, true),
  };
}

export function planDeleteMember(network: HostNetwork, way: Way, bridge: string, name: string): Plan {
  bridgeOf(network, bridge);
  const link = interfaceOf(network, name);
  if (link.master !== bridge) throw wrongState(`${name} is no member of ${bridge}`);
  return {
    change: [`link set dev ${name} nomaster`],
    undo: [`link set dev ${name} master ${bridge}`],
    danger: whyNotLink(way, name, bridge),
    fault: (now) => (linkOf(now, name)?.master === undefined ? undefined : `${name} is still a member of ${bridge}`),
    ...keepingMember(link, bridge, false),
  };
}

/** A guest's own end of its cable is made anew with each start of the guest. */
const keepingMember = ({ name, kind }: HostLink, bridge: string, isOne: boolean): Pick<Plan, 'keeping'> =>
  (kind === 'tun' ? {} : { keeping: { device: bridge, member: { bridge, name, isOne } } });

function whyNoMember(network: HostNetwork, { name, kind, master, under, isLoopback, addresses }: HostLink, bridge: string): string | undefined {
  if (isLoopback) return `${name} cannot be a member of a bridge`;
  if (kind === 'bridge') return `${name} is a bridge itself`;
  if (master !== undefined) return `${name} is a member of ${master}`;
  if (addresses.some(({ family, scope }) => family === 'inet' || scope !== 'link')) return `${name} has an address, which would be of no use in a bridge`;
  if (routesBy(network, name).length > 0) return `there are routes by ${name}`;
  return under === bridge ? `${name} is on top of ${bridge}` : undefined;
}

/** @throws ArgoError WRONG STATE */
function bridgeOf(network: HostNetwork, name: string): HostLink {
  const link = interfaceOf(network, name);
  if (link.kind !== 'bridge') throw wrongState(`${name} is no bridge`);
  return link;
}

type GivenAddress = HostLink['addresses'][number];

const shown = ({ addresses }: Pick<HostLink, 'addresses'>): string[] =>
  addresses.filter(({ family }) => family === 'inet').map(({ address, prefix }) => `${address}/${prefix}`);

/** The address that a bridge is to have. @throws SettingsFault, also where another interface has it */
function addressOf(network: HostNetwork, { address, prefix, gateway }: BridgeSettings, bridge?: HostLink): GivenAddress | undefined {
  if (address === undefined) {
    if (prefix !== undefined) throw new SettingsFault({ prefix: 'goes with an address' });
    if (gateway !== undefined) throw new SettingsFault({ gateway: 'cannot be reached from a bridge without an address' });
    return undefined;
  }
  if (prefix === undefined || !isPrefix(prefix) || prefix < 1) throw new SettingsFault({ prefix: 'is no number of bits of a mask that fits' });
  const fault = interfaceAddressFault(address, prefix);
  if (fault !== undefined) throw new SettingsFault({ address: fault });
  const owner = network.links.find((link) => link !== bridge && link.addresses.some((other) => other.address === address));
  if (owner !== undefined) throw new SettingsFault({ address: `is one of ${owner.name}` });
  const broadcast = prefix < 31 ? ' broadcast +' : '';
  return { address, prefix, family: 'inet', scope: 'global', isLeased: false, words: `${address}/${prefix}${broadcast}` };
}

/** The route that comes with an address. */
const networkWith = ({ address, prefix }: GivenAddress): Destination => ({ destination: address, prefix });

/** The default gateway by a bridge that is going to be so. @throws SettingsFault */
function gatewayPlan(network: HostNetwork, way: Way, { name, gateway }: BridgeSettings, bridge: HostLink): Plan | undefined {
  if (gateway === undefined) return undefined;
  const fits = ipv4Of(bridge).some(({ address, prefix }) => address !== gateway && contains(parseIpv4(address)!, prefix, parseIpv4(gateway) ?? 0));
  const fault = addressFault(gateway) ?? (fits ? undefined : `is not on the link of ${name}`);
  if (fault !== undefined) throw new SettingsFault({ gateway: fault });
  return planGateway(network, way, { destination: DEFAULT, prefix: 0, gateway, interface: name });
}

function bridgeFault(now: HostNetwork, { name, isUp, addresses }: HostLink): string | undefined {
  const link = linkOf(now, name);
  if (link?.kind !== 'bridge') return `the bridge ${name} is not there`;
  if (isUp && !link.isUp) return `${name} is down`;
  const [is, wanted] = [shown(link), shown({ addresses })].map((list) => [...list].sort().join(' '));
  return is === wanted ? undefined : `${name} has the addresses ${is || 'none'}`;
}
