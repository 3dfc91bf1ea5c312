import { hostname } from 'node:os';
import { timeOfDay, type ArgoEvent, type Cursor, type EventFacts } from '../../instances/events.js';
import type { EventFeed } from '../../instances/feed.js';
import { WEBHOOK_TEXT } from '../../kit/webhook-limits.js';

/**
 * Events as CloudEvents 1.0 in the JSON format, "structured mode" (cloudevents/spec v1.0.2, spec.md and
 * formats/json-format.md): all about an event is in the body.
 */

export const CONTENT_TYPE = 'application/cloudevents+json; charset=utf-8';

/** Before all types of ours. */
const TYPE = 'org.xen-tools.argo';

/** What CloudEvents call the types of events; `instance.` before those about machines. */
const NAMES = { state: 'instance.state', added: 'instance.added', removed: 'instance.removed', action: 'instance.action' } as const;

/** Events of which the receiver will never hear. */
export interface LostFacts {
  readonly type: 'lost';
  /** undefined: nobody knows */
  readonly dropped: number | undefined;
  readonly reason: 'too-old' | 'too-many' | 'not-kept';
}

/** What is kept on the disk for a receiver. */
export interface Kept {
  /** the same at each attempt */
  readonly id: string;
  /** when it was seen by the time of day. Microseconds since 1970 */
  readonly at: number;
  readonly facts: EventFacts | LostFacts;
  /** by what it is decided at delivery who may know of it; undefined where the event is about no instance */
  readonly subject?: ArgoEvent['subject'];
}

/** Whoever sends: this machine. What may stand in no URI or in the id of a message is replaced. */
const HOST = hostname().replace(/[^A-Za-z0-9-]/g, '-') || 'localhost';
const SOURCE = `argo://${HOST}`;

/** Unique over restarts and machines, and without a dot, which separates it from the timestamp in what is signed. */
export const idOf = (cursor: Cursor): string => `${HOST}-${cursor}`;

/** An event as it is kept. @param cursor of the server's, names it */
export function keep(event: ArgoEvent, facts: EventFacts, cursor: Cursor): Kept {
  const { subject } = event;
  const { provider, name, id, isTwin } = subject ?? {};
  return {
    id: idOf(cursor), at: timeOfDay(event) * 1000, facts: cut(facts),
    ...(provider !== undefined && name !== undefined && { subject: { provider, name, ...(id !== undefined && { id }), ...(isTwin === true && { isTwin }) } }),
  };
}

/** What is kept of events that a receiver will not get: told among the others. */
export const keepLost = (feed: EventFeed, dropped: LostFacts['dropped'], reason: LostFacts['reason']): Kept =>
  ({ id: idOf(feed.cursor({ at: feed.stamp() })), at: Date.now() * 1000, facts: { type: 'lost', dropped, reason } });

/** Texts within bounds, so that no event is too large to be kept. */
function cut<Facts extends object>(facts: Facts): Facts {
  const short = (value: unknown): unknown => (typeof value === 'string' && value.length > WEBHOOK_TEXT ? `${value.slice(0, WEBHOOK_TEXT)}…` : value);
  return Object.fromEntries(Object.entries(facts).map(([key, value]: [string, unknown]) => [key, short(value)])) as Facts;
}

/** The body of a message: one CloudEvent. */
export function envelope({ id, at }: Kept, facts: EventFacts | LostFacts): string {
  const { type, ...data } = facts;
  const about = data as { readonly instance?: string; readonly provider?: string; readonly plan?: string; readonly auditId?: number };
  const { auditId, ...rest } = about;
  return JSON.stringify({
    specversion: '1.0',
    id,
    source: SOURCE,
    type: `${TYPE}.${type === 'lost' ? 'events.lost' : (NAMES as Readonly<Record<string, string>>)[type] ?? type}.v1`,
    subject: about.instance ?? about.provider ?? about.plan,
    time: new Date(at / 1000).toISOString(),
    datacontenttype: 'application/json',
    data: { ...rest, ...(auditId !== undefined && { audit: auditId }), ...('ms' in rest && { ms: Math.round(Number(rest.ms)) }) },
  });
}
