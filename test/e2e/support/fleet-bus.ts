import type { Test } from 'tap';
import { NatsBus } from '../../../src/fleet/bus.js';
import { BusError } from '../../../src/fleet/contract.js';
import type { Nats, NatsUser } from '../../peers/nats.js';
import { until } from '../../support/until.js';

/** What tests of the bus over a real nats-server share. */

/** For what comes soon, on a busy machine. */
export const LONG_MS = 30_000;

export const bytes = (text: string): Buffer => Buffer.from(text);
export const words = ({ data }: { readonly data: Uint8Array }): string => Buffer.from(data).toString();

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

/** The error of the bus by which it fails. */
export async function failure(work: Promise<unknown>): Promise<BusError> {
  const error = await work.then(() => undefined, (thrown: unknown) => thrown);
  if (!(error instanceof BusError)) throw new Error(`no BusError, but ${String(error)}`);
  return error;
}
