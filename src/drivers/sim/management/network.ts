import { ArgoError } from '../../../kit/errors.js';
import type { Bridge, BridgeSettings, Guard, Network, NetworkChange, Route, RouteName } from '../../management/network.js';
import { MOST, pass, wrongState, type Park } from './park.js';

/** The simulated host is reached by this one, so that what cuts it off can be tried. */
const MANAGED_BY = 'eth0';
/** From the networks for documentation, RFC 5737. */
const ADDRESSES: Readonly<Record<string, readonly string[]>> = { eth0: ['198.51.100.2/24'], eth1: [], eth2: [], eth3: [] };

interface State {
  readonly routes: readonly Route[];
  readonly bridges: readonly Bridge[];
}

const kernel = (destination: string, prefix: number, device: string): Route => ({ destination, prefix, interface: device, metric: 0, protocol: 'kernel' });

const FIRST: State = {
  routes: [{ destination: 'default', prefix: 0, gateway: '198.51.100.1', interface: MANAGED_BY, metric: 0, protocol: 'static' }, kernel('198.51.100.0', 24, MANAGED_BY), kernel('203.0.113.0', 24, 'br0')],
  bridges: [{ name: 'br0', members: ['eth1'], addresses: ['203.0.113.1/24'], isUp: true }],
};

/** Nothing brings it back: what is simulated begins anew with the server. */
const NOT_KEPT: NetworkChange = { keptBy: undefined };

const asNumber = (address: string): number => address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
const networkOf = (address: string, prefix: number): string => {
  const size = 2 ** (32 - prefix);
  const first = Math.floor(asNumber(address) / size) * size;
  return [24, 16, 8, 0].map((shift) => Math.floor(first / 2 ** shift) % 256).join('.');
};

const isSame = (route: RouteName, other: RouteName): boolean =>
  route.destination === other.destination && route.prefix === other.prefix && route.gateway === other.gateway && route.interface === other.interface;
const namedBy = ({ destination, prefix }: RouteName): string => (destination === 'default' ? destination : `${destination}/${prefix}`);

/** The routes and bridges of a simulated host. Each change is made whole or not at all, and undone where it cuts the host off. */
export class SimNetwork {
  #state = FIRST;
  readonly #park: Park;

  constructor(park: Park) {
    this.#park = park;
  }

  hasBridge(name: string): boolean {
    return this.#state.bridges.some((bridge) => bridge.name === name);
  }

