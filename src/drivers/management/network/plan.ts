import { ArgoError } from '../../../kit/errors.js';
import type { RouteName } from '../network.js';
import { linkOf, networkName, type HostLink, type HostNetwork, type HostRoute } from './state.js';

/** A change of a host's network, worked out before anything is done. */
export interface Plan {
  /** for `ip -batch`: words with one blank between them */
  readonly change: readonly string[];
  /** the same, to be gone through as a whole, whatever of it cannot be done */
  readonly undo: readonly string[];
  /** why it concerns the way by which the host is managed */
  readonly danger: string | undefined;
  /** what is not as it should be after it, for people */
  readonly fault: (now: HostNetwork) => string | undefined;
  /** undefined: it is nothing that lasts by itself */
  readonly keeping?: Keeping;
}

/** What is to be different after a restart, too. */
export interface Keeping {
  /** whose owner among the host's own tools is to keep it; undefined of what is new: its main one */
  readonly device: string | undefined;
  readonly gone?: readonly KeptRoute[];
  readonly made?: readonly KeptRoute[];
  /** a bridge as it is to be; `undefined`: not at all */
  readonly bridge?: { readonly name: string; readonly to: { readonly addresses: readonly string[]; readonly isNew?: true } | undefined };
  readonly member?: { readonly bridge: string; readonly name: string; readonly isOne: boolean };
}

export type KeptRoute = RouteName & { readonly metric: number };

/** Routes that can be put back at most: they are handed over as arguments. */
const MOST_ROUTES = 500;

/** Letters and digits first, so that it is never taken for an option; 15 bytes (IFNAMSIZ). The kernel refuses the two words. */
export const INTERFACE = /^(?!all$|default$)[A-Za-z0-9][\w.-]{0,14}$/;

export const wrongState = (detail: string): ArgoError => new ArgoError('WRONG STATE', detail);

/** @throws ArgoError WRONG STATE */
export function interfaceOf(network: HostNetwork, name: string): HostLink {
  const link = INTERFACE.test(name) ? linkOf(network, name) : undefined;
  if (link === undefined) throw wrongState('the host has no interface of that name');
  return link;
}

/** What `ip route` takes for a route. */
export function routeWords({ destination, prefix, gateway, interface: device, metric }: KeptRoute): string {
  const via = gateway === undefined ? '' : ` via ${gateway}`;
  return `${networkName({ destination, prefix })}${via} dev ${device}${metric === 0 ? '' : ` metric ${metric}`}`;
}

/**
 * Lines that bring all routes of some interfaces back.
 * @throws ArgoError WRONG STATE where one of them is such that it could not be put back
 */
export function linesBack(routes: readonly HostRoute[]): string[] {
  const lost = routes.find(({ words }) => words === undefined);
  if (lost !== undefined) throw wrongState(`the route ${networkName(lost)} could not be put back if it went wrong`);
  if (routes.length > MOST_ROUTES) throw wrongState(`${routes.length} routes could not be put back if it went wrong`);
  // What a gateway is reached by comes before what leads over it.
  const isFar = ({ hops }: HostRoute): number => (hops.some(({ gateway }) => gateway !== undefined) ? 1 : 0);
  return [...routes].sort((one, other) => isFar(one) - isFar(other)).map(({ words }) => `route add ${words!}`);
}

export const routesBy = ({ routes }: HostNetwork, device: string): HostRoute[] => routes.filter(({ hops }) => hops.some((hop) => hop.device === device));
