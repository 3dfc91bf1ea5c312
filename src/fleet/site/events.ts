import { timeOfDay, type ArgoEvent } from '../../instances/events.js';
import type { EventFeed, FeedReader } from '../../instances/feed.js';
import { providerOf } from '../../instances/principal.js';
import { Bell, Sleepers } from '../../kit/bell.js';
import { ArgoError } from '../../kit/errors.js';
import { BUS_STORE_PAUSE, FLEET_EVENT_TEXT, FLEET_EVENTS_LATE, FLEET_MESSAGE } from '../../kit/fleet-limits.js';
import type { Log } from '../../kit/log.js';
import { isoNow, oneLine } from '../../kit/text.js';
import { signedBy, type Bus, type Signer } from '../contract.js';
import { FLEET_VERSION, joined, listOf, type NewsMessage } from '../messages.js';
import { newsSubject } from '../subjects.js';
import { EventLog, numbered, SITE_EVENTS, type EventLogParts, type KeptEvent, type SiteEvent, type SiteEventType } from './event-log.js';
import { EventSender, messageOf } from './event-sender.js';
import type { Offers } from './offers.js';

export interface SiteEventsParts extends EventLogParts {
  readonly site: string;
  readonly incarnation: string;
  readonly feed: EventFeed;
  readonly bus: Bus;
  readonly signer: Signer;
  readonly offers: Pick<Offers, 'isShared' | 'isTold'>;
  readonly log: Log;
}

/** What grows with what somebody has typed. */
const LONG_TEXTS = ['options', 'outcome', 'reason'];

/** What the stream has; other events are a site's own. */
const TYPES: ReadonlySet<string> = new Set<SiteEventType>(['state', 'added', 'removed', 'action', 'provider']);
/** What fronts hear as well, since they show it. */
const TOLD_AT_ONCE: SiteEventType = 'state';

/**
 * What happens at a site, as fronts and the stream of events are told of it. An event is put on the disk first, which gives it its
 * number; then the fronts that listen are told, if it is one of a state, with those that came with it; and it is brought into the
 * stream as soon as that takes it, which may be long after.
 */
export class SiteEvents {
  readonly #parts: SiteEventsParts;
  readonly #reader: FeedReader;
  readonly #events: EventLog;
  readonly #sender: EventSender;
  readonly #bell = new Bell();
  readonly #pauses = new Sleepers();
  /** most bytes of an event's message besides what it says */
  readonly #frame: number;
  /** on the disk, and not told to fronts yet, since there is no connection */
  #untold: KeptEvent[] = [];

  /** What happens from now on is told. */
  constructor(parts: SiteEventsParts) {
    this.#parts = parts;
    const { site, incarnation } = parts;
    this.#frame = Math.max(...SITE_EVENTS.map((type) => messageOf(site, numbered({ type, incarnation, at: isoNow(), event: '' }, Number.MAX_SAFE_INTEGER)).length));
    this.#reader = parts.feed.reader();
    this.#events = new EventLog(parts);
    this.#sender = new EventSender({ ...parts, events: this.#events, bell: this.#bell });
  }

  /** The number of the last event that has one. */
  get last(): number {
    return this.#events.last;
  }

  /** As {@link EventLog.life}. */
  get life(): number {
    return this.#events.life;
  }

  /** Events that the bus has not taken yet. */
  get backlog(): number {
    return this.#events.backlog;
  }

  /** Reads what an earlier life has left, as soon as that can be read: before, events have no numbers. Never rejects. */
  async load(signal: AbortSignal): Promise<void> {
    let isComplained = false;
    while (!signal.aborted) {
      try {
        return await this.#events.load();
      } catch (error) {
        if (!isComplained) this.#parts.log('warn', 'events for the fleet cannot be read', { reason: (error as Error).message });
        isComplained = true;
        await this.#pauses.sleep(signal, BUS_STORE_PAUSE);
      }
    }
  }

