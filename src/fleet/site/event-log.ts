import { FLEET_ACKNOWLEDGE_PAUSE, FLEET_PARCEL } from '../../kit/fleet-limits.js';
import { STATE_PAGE } from '../../kit/limits.js';
import { Acknowledger } from '../../store/acknowledger.js';
import type { KeyValue, Outbox } from '../../store/state.js';

/** What fronts are told of. `lost`: so many events, which stood just before it, are not told. */
export const SITE_EVENTS = ['state', 'added', 'removed', 'action', 'provider', 'lost'] as const;
export type SiteEventType = (typeof SITE_EVENTS)[number];

interface EventHead {
  readonly type: SiteEventType;
  /** of the process that saw it; a UUID */
  readonly incarnation: string;
  /** ISO 8601 in UTC */
  readonly at: string;
}

/** An event of a site. */
export interface SiteEvent extends EventHead {
  /** what it says, in JSON */
  readonly event: string;
}

/** One that has a number. */
export interface NumberedEvent extends EventHead {
  /** greater by one than that of the one before */
  readonly seq: number;
  /** all of it in JSON, as it is kept and told: that is written once, and then copied to wherever the event goes */
  readonly text: string;
}

/** One that is on the disk. */
export interface KeptEvent extends NumberedEvent {
  /** in its queue */
  readonly position: number;
}

/** Gives an event its number. Nothing but what it says has signs that JSON writes otherwise. */
export const numbered = ({ type, incarnation, at, event }: SiteEvent, seq: number): NumberedEvent =>
  ({ type, incarnation, at, seq, text: `{"incarnation":"${incarnation}","seq":${seq},"type":"${type}","at":"${at}","event":${event}}` });

export interface EventLogParts {
  /** of what the inventory tells as well, so that it may be lost where there is no room */
  readonly changes: Outbox;
  /** of everything else: who did what is not lost for the sake of states */
  readonly deeds: Outbox;
  readonly notes: KeyValue;
}

/** One of the two queues on the disk. */
interface Queue {
  readonly outbox: Outbox;
  readonly acknowledger: Acknowledger;
  /** position of the newest */
  last: number;
  /** up to which all was read, or is gone */
  read: number;
  /** at hand and not done, the oldest first */
  readonly events: KeptEvent[];
}

const CHANGES: ReadonlySet<SiteEventType> = new Set<SiteEventType>(['state', 'added', 'removed']);
const BASE = 'base';
const LIFE = 'life';
/** Events put down in one go. */
const APPENDED = 256;

/**
 * The events of a site on its disk, until the bus has them. They are numbered by the positions of the two queues, so that no number
 * is used twice whenever the process ends; where the state folder is lost, the time makes numbers greater than those of before.
 */
export class EventLog {
  readonly #queues: Readonly<Record<'changes' | 'deeds', Queue>>;
  readonly #notes: KeyValue;
  #base = 0;
  #life = 0;
  #isLoaded = false;
  #hasDelivered = false;
  /** what changes which number is the next, one after the other */
  #numbering: Promise<unknown> = Promise.resolve();
  /** the last attempt to put something down failed: it may have been put down all the same */
  #isDoubtful = false;

  constructor({ changes, deeds, notes }: EventLogParts) {
    const queue = (outbox: Outbox): Queue => ({ outbox, acknowledger: new Acknowledger(outbox, FLEET_ACKNOWLEDGE_PAUSE), last: 0, read: 0, events: [] });
    this.#queues = { changes: queue(changes), deeds: queue(deeds) };
    this.#notes = notes;
  }

