import type { Test } from 'tap';
import { NatsBus } from '../../../src/fleet/bus.js';
import type { Nats, NatsUser } from '../../peers/nats.js';
import { LONG_MS } from '../../support/fleet/bus-helpers.js';
import { until } from '../../support/until.js';

/** What tests of the bus over a real nats-server share. */

export interface Joined {
  readonly bus: NatsBus;
  readonly log: string[];
}

/** A client of the bus, until the test's end, and what it logs. */
export function join(t: Test, nats: Nats, user: NatsUser, link = nats.link(user)): Joined {
  const log: string[] = [];
  const bus = new NatsBus(link, (level, message, facts) => { log.push(`${level} ${message} ${JSON.stringify(facts)}`); });
  t.teardown(() => bus.close());
  return { bus, log };
}

export const connected = (...buses: readonly NatsBus[]): Promise<void> => until(() => buses.every(({ trouble }) => trouble === undefined), LONG_MS, 'a connection');
