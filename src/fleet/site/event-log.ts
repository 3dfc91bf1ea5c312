import { FLEET_ACKNOWLEDGE_PAUSE } from '../../kit/fleet-limits.js';
import { STATE_PAGE } from '../../kit/limits.js';
import { Acknowledger } from '../../store/acknowledger.js';
import type { KeyValue, Outbox } from '../../store/state.js';

/** What fronts are told of. `lost`: so many events, which stood just before it, are not told. */
export const SITE_EVENTS = ['state', 'added', 'removed', 'action', 'provider', 'lost'] as const;
export type SiteEventType = (typeof SITE_EVENTS)[number];

/** An event of a site. */
export interface SiteEvent {
  readonly type: SiteEventType;
  /** of the process that saw it */
  readonly incarnation: string;
  /** ISO 8601 in UTC */
  readonly at: string;
  readonly event: Readonly<Record<string, unknown>>;
}

/** One that is on the disk. `seq`: greater by one than that of the one before. */
export interface KeptEvent extends SiteEvent {
  readonly seq: number;
}

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
  /** read and not done, the oldest first */
  readonly events: { readonly position: number; readonly event: KeptEvent }[];
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
  async append(pending: SiteEvent[]): Promise<readonly KeptEvent[]> {
    const [first] = pending;
    if (first === undefined) return [];
    const end = pending.findIndex(({ type }) => CHANGES.has(type) !== CHANGES.has(first.type));
    const few = pending.slice(0, Math.min(end === -1 ? pending.length : end, APPENDED));
    const queue = this.#queueOf(first.type);
    const { last } = this;
    const kept = few.map((event, index): KeptEvent => ({ ...event, seq: last + index + 1 }));
    const before = queue.last;
    if (this.#isDoubtful) queue.last = (await queue.outbox.read(Number.MAX_SAFE_INTEGER, 1)).last;
    this.#isDoubtful = true;
    if (queue.last === before) queue.last = (await queue.outbox.append(kept.map((event) => JSON.stringify(event)))).last;
    this.#isDoubtful = false;
    pending.splice(0, few.length);
    return kept;
  }

  /** The oldest that is not done; undefined where there is none. @throws StateError */
  async next(): Promise<KeptEvent | undefined> {
    for (const queue of this.#all) if (queue.events.length === 0 && queue.read < queue.last) await this.#fill(queue);
    const heads = this.#all.flatMap(({ events }) => events.slice(0, 1));
    return heads.reduce<KeptEvent | undefined>((oldest, { event }) => (oldest === undefined || event.seq < oldest.seq ? event : oldest), undefined);
  }

  /** The one that {@link next} has given has arrived. */
  done({ type }: KeptEvent): void {
    const { events, acknowledger } = this.#queueOf(type);
    acknowledger.upTo(events.shift()!.position);
    this.#hasDelivered = true;
  }

  /** From now on, numbers are greater than this one, which an earlier life has used. @throws StateError */
  async raise(seq: number): Promise<void> {
    if (seq <= this.last) return;
    const base = this.#base + seq - this.last;
    await this.#notes.set(BASE, String(base));
    this.#base = base;
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
    queue.events.push(...events.map(({ position, event }) => ({ position, event: JSON.parse(event) as KeptEvent })));
    queue.read = Math.max(queue.read, gone, events.at(-1)?.position ?? 0);
  }
}
