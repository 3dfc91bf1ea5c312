import type { Authenticator } from '../auth/authenticator.js';
import type { Gate } from '../instances/gate.js';
import type { Log } from '../kit/log.js';
import type { Metrics } from '../kit/metrics.js';
import { Entrance } from '../listening/entrance.js';
import { SharedHttp } from '../listening/http.js';
import type { State } from '../store/state.js';
import { accountsFor } from './accounts.js';
import type { GatewayHost } from './contract.js';

/** What all gateways share. */
export interface HostParts {
  readonly authenticator: Authenticator;
  readonly gate: Gate;
  readonly metrics: Metrics;
  readonly state: State;
  readonly log: Log;
}

/** @returns makes what each gateway gets, by its name */
export function hosts({ authenticator, gate, metrics, state, log: logAll }: HostParts): (name: string) => GatewayHost {
  const http = new SharedHttp(logAll);
  return (name) => {
    const log: Log = (level, message, facts) => logAll(level, message, { gateway: name, ...facts });
    const namespace = `gateway ${name}`;
    return {
      name, log, metrics,
      doors: { sockets: (events) => new Entrance(events, log), http: http.doorsFor(name) },
      accounts: accountsFor(name, authenticator, gate, log),
      state: { kv: state.keyValue(namespace), outbox: state.outbox(namespace), once: state.once(namespace) },
    };
  };
}