  /** After {@link load}; until nothing more will happen and the bus has what it takes, or the signal is aborted. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const forget = this.#parts.bus.onChange(() => {
      this.#tell();
      this.#bell.ring();
    });
    try {
      await Promise.all([this.#sender.run(signal), this.#record(signal).finally(() => this.#sender.end())]);
    } finally {
      forget();
    }
  }

  async #record(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const events = await this.#next(signal);
      if (events === undefined) return;
      while (events.length > 0 && !signal.aborted) await this.#keep(events, signal);
    }
  }

  /** What is to be told of what came; undefined at the end. */
  async #next(signal: AbortSignal): Promise<SiteEvent[] | undefined> {
    const { incarnation, log } = this.#parts;
    try {
      const events = await this.#reader.next(signal);
      return events.length === 0 ? undefined : events.flatMap((event) => this.#told(event) ?? []);
    } catch (error) {
      if (!(error instanceof ArgoError) || error.phrase !== 'CURSOR EXPIRED') throw error;
      log('warn', 'events were forgotten before they could be kept for the fleet');
      return [{ type: 'lost', incarnation, at: isoNow(), event: JSON.stringify({ type: 'lost' }) }];
    }
  }

  /** @returns undefined where it is nobody else's business, or cannot be told */
  #told(one: ArgoEvent): SiteEvent | undefined {
    const { facts, subject } = one;
    if (!TYPES.has(facts.type) || facts.type === 'plan' || facts.type === 'server') return undefined;
    const { offers, incarnation, log } = this.#parts;
    const provider = facts.type === 'provider' ? facts.provider : subject?.provider ?? providerOf(facts.instance);
    const isOfInventory = facts.type === 'state' || facts.type === 'added' || facts.type === 'removed';
    if (!(isOfInventory ? offers.isTold(provider) : offers.isShared(provider))) return undefined;
    const event: SiteEvent = {
      type: facts.type,
      incarnation,
      at: new Date(timeOfDay(one)).toISOString(),
      event: JSON.stringify({ ...shortened(facts), provider, id: subject?.id }),
    };
    const length = this.#frame + Buffer.byteLength(event.event);
    if (length <= FLEET_MESSAGE) return event;
    log('warn', 'an event is not told to the fleet', { type: facts.type, provider, reason: `it would have ${length} bytes, and at most ${FLEET_MESSAGE} can be` });
    return undefined;
  }

  /** Puts some on the disk, takes them away from the list, and tells them. */
  async #keep(events: SiteEvent[], signal: AbortSignal): Promise<void> {
    const { log } = this.#parts;
    try {
      this.#untold.push(...(await this.#events.append(events)).filter(({ type }) => type === TOLD_AT_ONCE));
      if (this.#untold.length > FLEET_EVENTS_LATE) this.#untold = this.#untold.slice(-FLEET_EVENTS_LATE);
      this.#tell();
      this.#bell.ring();
    } catch (error) {
      log('warn', 'events cannot be kept for the fleet', { reason: (error as Error).message });
      await this.#pauses.sleep(signal, BUS_STORE_PAUSE);
    }
  }

  /** What states have come to be meanwhile, the inventory tells; what was done, the stream. */
  #tell(): void {
    const { bus, site, signer } = this.#parts;
    if (bus.trouble !== undefined) return;
    const subject = newsSubject(site);
    for (const events of together(this.#untold.splice(0))) {
      const data = Buffer.from(joined(JSON.stringify({ v: FLEET_VERSION, site } satisfies Omit<NewsMessage, 'events'>), listOf('events', events)));
      bus.publish(subject, data, signedBy(site, signer, subject, data));
    }
  }
}

/** As they are told in a `NewsMessage` of messages.ts, in JSON, so many at a time as are a message. Each by itself is shorter than one. */
function together(events: readonly KeptEvent[]): readonly string[][] {
  const groups: string[][] = [];
  let size = Infinity;
  for (const { text } of events) {
    if (size >= FLEET_MESSAGE / 2) {
      groups.push([]);
      size = 0;
    }
    groups.at(-1)!.push(text);
    size += Buffer.byteLength(text);
  }
  return groups;
}

/** The same, without the end of what is too long. */
function shortened(facts: object): Readonly<Record<string, unknown>> {
  const short: Record<string, unknown> = { ...facts };
  for (const key of LONG_TEXTS) if (typeof short[key] === 'string') short[key] = oneLine(short[key], FLEET_EVENT_TEXT);
  return short;
}
