import { setImmediate } from 'node:timers/promises';
import type { NatsConnection, PermissionViolationError } from '@nats-io/transport-node';
import { EXPECTED_LAST } from '../bus-store.js';
import { forbiddenTo, rightsOf, type Member, type Right } from './rights.js';
import type { AdminConnection } from './connection.js';

/**
 * Tries what the bus lets us say and hear. Nothing is done by it: what is sent goes to nobody, asks for no answer, and what would
 * be kept expects a predecessor that there is not.
 */

/** For people, each a line. */
export interface TrialResult {
  /** `publish argo.v1.site.*.op` */
  readonly missing: readonly string[];
  /** `send orders to any site` */
  readonly tooMuch: readonly string[];
  /** what could not be tried */
  readonly untried: readonly string[];
}

/** No stream has come that far. */
const NO_SUCH_SEQUENCE = String(Number.MAX_SAFE_INTEGER);

export async function tryRights(admin: AdminConnection, member: Member): Promise<TrialResult> {
  const { publish, subscribe } = rightsOf(member);
  const forbidden = forbiddenTo(member);
  const of = (on: 'publish' | 'subscribe'): Right[] => forbidden.filter((one) => one.on === on).map(({ right }) => right);
  const refused = await attempt(admin, [...publish, ...of('publish')], [...subscribe, ...of('subscribe')]);
  const missing = ([['publish', publish], ['subscribe', subscribe]] as const).flatMap(([on, rights]) =>
    rights.filter(({ trial }) => trial !== undefined && refused[on].has(trial)).map(({ pattern }) => `${on} ${pattern}`));
  return {
    missing,
    tooMuch: forbidden.filter(({ on, right: { trial } }) => !refused[on].has(trial!)).map(({ words }) => words),
    untried: publish.filter(({ trial }) => trial === undefined).map(({ pattern }) => `publish ${pattern}`),
  };
}

/** @returns the subjects that were refused */
async function attempt({ connection, nats, refused }: AdminConnection, publish: readonly Right[], subscribe: readonly Right[]): Promise<Record<'publish' | 'subscribe', ReadonlySet<string>>> {
  const expecting = nats.headers();
  expecting.set(EXPECTED_LAST, NO_SUCH_SEQUENCE);
  for (const { trial, isKept } of publish) if (trial !== undefined) connection.publish(trial, '?', isKept === true ? { headers: expecting } : {});
  const heard = subscribe.flatMap(({ trial }) => (trial === undefined ? [] : [listen(connection, trial)]));
  // The bus answers this after what came before: what it refuses, it has refused by then.
  await connection.flush();
  // what the client has read is told in turns of its own
  await setImmediate();
  for (const end of heard) end();
  const violations = refused.filter((error): error is PermissionViolationError => error.name === 'PermissionViolationError');
  const subjects = (operation: string): ReadonlySet<string> => new Set(violations.filter((one) => one.operation === operation).map(({ subject }) => subject));
  return { publish: subjects('publish'), subscribe: subjects('subscription') };
}

function listen(connection: NatsConnection, subject: string): () => void {
  const subscription = connection.subscribe(subject, { callback: () => undefined });
  // one that is refused ends by an error, which is known from elsewhere
  subscription.closed.catch(() => undefined);
  return () => subscription.unsubscribe();
}
