import type { Authenticator } from '../auth/authenticator.js';
import type { EventFeed } from '../instances/feed.js';
import type { Gate } from '../instances/gate.js';
import type { Log } from '../kit/log.js';
import type { Metrics } from '../kit/metrics.js';
import { Entrance, type EntranceEvents, type RefusalReason } from '../listening/entrance.js';
import { SharedHttp } from '../listening/http.js';
import type { State } from '../store/state.js';
import { accountsFor } from './accounts.js';
import type { GatewayHost } from './contract.js';
import type { Departures } from './gateways.js';

/** What all gateways share. */
export interface HostParts {
  readonly authenticator: Authenticator;
  readonly gate: Gate;
  readonly metrics: Metrics;
  readonly feed: EventFeed;
  readonly state: State;
  readonly log: Log;
  readonly own: readonly string[];
}

/**
 * @param departures the gateways that end or change with the configuration that is being prepared: others may take their places
 * @returns makes what each gateway gets, by its name
 */
export function hosts({ authenticator, gate, metrics, feed, state, log: logAll, own }: HostParts, { moving }: Departures): (name: string) => GatewayHost {
  const http = new SharedHttp(logAll, moving);
  /** those that each gateway has opened: one that is loaded anew takes their listeners over */
  const entrances = new Map<string, Entrance[]>();
  return (name) => {
    const former = (entrances.get(name) ?? []).filter((one) => one.addresses().length > 0);
    const all = [...former];
    entrances.set(name, all);
    const predecessors = (): Entrance[] => [...former, ...[...moving].filter((other) => other !== name).flatMap((other) => entrances.get(other) ?? [])];
    const log: Log = (level, message, facts) => logAll(level, message, { gateway: name, ...facts });
    const namespace = `gateway ${name}`;
    return {
      name,
      log,
      metrics,
      own,
      doors: {
        sockets: (events) => {
          const entrance = new Entrance(guarded(events, log), log, predecessors);
          all.push(entrance);
          return entrance;
        },
        http: http.doorsFor(name),
      },
      accounts: accountsFor(name, authenticator, gate, log),
      events: feed,
      state: {
        kv: state.keyValue(namespace),
        outbox: state.outbox(namespace),
        once: state.once(namespace),
        history: state.history(namespace),
        folder: state.folder(namespace),
      },
    };
  };
}

/** A client with whom a gateway's own code fails is let go: it would hold its place, and wait for an answer, for ever. */
function guarded(events: EntranceEvents, log: Log): EntranceEvents {
  const refusal = (reason: RefusalReason): string | undefined => {
    try {
      return events.refusal?.(reason);
    } catch (cause) {
      log('error', 'connection failed', { reason, cause });
      return undefined;
    }
  };
  const connected = async (...client: Parameters<EntranceEvents['connected']>): Promise<void> => {
    try {
      // an async function may have been written there
      await (events.connected(...client) as unknown);
    } catch (cause) {
      const [socket, address] = client;
      log('error', 'connection failed', { from: address, cause });
      socket.destroy();
    }
  };
  return { connected: (...client) => void connected(...client), refusal };
}
