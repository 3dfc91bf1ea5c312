import type { None, Work } from './work.js';

/** A route of a host, of its main table. */
export interface Route {
  /** 192.168.3.0; `default` */
  readonly destination: string;
  /** bits of the mask */
  readonly prefix: number;
  /** undefined: on the link itself */
  readonly gateway?: string;
  readonly interface: string;
  readonly metric: number;
  /** what the kernel says of it beyond that: protocol, scope, flags */
  readonly protocol?: string;
}

/** A route as it is named by whoever adds it or takes it away. */
export interface RouteName {
  readonly destination: string;
  readonly prefix: number;
  readonly gateway?: string;
  readonly interface: string;
}

export interface Bridge {
  readonly name: string;
  readonly members: readonly string[];
  /** with their prefix: 192.168.1.41/24 */
  readonly addresses: readonly string[];
  readonly isUp: boolean;
}

export interface BridgeSettings {
  readonly name: string;
  readonly address?: string;
  /** bits of the mask; with `address` */
  readonly prefix?: number;
  readonly gateway?: string;
}

/** What came of a change of a host's network. */
export interface NetworkChange {
  /** which of the host's own tools will bring it back after a restart: netplan, NetworkManager, ifupdown; undefined: none, so it lasts until then */
  readonly keptBy: string | undefined;
}

/** How a change of a host's network is guarded. */
export interface Guard {
  /** milliseconds after which the host undoes it by itself, unless a new connection has come through meanwhile */
  readonly rollback: number;
  /** also where it touches the way by which the host is reached */
  readonly force: boolean;
}

/**
 * Routes and bridges. Each change is undone by the host itself unless it can be reached anew after it; one that touches
 * the way by which the host is managed is refused with WRONG STATE, unless `force`. One change a host at a time.
 */
export interface Network {
  routes: Work<None, readonly Route[]>;
  addRoute: Work<RouteName & Guard, NetworkChange>;
  replaceRoute: Work<{ readonly old: RouteName; readonly new: RouteName } & Guard, NetworkChange>;
  deleteRoute: Work<RouteName & Guard, NetworkChange>;
  /** The default gateway by an interface; undefined where there is none. */
  gateway: Work<{ readonly interface: string }, string | undefined>;
  setGateway: Work<{ readonly gateway: string; readonly interface: string } & Guard, NetworkChange>;
  bridges: Work<None, readonly Bridge[]>;
  addBridge: Work<BridgeSettings & Guard, NetworkChange>;
  changeBridge: Work<BridgeSettings & Guard, NetworkChange>;
  deleteBridge: Work<{ readonly name: string } & Guard, NetworkChange>;
  addMember: Work<{ readonly bridge: string; readonly member: string } & Guard, NetworkChange>;
  deleteMember: Work<{ readonly bridge: string; readonly member: string } & Guard, NetworkChange>;
}