  get ability(): Network {
    const reading = <T>(read: (state: State) => T) => async (_: object, { signal }: { readonly signal: AbortSignal }): Promise<T> => {
      await pass(this.#park.latency, signal);
      return read(this.#state);
    };
    const changing = <Args extends Guard>(touches: (args: Args, state: State) => boolean, next: (args: Args, state: State) => State) =>
      async (args: Args, { signal }: { readonly signal: AbortSignal }): Promise<NetworkChange> => {
        await pass(this.#park.latency, signal);
        return this.#change(args, touches, next);
      };
    return {
      routes: reading(({ routes }) => routes),
      gateway: async ({ interface: device }, call) => (await reading(({ routes }) => routes.find((one) => one.destination === 'default' && one.interface === device))({}, call))?.gateway,
      bridges: reading(({ bridges }) => bridges),
      addRoute: changing<RouteName & Guard>(isManaging, (route, state) => withRoute(state, route)),
      replaceRoute: changing<{ readonly old: RouteName; readonly new: RouteName } & Guard>(
        ({ old, new: next }) => isManaging(old) || isManaging(next), ({ old, new: next }, state) => withRoute(withoutRoute(state, old), next)),
      deleteRoute: changing<RouteName & Guard>(isManaging, (route, state) => withoutRoute(state, route)),
      setGateway: changing<{ readonly gateway: string; readonly interface: string } & Guard>(() => true, withGateway),
      addBridge: changing<BridgeSettings & Guard>(({ gateway }) => gateway !== undefined, (bridge, state) => {
        if (devicesOf(state).includes(bridge.name)) throw wrongState(`${bridge.name} is there already`);
        return withBridge(state, bridge, []);
      }),
      changeBridge: changing<BridgeSettings & Guard>(({ gateway }) => gateway !== undefined, (bridge, state) => {
        const { members } = bridgeOf(state, bridge.name);
        return withBridge(withoutBridge(state, bridge.name), bridge, members);
      }),
      deleteBridge: changing<{ readonly name: string } & Guard>(() => false, ({ name }, state) => {
        const { members } = bridgeOf(state, name);
        if (members.length > 0) throw wrongState(`${name} has members: ${members.join(', ')}`);
        return withoutBridge(state, name);
      }),
      addMember: changing<{ readonly bridge: string; readonly member: string } & Guard>(({ member }) => member === MANAGED_BY, withMember),
      deleteMember: changing<{ readonly bridge: string; readonly member: string } & Guard>(() => false, ({ bridge, member }, state) => {
        const { members } = bridgeOf(state, bridge);
        if (!members.includes(member)) throw wrongState(`${member} is no member of ${bridge}`);
        return withMembers(state, bridge, members.filter((one) => one !== member));
      }),
    };
  }

  #change<Args extends Guard>(args: Args, touches: (args: Args, state: State) => boolean, next: (args: Args, state: State) => State): NetworkChange {
    const before = this.#state;
    const after = next(args, before);
    if (touches(args, before) && !args.force) throw wrongState(`it touches ${MANAGED_BY}, by which the host is reached; --force does it all the same`);
    if (after.routes.length + after.bridges.length > MOST) throw new ArgoError('FAILED', 'there is no room for more');
    const isReached = after.routes.some((route) => route.destination === 'default') && !after.bridges.some(({ members }) => members.includes(MANAGED_BY));
    if (!isReached) throw new ArgoError('FAILED', 'the host could not be reached any more, and has undone it');
    this.#state = after;
    return NOT_KEPT;
  }
}

const isManaging = (route: RouteName): boolean => route.destination === 'default' || route.interface === MANAGED_BY;

const devicesOf = ({ bridges }: State): readonly string[] => [...Object.keys(ADDRESSES), ...bridges.map(({ name }) => name)];
const addressesOf = ({ bridges }: State, device: string): readonly string[] =>
  ADDRESSES[device] ?? bridges.find(({ name }) => name === device)?.addresses ?? [];

function bridgeOf({ bridges }: State, name: string): Bridge {
  const bridge = bridges.find((one) => one.name === name);
  if (bridge === undefined) throw wrongState(`there is no bridge ${name}`);
  return bridge;
}

/** As the kernel takes one: in its words. */
function withRoute(state: State, { destination, prefix, gateway, interface: device }: RouteName): State {
  if (!devicesOf(state).includes(device)) throw new ArgoError('FAILED', `Cannot find device "${device}"`);
  if (state.routes.some((one) => one.destination === destination && one.prefix === prefix)) throw wrongState(`there is a route to ${namedBy({ destination, prefix, interface: device })} already`);
  const isNear = gateway === undefined || addressesOf(state, device).some((address) => {
    const [own = '', bits] = address.split('/');
    return networkOf(own, Number(bits)) === networkOf(gateway, Number(bits));
  });
  if (!isNear) throw new ArgoError('FAILED', 'Nexthop has invalid gateway.');
  return { ...state, routes: [...state.routes, { destination, prefix, ...(gateway !== undefined && { gateway }), interface: device, metric: 0, protocol: 'static' }] };
}

function withoutRoute(state: State, route: RouteName): State {
  const found = state.routes.find((one) => isSame(one, route));
  if (found === undefined) throw wrongState(`there is no such route to ${namedBy(route)}`);
  return { ...state, routes: state.routes.filter((one) => one !== found) };
}

function withGateway({ gateway, interface: device }: { readonly gateway: string; readonly interface: string }, state: State): State {
  const others = state.routes.filter(({ destination }) => destination !== 'default');
  return withRoute({ ...state, routes: others }, { destination: 'default', prefix: 0, gateway, interface: device });
}

function withBridge(state: State, { name, address, prefix, gateway }: BridgeSettings, members: readonly string[]): State {
  const addresses = address === undefined || prefix === undefined ? [] : [`${address}/${prefix}`];
  const routes = address === undefined || prefix === undefined ? [] : [kernel(networkOf(address, prefix), prefix, name)];
  const made = { routes: [...state.routes, ...routes], bridges: [...state.bridges, { name, members, addresses, isUp: true }] };
  return gateway === undefined ? made : withGateway({ gateway, interface: name }, made);
}

const withoutBridge = ({ routes, bridges }: State, name: string): State =>
  ({ routes: routes.filter((route) => route.interface !== name), bridges: bridges.filter((bridge) => bridge.name !== name) });

function withMember({ bridge, member }: { readonly bridge: string; readonly member: string }, state: State): State {
  const { members } = bridgeOf(state, bridge);
  if (!Object.hasOwn(ADDRESSES, member)) throw state.bridges.some(({ name }) => name === member) ? wrongState(`${member} is a bridge itself`) : new ArgoError('FAILED', `Cannot find device "${member}"`);
  const taken = state.bridges.find((one) => one.members.includes(member));
  if (taken) throw wrongState(`${member} is a member of ${taken.name} already`);
  return withMembers(state, bridge, [...members, member]);
}

const withMembers = (state: State, name: string, members: readonly string[]): State =>
  ({ ...state, bridges: state.bridges.map((bridge) => (bridge.name === name ? { ...bridge, members } : bridge)) });
