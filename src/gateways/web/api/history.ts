import * as v from 'valibot';
import type { Subscription, ToldEvent } from '../../../instances/subscription.js';
import { ArgoError } from '../../../kit/errors.js';
import { AUDIT_ROWS, EVENTS_ANSWERED } from '../../../kit/api-limits.js';
import type { EventRow, Failure } from '../messages.js';
import { failureFor } from '../refusals.js';
import { route, type Route } from './route.js';
import * as shapes from './shapes.js';

/** The routes about what has happened: events and the audit. */

/** As the page and the feed are told of it. */
export function eventRow({ cursor, time, facts: { type, ...facts } }: ToldEvent): EventRow {
  return { cursor, at: time.getTime(), type, facts };
}

/** What comes, a row each; one of the type `idle` while nothing does. Where it ends badly, why is the last. */
async function* follow(subscription: Subscription, signal: AbortSignal): AsyncGenerator<EventRow | Failure> {
  try {
    for await (const { cursor, events } of subscription.batches(signal)) {
      if (events.length === 0) yield { cursor, at: Date.now(), type: 'idle', facts: {} };
      for (const event of events) yield eventRow(event);
    }
  } catch (thrown) {
    return yield failureFor(thrown);
  }
  // who asked may do so no longer
  if (signal.reason instanceof ArgoError) yield failureFor(signal.reason);
}

const EVENT_QUERY = {
  types: v.optional(shapes.eventTypes), select: v.optional(shapes.words), instance: v.optional(shapes.shortText),
  since: v.optional(shapes.shortText), follow: v.optional(shapes.flag, 'false'), limit: v.optional(shapes.eventLimit, String(EVENTS_ANSWERED)),
};

export const HISTORY_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/events',
    summary: 'What has happened lately, newest last; or, followed, what happens from now or from a cursor on',
    right: 'read, on what it is about',
    query: EVENT_QUERY,
    answer: shapes.events,
    streams: true,
    run: async ({
      actor,
      query: { types, select = [], instance, since, follow: follows, limit },
      signal,
    }): Promise<v.InferInput<typeof shapes.events> | AsyncIterable<never>> => {
      const names = [...select, ...(instance === undefined ? [] : [instance])];
      const filter = { ...(names.length > 0 ? { names } : {}), ...(types === undefined ? {} : { types }) };
      // a stream's lines are rows, which the table's one answer does not say
      if (follows) return follow(await actor.watch(filter, since), signal) as AsyncIterable<unknown> as AsyncIterable<never>;
      if (since !== undefined) throw new ArgoError('BAD REQUEST', 'since goes with follow=true');
      return { events: (await actor.lastEvents(filter, limit)).map(eventRow) };
    },
  }),
  route({
    method: 'GET',
    path: '/audit',
    summary: 'What was ordered, newest first',
    right: 'read, on what it was ordered for; who else ordered it needs *',
    query: {
      account: v.optional(shapes.shortText),
      instance: v.optional(shapes.shortText),
      since: v.optional(shapes.anyTime),
      until: v.optional(shapes.anyTime),
      before: v.optional(shapes.anyTime),
      limit: v.optional(shapes.auditLimit, String(AUDIT_ROWS)),
    },
    answer: shapes.audit,
    run: async ({ actor, query: { limit, ...wanted } }) => {
      const { rows, before } = await actor.audit({ ...wanted, most: limit });
      return { rows: rows.map((row) => ({ ...row, at: Date.parse(row.at) })), before: before ?? null };
    },
  }),
];
