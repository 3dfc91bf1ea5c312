import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import * as v from 'valibot';
import { Bell } from '../../kit/bell.js';
import { BUS_STORE_PAUSE, FLEET_ACKNOWLEDGE_PAUSE, FLEET_AUDIT_GATHERED, FLEET_AUDIT_MESSAGE, FLEET_AUDIT_TEXT, FLEET_MESSAGE } from '../../kit/fleet-limits.js';
import { OUTBOX_APPEND } from '../../kit/limits.js';
import type { Log } from '../../kit/log.js';
import { Acknowledger } from '../../store/acknowledger.js';
import type { AuditNews, AuditRow } from '../../store/audit-entry.js';
import type { CopyOutbox, KeyValue } from '../../store/state.js';
import { signedBy, type Bus, type Signer } from '../contract.js';
import { keepSending } from '../keep-sending.js';
import { FLEET_VERSION, joined, listOf, MessageFault, readMessage } from '../messages.js';
import { isSignedBy } from '../signer.js';
import { AUDIT_STREAM, auditSubject } from '../subjects.js';

export interface FrontAuditParts {
  readonly bus: Bus;
  readonly signer: Signer;
  /** the front's name */
  readonly front: string;
  /** what is on its way to the stream: it outlives this process. Its origin is this server's audit: the number of the last action whose beginning is in it */
  readonly outbox: CopyOutbox;
  /** The actions of this server's audit below a number, newest first. @param before undefined: from the newest on @throws Error */
  readonly rows: (before: number | undefined, most: number) => Promise<readonly AuditRow[]>;
  /** where it is kept by which name this outbox is known in the stream */
  readonly names: KeyValue;
  readonly log: Log;
}

/**
 * What a front's audit holds, as it stands in the stream: the entries `from` to `to` of an outbox, in order; `lost`: how many
 * of those before them had to give way while the bus was away.
 */
const auditMessage = v.object({
  v: v.literal(FLEET_VERSION),
  front: v.string(),
  outbox: v.string(),
  from: v.number(),
  to: v.number(),
  lost: v.optional(v.number()),
  entries: v.array(v.record(v.string(), v.unknown())),
});
type AuditMessage = v.InferOutput<typeof auditMessage>;

/** How far the stream is. */
interface Stored {
  /** by which the stream tells this outbox from one whose folder was lost */
  readonly outbox: string;
  /** place in the stream of the last message of this front; 0: there is none */
  place: number;
  /** position of the last entry of the outbox that is there */
  upTo: number;
}

/** An entry, as it is put down. */
interface Gathered {
  readonly text: string;
  /** of the action that begins with it */
  readonly begins?: number;
}

/** Room for what stands around the entries of a message. */
const FRAME = 1024;
const NAME = 'outbox';

/** The front's own audit on its way into the stream of audits: in order, each entry once, over restarts and breaks of the bus. */
export class FrontAudit {
  readonly #parts: FrontAuditParts;
  readonly #subject: string;
  readonly #acknowledger: Acknowledger;
  readonly #bell = new Bell();
  readonly #closing = new AbortController();
  /** not on the disk yet */
  #gathered: Gathered[] = [];
  #dropped = 0;
  /** number of the first action that has begun in this process */
  #first: number | undefined;
  /** whether what an earlier process had begun was read, and goes before all that has come in this one */
  #isComplete = false;
  #again: NodeJS.Timeout | undefined;
  /** undefined: to be read */
  #stored: Stored | undefined;
  /** position of the last entry that this process has brought there */
  #brought: number | undefined;
  /** place in the stream of the last message that says nothing */
  #skipped: number | undefined;
  #trouble: string | undefined;
  #keeping: Promise<void> | undefined;
  #sending: Promise<void> | undefined;

  constructor(parts: FrontAuditParts) {
    this.#parts = parts;
    this.#subject = auditSubject(parts.front);
    this.#acknowledger = new Acknowledger(parts.outbox, FLEET_ACKNOWLEDGE_PAUSE);
  }

