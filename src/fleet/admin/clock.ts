import { randomUUID } from 'node:crypto';
import { FLEET_CLOCK_TIMEOUT } from '../../kit/fleet-limits.js';
import { bucketStream, keysSubject, NANOSECONDS } from '../bus-store.js';
import { LEASES_BUCKET } from '../subjects.js';
import { askStore, type AdminConnection } from './connection.js';
import { CLOCK_SUBJECT } from './rights.js';

/** Milliseconds by which a clock is before ours; what the way took can make that wrong by `within` at most. */
export interface Clock {
  readonly ahead: number;
  readonly within: number;
}

/**
 * The clock of the server to which we are connected. It is in the answer to a question for figures of an account (docs.nats.io,
 * system events), which any client may be allowed to ask. Once nats-server 2.9.10 has read its settings anew nobody answers that
 * any more (tried).
 * @returns undefined where it does not say
 */
export async function serverClock({ connection }: Pick<AdminConnection, 'connection'>): Promise<Clock | undefined> {
  const [clock, began] = [Date.now(), performance.now()];
  try {
    const { data } = await connection.request(CLOCK_SUBJECT, '', { timeout: FLEET_CLOCK_TIMEOUT });
    const { server } = JSON.parse(Buffer.from(data).toString()) as { readonly server?: { readonly time?: string } };
    return clockOf(server?.time, clock, performance.now() - began);
  } catch {
    return undefined;
  }
}

/** How long the store keeps what is made to read its clock, in nanoseconds. */
const KEPT = 1000 * NANOSECONDS;

/**
 * The clock of the server that leads a bucket: it says when it has made a consumer, which goes by itself a second later. Sites may
 * make none. @throws StoreFault, Error @returns undefined where it does not say
 */
export async function storeClock(admin: Pick<AdminConnection, 'connection'>): Promise<Clock | undefined> {
  const [stream, name, subject] = [bucketStream(LEASES_BUCKET), randomUUID(), keysSubject(LEASES_BUCKET, '_')];
  const config = { name, filter_subject: subject, deliver_policy: 'new', ack_policy: 'none', inactive_threshold: KEPT, mem_storage: true, num_replicas: 1 };
  const [clock, began] = [Date.now(), performance.now()];
  const { created } = await askStore<{ readonly created?: string }>(admin, `CONSUMER.CREATE.${stream}.${name}.${subject}`, { stream_name: stream, config });
  return clockOf(created, clock, performance.now() - began);
}

/** @param asked ms since 1970 by our clock @param way ms until the answer */
function clockOf(told: string | undefined, asked: number, way: number): Clock | undefined {
  const time = Date.parse(told ?? '');
  return Number.isNaN(time) ? undefined : { ahead: time - (asked + way / 2), within: way / 2 };
}