  /** To be called before anything else, until it succeeds. @throws StateError */
  async load(): Promise<void> {
    if (this.#isLoaded) return;
    const known = await this.#notes.get(BASE);
    const base = known === undefined ? Date.now() : Number(known);
    if (known === undefined) await this.#notes.set(BASE, String(base));
    const life = Math.max(Date.now(), Number(await this.#notes.get(LIFE) ?? 0) + 1);
    await this.#notes.set(LIFE, String(life));
    for (const queue of this.#all) {
      const { gone, last, dropped } = await queue.outbox.read(0, 1);
      Object.assign(queue, { last, read: gone });
      this.#hasDelivered ||= gone > dropped;
    }
    this.#base = base;
    this.#life = life;
    this.#isLoaded = true;
  }

  /** The number of the newest; 0 before it is loaded. */
  get last(): number {
    return this.#base + this.#queues.changes.last + this.#queues.deeds.last;
  }

  /** Of this process: greater than that of any before, also where the state folder is an old one. 0 before it is loaded. */
  get life(): number {
    return this.#life;
  }

  /** Events that are still to be sent. */
  get backlog(): number {
    return this.#all.reduce((sum, { last, read, events }) => sum + last - read + events.length, 0);
  }

  /** No event of these queues has a number as small as this one. */
  get base(): number {
    return this.#base;
  }

  /** Whether anything that was kept has ever arrived. */
  get hasDelivered(): boolean {
    return this.#hasDelivered;
  }

  /**
   * Puts some of these down, and takes them away from the list.
   * @returns those that are on the disk now
   * @throws StateError; then call it again with the same ones, before others
   */
  append(pending: SiteEvent[]): Promise<readonly KeptEvent[]> {
    return this.#alone(() => this.#append(pending));
  }

  async #append(pending: SiteEvent[]): Promise<readonly KeptEvent[]> {
    const few = pending.slice(0, APPENDED);
    if (few.length === 0) return [];
    const { last } = this;
    const parts = new Map<Queue, KeptEvent[]>();
    const kept = few.map((event, index): KeptEvent => {
      const queue = this.#queueOf(event.type);
      const part = parts.get(queue) ?? [];
      parts.set(queue, part);
      const one = { ...numbered(event, last + index + 1), position: queue.last + part.length + 1 };
      part.push(one);
      return one;
    });
    if (this.#isDoubtful) await forgetKept(parts);
    this.#isDoubtful = true;
    // both in one go, so that they share one wait for the disk; and where one fails, the other has ended as well
    const done = await Promise.allSettled(
      [...parts].map(async ([queue, part]) => ({ queue, part, ...await queue.outbox.append(part.map(({ text }) => text)) })),
    );
    const put = done.map((one) => {
      if (one.status === 'rejected') throw one.reason;
      return one.value;
    });
    this.#isDoubtful = false;
    for (const { queue, part, last: end, dropped } of put) takeIn(queue, part, end, dropped);
    pending.splice(0, few.length);
    return kept;
  }

  /**
   * The oldest that is not done, and those right behind it that are of the same type and process: FLEET_PARCEL at most.
   * @returns none where there is none @throws StateError
   */
  async next(): Promise<readonly KeptEvent[]> {
    for (const queue of this.#all) if (queue.events.length === 0 && queue.read < queue.last) await this.#fill(queue);
    const [events = []] = this.#all.flatMap((queue) => (queue.events.length === 0 ? [] : [queue.events])).sort(([one], [other]) => one!.seq - other!.seq);
    let count = Math.min(1, events.length);
    while (count < Math.min(events.length, FLEET_PARCEL) && isNext(events[count]!, events[count - 1]!)) count += 1;
    return events.slice(0, count);
  }

  /** Those that {@link next} has given have arrived, up to this one. */
  done({ type, position }: KeptEvent): void {
    const queue = this.#queueOf(type);
    const { events, acknowledger } = queue;
    while (events[0] !== undefined && events[0].position <= position) events.shift();
    queue.read = Math.max(queue.read, position);
    acknowledger.upTo(position);
    this.#hasDelivered = true;
  }

  /** From now on, numbers are greater than this one, which an earlier life has used. @throws StateError */
  raise(seq: number): Promise<void> {
    return this.#alone(async () => {
      if (seq <= this.last) return;
      const base = this.#base + seq - this.last;
      await this.#notes.set(BASE, String(base));
      this.#base = base;
    });
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#numbering.then(work, work);
    this.#numbering = done;
    return done;
  }

  /** Resolves when the disk knows what has arrived, or cannot be told. */
  async settle(): Promise<void> {
    await Promise.all(this.#all.map(({ acknowledger }) => acknowledger.settle()));
  }

  get #all(): readonly Queue[] {
    return [this.#queues.changes, this.#queues.deeds];
  }

  #queueOf(type: SiteEventType): Queue {
    return CHANGES.has(type) ? this.#queues.changes : this.#queues.deeds;
  }

  async #fill(queue: Queue): Promise<void> {
    const { events, gone } = await queue.outbox.read(queue.read, STATE_PAGE);
    queue.events.push(...events.map(({ position, event: text }) => ({ ...headIn(text), text, position })));
    queue.read = Math.max(queue.read, gone, events.at(-1)?.position ?? 0);
  }
}

/** Takes out the parts that are on the disk already, where it was not known whether they are. @throws StateError */
async function forgetKept(parts: Map<Queue, KeptEvent[]>): Promise<void> {
  // all are read before anything is changed: a look that fails is repeated with the same numbers
  const found = await Promise.all([...parts.keys()].map(async (queue) => [queue, (await queue.outbox.read(Number.MAX_SAFE_INTEGER, 1)).last] as const));
  for (const [queue, last] of found) {
    if (last !== queue.last) parts.delete(queue);
    queue.last = last;
  }
}

/** Has what was put down of a queue at hand, where all before it is. @param last its position @param dropped how many gave way for it */
function takeIn(queue: Queue, kept: readonly KeptEvent[], last: number, dropped: number): void {
  const { events, read, last: before } = queue;
  queue.last = last;
  // what was pushed out on the disk is lost, and told to be: what is left is read from there
  if (dropped > 0) letGo(queue);
  else if (read === before && events.length + kept.length <= STATE_PAGE) {
    events.push(...kept);
    queue.read = last;
  }
}

/** Has what is at hand of a queue be read from the disk again. */
function letGo(queue: Queue): void {
  const [first] = queue.events;
  if (first !== undefined) queue.read = first.position - 1;
  queue.events.length = 0;
}

/** Whether an event comes right behind another one, and can be told in the same breath. */
const isNext = (event: KeptEvent, before: KeptEvent): boolean =>
  event.seq === before.seq + 1 && event.type === before.type && event.incarnation === before.incarnation;

/** What {@link numbered} has written before what the event says. */
function headIn(text: string): Omit<NumberedEvent, 'text'> {
  const { type, incarnation, at, seq } = JSON.parse(text) as Omit<NumberedEvent, 'text'>;
  return { type, incarnation, at, seq };
}