  start(): void {
    const { bus } = this.#parts;
    const { signal } = this.#closing;
    const end = bus.onChange(() => {
      if (bus.trouble !== undefined) this.#stored = undefined;
      this.#bell.ring();
    });
    signal.addEventListener('abort', end, { once: true });
    this.#sending = keepSending(
      {
        bus,
        bell: this.#bell,
        send: () => this.#send(),
        doubt: () => { this.#stored = undefined; },
        failed: (error, isDown) => { if (!isDown) this.#complain(error.message); },
      },
      signal,
    );
    this.#keepAll();
  }

  /** Takes an entry on. It is on the disk soon, and in the stream as soon as that is there. */
  add(news: AuditNews): void {
    if (!('outcome' in news)) this.#first ??= news.id;
    if (this.#gathered.length >= FLEET_AUDIT_GATHERED) {
      this.#dropped += 1;
      return;
    }
    this.#gathered.push(gathered(news));
    this.#keepAll();
  }

  /** Waits until what was taken on is on the disk. Never rejects. */
  async close(): Promise<void> {
    await this.#keeping;
    clearTimeout(this.#again);
    this.#closing.abort();
    await this.#sending;
    await this.#acknowledger.settle();
  }

  #keepAll(): void {
    this.#keeping ??= this.#keep().finally(() => { this.#keeping = undefined; });
  }

  async #keep(): Promise<void> {
    if (!this.#isComplete && !await this.#complete()) return;
    while (this.#gathered.length > 0) {
      const some = this.#gathered.splice(0, OUTBOX_APPEND);
      const last = some.findLast(({ begins }) => begins !== undefined)?.begins;
      try {
        await this.#parts.outbox.append(some.map(({ text }) => text), last === undefined ? undefined : String(last));
      } catch (error) {
        this.#dropped += some.length;
        this.#complain(`it cannot be kept until the bus has it: ${(error as Error).message}`);
      }
      // with each, since there may always be more by the time that some are on the disk
      if (this.#dropped > 0) this.#parts.log('error', 'entries of the audit are lost to the fleet; this server has them', { entries: this.#dropped });
      this.#dropped = 0;
      this.#bell.ring();
    }
  }

  /**
   * What had begun when an earlier process was killed, or its power failed, before it was put down here: it goes before all that has
   * begun in this one, which is held back until it is read, so that the outbox's origin does not pass it. Of an outbox without one nothing is known.
   * @returns whether it was read; else it is tried again soon
   */
  async #complete(): Promise<boolean> {
    try {
      // what has begun while it was read is here already
      const before = (await this.#missed()).filter(({ id }) => this.#first === undefined || id < this.#first).reverse();
      this.#gathered.unshift(...before.flatMap(newsOf).map(gathered));
      this.#isComplete = true;
    } catch (error) {
      this.#complain(`what was begun before cannot be read: ${(error as Error).message}`);
      clearTimeout(this.#again);
      this.#again = setTimeout(() => this.#keepAll(), BUS_STORE_PAUSE);
    }
    return this.#isComplete;
  }

  /** The actions that are not in the outbox, newest first: the oldest of very many give way. @throws Error, StateError */
  async #missed(): Promise<readonly AuditRow[]> {
    const origin = await this.#parts.outbox.origin();
    if (origin === undefined) return [];
    const missed: AuditRow[] = [];
    for (let isMore = true; isMore;) {
      const rows = await this.#parts.rows(missed.at(-1)?.id ?? this.#first, FLEET_AUDIT_MESSAGE);
      const found = rows.filter(({ id }) => id > Number(origin));
      if (found.length > 0 && missed.length >= FLEET_AUDIT_GATHERED) {
        this.#parts.log('error', 'actions of before are lost to the fleet; this server has them in its audit', { after: Number(origin), before: missed.at(-1)!.id });
        break;
      }
      missed.push(...found);
      isMore = found.length === FLEET_AUDIT_MESSAGE;
    }
    return missed;
  }

  /** Sends what fits into a message. @returns whether there was more @throws BusError, StateError */
  async #send(): Promise<boolean> {
    const { bus, signer, outbox, front } = this.#parts;
    const stored = this.#stored ??= await this.#readBack();
    const { events, last } = await outbox.read(stored.upTo, FLEET_AUDIT_MESSAGE);
    if (events.length === 0) return false;
    const some = fitting(events);
    const [from, to] = [some[0]!.position, some.at(-1)!.position];
    const lost = from - stored.upTo - 1;
    const frame = JSON.stringify({ v: FLEET_VERSION, front, outbox: stored.outbox, from, to, ...(lost > 0 && { lost }) } satisfies Omit<AuditMessage, 'entries'>);
    const data = Buffer.from(joined(frame, listOf('entries', some.map(({ event }) => event))));
    stored.place = await bus.addToStream(AUDIT_STREAM, this.#subject, data, signedBy(front, signer, this.#subject, data), `${stored.outbox}-${to}`, stored.place);
    stored.upTo = this.#brought = to;
    this.#trouble = undefined;
    this.#acknowledger.upTo(to);
    return to < last;
  }

  /** What the stream has last of this front: what somebody else has put there tells nothing of what has arrived. @throws BusError, StateError */
  async #readBack(): Promise<Stored> {
    const { bus, signer, front, outbox } = this.#parts;
    let name = await this.#outboxName();
    const last = await bus.lastOfSubject(AUDIT_STREAM, this.#subject);
    const said = last && (isSignedBy(front, signer, this.#subject, last) ? readEntries(last.data) : 'it is not signed by this server');
    const isOurs = typeof said === 'object' && said.outbox === name;
    const { events: [there], gone, dropped, last: newest } = await outbox.read(isOurs ? said.to - 1 : Number.MAX_SAFE_INTEGER, 1);
    const isStrange = isOurs && (said.to > newest || (there?.position === said.to && !isDeepStrictEqual(JSON.parse(there.event), said.entries.at(-1))));
    const fault = typeof said === 'string' ? said : isStrange ? 'it has entries that this server never had' : undefined;
    if (fault !== undefined) this.#skip(last!.seq, fault);
    // a state folder of before, put back: its positions are those of other entries there, and the stream would take the next ones for these
    if (isStrange) name = await this.#newName();
    // where its last word there says nothing, or the stream was made anew, what is left here has not arrived, as far as this server knows
    const upTo = fault !== undefined ? this.#brought ?? gone : isOurs ? said.to : dropped === 0 ? gone : 0;
    if (upTo > 0) this.#acknowledger.upTo(upTo);
    return { outbox: name, place: last?.seq ?? 0, upTo };
  }

  /** One message that says nothing is no reason for a copy that stops. Told once of each. */
  #skip(place: number, reason: string): void {
    if (this.#skipped === place) return;
    this.#skipped = place;
    this.#parts.log('warn', 'the last message of this front in the stream of audits cannot be used, it goes on behind that', { reason });
  }

  /** Made with the folder. @throws StateError */
  async #outboxName(): Promise<string> {
    return await this.#parts.names.get(NAME) ?? await this.#newName();
  }

  /** @throws StateError */
  async #newName(): Promise<string> {
    const name = randomUUID();
    await this.#parts.names.set(NAME, name);
    return name;
  }

  /** Once for each reason. */
  #complain(reason: string): void {
    if (this.#trouble === reason) return;
    this.#trouble = reason;
    this.#parts.log('warn', 'the audit of this front does not get to the fleet', { reason });
  }
}

const gathered = (news: AuditNews): Gathered => ({ text: JSON.stringify(shortened(news)), ...(!('outcome' in news) && { begins: news.id }) });

/** What was told of an action, or would have been. */
const newsOf = ({ outcome, ms, ...begun }: AuditRow): AuditNews[] =>
  [begun, ...(outcome === null || ms === null ? [] : [{ id: begun.id, at: new Date(Date.parse(begun.at) + ms).toISOString(), outcome, ms }])];

/** With texts that are no longer than may be. */
const shortened = (news: AuditNews): AuditNews => (Object.values(news).every((value) => typeof value !== 'string' || value.length <= FLEET_AUDIT_TEXT)
  ? news
  : Object.fromEntries(Object.entries(news).map(([key, value]) => [key, typeof value === 'string' ? value.slice(0, FLEET_AUDIT_TEXT) : value])) as unknown as AuditNews);

/** Those that fit into one message, one at least. */
function fitting<T extends { readonly event: string }>(events: readonly T[]): readonly T[] {
  let size = FRAME;
  const end = events.findIndex(({ event }) => (size += Buffer.byteLength(event) + 1) > FLEET_MESSAGE);
  return end === -1 ? events : events.slice(0, Math.max(1, end));
}

/** What a message of the stream has, or why it cannot be read, as one of another version. */
function readEntries(data: Uint8Array): AuditMessage | string {
  try {
    return readMessage(auditMessage, data, Infinity);
  } catch (thrown) {
    if (thrown instanceof MessageFault) return thrown.message;
    throw thrown;
  }
}
