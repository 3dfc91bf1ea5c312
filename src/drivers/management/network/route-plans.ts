import { SettingsFault } from '../../../kit/errors.js';
import type { RouteName } from '../network.js';
import { addressFault, contains, destinationFault, isPrefix, parseIpv4 } from './ipv4.js';
import { interfaceOf, linesBack, routeWords, wrongState, type KeptRoute, type Plan } from './plan.js';
import { DEFAULT, defaultOf, ipv4Of, networkName, type HostLink, type HostNetwork, type HostRoute } from './state.js';
import { whyNotRoutes, type Way } from './way.js';

/** Adding, replacing and taking away routes. */

export function planAddRoute(network: HostNetwork, way: Way, name: RouteName): Plan {
  checkForm(name, '');
  checkGateway(network, name, '');
  const made = { ...name, metric: 0 };
  if (network.routes.some((route) => isTo(route, made))) throw wrongState(`there is a route ${networkName(name)} already`);
  return {
    change: [`route add ${routeWords(made)}`],
    undo: [`route del ${routeWords(made)}`],
    danger: whyNotRoutes(network, way, [], [made]),
    fault: (now) => missing(now, made),
    keeping: { device: name.interface, made: [made] },
  };
}

export function planDeleteRoute(network: HostNetwork, way: Way, name: RouteName): Plan {
  checkForm(name, '');
  const { route, kept } = find(network, name);
  return {
    change: [`route del ${routeWords(kept)}`],
    undo: linesBack([route]),
    danger: whyNotRoutes(network, way, [route], []),
    fault: (now) => stillThere(now, kept),
    keeping: { device: name.interface, gone: [kept] },
  };
}

export function planReplaceRoute(network: HostNetwork, way: Way, old: RouteName, name: RouteName): Plan {
  checkForm(old, 'old ');
  checkForm(name, 'new ');
  const { route, kept } = find(network, old);
  checkGateway(network, name, 'new ');
  const made = { ...name, metric: kept.metric };
  if (routeWords(made) === routeWords(kept)) throw wrongState('it is so already');
  const danger = whyNotRoutes(network, way, [route], [made]);
  const keeping = { device: name.interface, gone: [kept], made: [made] };
  const fault = (now: HostNetwork): string | undefined => missing(now, made) ?? stillThere(now, kept);
  if (isTo(route, made)) {
    return { change: [`route replace ${routeWords(made)}`], undo: [`route del ${routeWords(made)}`, ...linesBack([route])], danger, fault, keeping };
  }
  if (network.routes.some((other) => isTo(other, made))) throw wrongState(`there is a route ${networkName(name)} already`);
  return {
    // The new one first: there is a way at every moment.
    change: [`route add ${routeWords(made)}`, `route del ${routeWords(kept)}`],
    undo: [...linesBack([route]), `route del ${routeWords(made)}`],
    danger, fault, keeping,
  };
}

/** The default gateway by an interface; where there is none by it, the one that is the host's. */
export function planSetGateway(network: HostNetwork, way: Way, gateway: string, device: string): Plan {
  const name: RouteName = { destination: DEFAULT, prefix: 0, gateway, interface: device };
  checkGateway(network, name, '');
  return planGateway(network, way, name);
}

/** Of a gateway that is known to fit. */
export function planGateway(network: HostNetwork, way: Way, name: RouteName): Plan {
  const replaced = defaultOf(network, name.interface) ?? network.routes.find((route) => route.destination === DEFAULT && route.metric === 0);
  const made = { ...name, metric: replaced?.metric ?? 0 };
  const gone = replaced === undefined ? [] : [replaced];
  const old = gone.flatMap(({ hops: [hop], metric }) => (hop === undefined ? [] : [{ ...name, ...hop, interface: hop.device, metric }]));
  if (replaced !== undefined && leadsBy(replaced, made)) throw wrongState('it is so already');
  return {
    change: [`route replace ${routeWords(made)}`],
    undo: [`route del ${routeWords(made)}`, ...linesBack(gone)],
    danger: whyNotRoutes(network, way, gone, [made]),
    fault: (now) => missing(now, made),
    keeping: { device: name.interface, gone: old.map(keptOf), made: [made] },
  };
}

