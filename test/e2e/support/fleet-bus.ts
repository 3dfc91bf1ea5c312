import type { Test } from 'tap';
import { NatsBus } from '../../../src/fleet/bus.js';
import { checkMessage, eventMessage, type EventMessage } from '../../../src/fleet/messages.js';
import { unpacked } from '../../../src/fleet/parcels.js';
import { AUDIT_STREAM, EVENTS_STREAM } from '../../../src/fleet/subjects.js';
import type { AuditNews } from '../../../src/store/audit-entry.js';
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

/** All events of the stream, as whoever administers the bus reads them. */
export const storedEvents = async (nats: Nats): Promise<EventMessage[]> =>
  (await stored(nats, EVENTS_STREAM)).flatMap((data) => unpacked(data).map((one) => checkMessage(eventMessage, one)));

/** A message of the audit of a front. */
export interface AuditCopy {
  readonly front: string;
  readonly outbox: string;
  readonly from: number;
  readonly to: number;
  readonly lost?: number;
  readonly entries: readonly AuditNews[];
}

/** All of the stream of audits. */
export const storedAudits = async (nats: Nats): Promise<AuditCopy[]> =>
  (await stored(nats, AUDIT_STREAM)).map((data) => JSON.parse(data.toString()) as AuditCopy);

/** All messages of a stream, the oldest first. */
async function stored(nats: Nats, stream: string): Promise<Buffer[]> {
  const { connect, nkeyAuthenticator } = await import('@nats-io/transport-node');
  const connection = await connect({
    servers: nats.urls, ...(nats.caFile !== undefined && { tls: { caFile: nats.caFile } }), inboxPrefix: '_INBOX._admin', authenticator: nkeyAuthenticator(Buffer.from(nats.admin.seed)),
  });
  try {
    const ask = async <T>(subject: string, content: object): Promise<T> => (await connection.request(`$JS.API.${subject}`, JSON.stringify(content), { timeout: 10_000 })).json<T>();
    const { state } = await ask<{ state: { first_seq: number; last_seq: number } }>(`STREAM.INFO.${stream}`, {});
    const found: Buffer[] = [];
    for (let seq = state.first_seq; seq <= state.last_seq; seq += 1) {
      const { message } = await ask<{ message: { data: string } }>(`STREAM.MSG.GET.${stream}`, { seq });
      found.push(Buffer.from(message.data, 'base64'));
    }
    return found;
  } finally {
    await connection.close();
  }
}