const keptOf = ({ destination, prefix, gateway, interface: device, metric }: KeptRoute): KeptRoute =>
  ({ destination, prefix, ...(gateway === undefined ? {} : { gateway }), interface: device, metric });

/** @throws SettingsFault by the names of the settings, each after `which` */
function checkForm({ destination, prefix, gateway }: RouteName, which: string): void {
  const faults: Record<string, string> = {};
  if (!isPrefix(prefix) || (destination === DEFAULT && prefix !== 0)) faults[`${which}prefix`] = 'is no number of bits of a mask that fits';
  else if (destination !== DEFAULT) note(faults, `${which}destination`, destinationFault(destination, prefix));
  if (gateway !== undefined) note(faults, `${which}gateway`, addressFault(gateway));
  if (Object.keys(faults).length > 0) throw new SettingsFault(faults);
}

function note(faults: Record<string, string>, name: string, fault: string | undefined): void {
  if (fault !== undefined) faults[name] = fault;
}

/** @throws SettingsFault, WRONG STATE: the interface cannot carry a route, or the gateway is not on its link */
function checkGateway(network: HostNetwork, { gateway, interface: device }: RouteName, which: string): void {
  const link = interfaceOf(network, device);
  if (!link.isUp) throw wrongState(`${device} is down`);
  if (gateway === undefined) return;
  const fault = addressFault(gateway) ?? gatewayFault(network, link, gateway);
  if (fault !== undefined) throw new SettingsFault({ [`${which}gateway`]: fault });
}

function gatewayFault(network: HostNetwork, link: HostLink, gateway: string): string | undefined {
  if (network.links.some(({ addresses }) => addresses.some(({ address }) => address === gateway))) return 'is an address of the host itself';
  return isOnLink(network, link, gateway) ? undefined : `is not on the link of ${link.name}`;
}

/** Whether an address is reached by an interface without a gateway. */
export function isOnLink(network: HostNetwork, link: HostLink, address: string): boolean {
  const number = parseIpv4(address)!;
  return ipv4Of(link).some((own) => own.prefix < 32 && contains(parseIpv4(own.address)!, own.prefix, number))
    || network.routes.some(({ destination, prefix, hops, type }) => type === 'unicast' && destination !== DEFAULT
      && hops.some((hop) => hop.device === link.name && hop.gateway === undefined) && contains(parseIpv4(destination)!, prefix, number));
}

/** Whether the kernel takes the two for one: it has one route for a network and a metric. */
const isTo = (route: HostRoute, { destination, prefix, metric }: KeptRoute): boolean =>
  route.destination === destination && route.prefix === prefix && route.metric === metric;

const leadsBy = ({ hops }: HostRoute, { gateway, interface: device }: RouteName): boolean =>
  hops.length === 1 && hops[0]!.device === device && hops[0]!.gateway === gateway;

const isSame = (route: HostRoute, name: RouteName): boolean =>
  route.type === 'unicast' && route.destination === name.destination && route.prefix === name.prefix && leadsBy(route, name);

/** The one route of that name. @throws ArgoError WRONG STATE where there is none, or the kernel made it */
function find({ routes }: HostNetwork, name: RouteName): { readonly route: HostRoute; readonly kept: KeptRoute } {
  const [route, other] = routes.filter((each) => isSame(each, name));
  if (route === undefined) throw wrongState(`there is no such route ${networkName(name)}`);
  if (other !== undefined) throw wrongState(`there are several such routes ${networkName(name)}, with metrics of their own`);
  if (route.protocol === 'kernel') throw wrongState(`the route ${networkName(name)} comes with an address of ${name.interface}`);
  return { route, kept: keptOf({ ...name, metric: route.metric }) };
}

const missing = ({ routes }: HostNetwork, made: KeptRoute): string | undefined =>
  (routes.some((route) => isSame(route, made) && route.metric === made.metric) ? undefined : `the route ${networkName(made)} is not there`);

const stillThere = ({ routes }: HostNetwork, gone: KeptRoute): string | undefined =>
  (routes.some((route) => isSame(route, gone) && route.metric === gone.metric) ? `the route ${networkName(gone)} is still there` : undefined);
