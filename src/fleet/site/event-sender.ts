import type { Bell } from '../../kit/bell.js';
import { FLEET_LIVES } from '../../kit/fleet-limits.js';
import type { Log } from '../../kit/log.js';
import type { KeyValue } from '../../store/state.js';
import { BusError, signedBy, type Bus, type Signer, type StreamEntry } from '../contract.js';
import { keepSending } from '../keep-sending.js';
import { checkMessage, eventMessage, FLEET_VERSION, joined, MessageFault, type EventMessage } from '../messages.js';
import { packed, parcelsOf, unpacked } from '../parcels.js';
import { isSignedBy } from '../signer.js';
import { EVENTS_STREAM, eventSubject } from '../subjects.js';
import { numbered, SITE_EVENTS, type EventLog, type KeptEvent, type NumberedEvent, type SiteEventType } from './event-log.js';

export interface SenderParts {
  readonly site: string;
  /** of this process */
  readonly incarnation: string;
  readonly bus: Bus;
  readonly signer: Signer;
  readonly events: EventLog;
  /** where it is kept which processes have sent from this state folder */
  readonly notes: KeyValue;
  readonly log: Log;
  /** rung when there is something new, the connection is back, or it is to end */
  readonly bell: Bell;
}

/** A message of one event, in JSON: an {@link EventMessage}. It may be longer than a message is to be. */
export const messageOf = (site: string, { text }: NumberedEvent): Uint8Array =>
  Buffer.from(joined(JSON.stringify({ v: FLEET_VERSION, site } satisfies Partial<EventMessage>), text));

/** An event with its message. */
interface Written {
  readonly event: KeptEvent;
  readonly data: Uint8Array;
}

const LIVES = 'lives';

/** The last of a type that the stream has. */
interface Stored {
  /** in the stream; 0: it has none */
  readonly place: number;
  readonly incarnation?: string;
  readonly seq?: number;
}

/**
 * Brings the events of a site into the stream: in order, one message after the other, each event once. Those that stand behind each
 * other and have one subject go together, as parcels.ts says. A message says at which place the last of its subject stands. Where an
 * answer is missing, what stands there is read: the stream knows ids for a while only.
 */
export class EventSender {
  readonly #parts: SenderParts;
  readonly #stored = new Map<SiteEventType, Stored>();
  /** whether what the stream has is known */
  #isSure = false;
  /** the processes that have sent from this state folder, the last ones, this one at the end; undefined: not read yet */
  #lives: readonly string[] | undefined;
  /** the number of the last that has arrived; undefined: not known */
  #sent: number | undefined;
  #failure: string | undefined;
  #isEnding = false;

  constructor(parts: SenderParts) {
    this.#parts = parts;
  }

  /** What is there is sent, as long as the bus takes it; then it ends. */
  end(): void {
    this.#isEnding = true;
    this.#parts.bell.ring();
  }

  /** Until it has been told to end, or the signal is aborted. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { bell, bus, events } = this.#parts;
    await keepSending(
      {
        bus,
        bell,
        isEnding: () => this.#isEnding,
        send: () => this.#sendNext(),
        doubt: () => { this.#isSure = false; },
        failed: (error, isDown) => this.#failed(error, isDown),
      },
      signal,
    );
    await events.settle();
  }

  /** @returns whether there was more @throws BusError, StateError */
  async #sendNext(): Promise<boolean> {
    const { events } = this.#parts;
    const { last } = events;
    const next = await events.next();
    for (const parcel of parcelsOf(next.map((event) => this.#written(event)))) await this.#bring(parcel);
    const sent = next.at(-1);
    return sent !== undefined && sent.seq < last;
  }

  #written(event: KeptEvent): Written {
    return { event, data: messageOf(this.#parts.site, event) };
  }

  /** @param parcel one or more, of one type and process, without gaps @throws BusError, StateError */
  async #bring(parcel: readonly Written[]): Promise<void> {
    const { events, log } = this.#parts;
    if (!this.#isSure) await this.#readBack();
    const [{ event: first }, { event: last }] = [parcel[0]!, parcel.at(-1)!];
    const gap = this.#gapBefore(first);
    if (gap > 0) await this.#add([this.#written({ ...first, ...numbered({ ...first, type: 'lost', event: JSON.stringify({ type: 'lost', count: gap }) }, first.seq - 1) })]);
    await this.#add(parcel);
    events.done(last);
    if (this.#failure !== undefined) log('info', 'events arrive on the bus again');
    this.#failure = undefined;
  }

  /** How many events between the last one and this one there is nothing of any more. */
  #gapBefore({ seq }: KeptEvent): number {
    const { base, hasDelivered } = this.#parts.events;
    if (this.#sent === undefined && hasDelivered) return 0;
    return Math.max(0, seq - Math.max(this.#sent ?? base, base) - 1);
  }

  /** Adds those that are not there. @throws BusError */
  async #add(parcel: readonly Written[]): Promise<void> {
    await this.#append(parcel);
    this.#sent = Math.max(this.#sent ?? 0, parcel.at(-1)!.event.seq);
  }

  /** As one message, what of it is not there. Its id is that of its last event: with others before that, it stands at another place. */
  async #append(parcel: readonly Written[]): Promise<void> {
    const { bus, site, signer } = this.#parts;
    const missing = parcel.filter(({ event }) => !this.#isThere(event));
    const last = missing.at(-1)?.event;
    if (last === undefined) return;
    const { type, incarnation, seq } = last;
    const [subject, data] = [eventSubject(site, type), packed(missing)];
    const place = await bus.addToStream(EVENTS_STREAM, subject, data, signedBy(site, signer, subject, data), `${site}.${incarnation}.${seq}`, this.#stored.get(type)?.place);
    this.#stored.set(type, { place, incarnation, seq });
  }

  /**
   * What an earlier process of this folder has left is there as soon as anything is that a later one of it has sent: each begins with
   * what was left. What others have sent says nothing, as another server of the site's name, or a folder of which this one is an old copy.
   */
  #isThere({ type, incarnation, seq }: KeptEvent): boolean {
    const stored = this.#stored.get(type);
    return stored?.incarnation !== undefined && stored.seq! >= seq && (stored.incarnation === incarnation || this.#isLater(stored.incarnation, incarnation));
  }

  /** Whether it is known that one process has sent from this folder after another one. */
  #isLater(one: string, other: string): boolean {
    const lives = this.#lives ?? [];
    return lives.includes(other) && lives.indexOf(one) > lives.indexOf(other);
  }

  /** Before it sends anything, a process says that it does. @throws StateError */
  async #begin(): Promise<readonly string[]> {
    const { notes, incarnation } = this.#parts;
    const known = await notes.get(LIVES);
    const lives = [...(known === undefined ? [] : known.split(' ')).filter((life) => life !== incarnation), incarnation].slice(-FLEET_LIVES);
    await notes.set(LIVES, lives.join(' '));
    return lives;
  }

  /** What the stream has last of each type. @throws BusError, StateError */
  async #readBack(): Promise<void> {
    const { bus, site, events } = this.#parts;
    this.#lives ??= await this.#begin();
    let greatest = -Infinity;
    for (const type of SITE_EVENTS) {
      const subject = eventSubject(site, type);
      const found = await bus.lastOfSubject(EVENTS_STREAM, subject);
      const message = found && this.#readOwn(subject, found);
      this.#stored.set(type, { place: found?.seq ?? 0, ...(message && { incarnation: message.incarnation, seq: message.seq }) });
      greatest = Math.max(greatest, message?.seq ?? -Infinity);
    }
    if (greatest !== -Infinity) {
      // this server's state folder is an old one
      await events.raise(greatest);
      this.#sent ??= greatest;
    }
    this.#isSure = true;
  }

  /** @returns undefined where it is not ours: what somebody else has put there moves no number of ours; or of another version */
  #readOwn(subject: string, found: StreamEntry): EventMessage | undefined {
    const { site, signer } = this.#parts;
    if (!isSignedBy(site, signer, subject, found)) return undefined;
    try {
      return checkMessage(eventMessage, unpacked(found.data).at(-1));
    } catch (thrown) {
      if (thrown instanceof MessageFault) return undefined;
      throw thrown;
    }
  }

  #failed(error: Error, isDown: boolean): void {
    if (this.#failure !== undefined || isDown) return;
    const reason = this.#failure = error.message;
    this.#parts.log('warn', 'events do not arrive on the bus, they are kept and tried again', { reason, ...(error instanceof BusError ? {} : { cause: error }) });
  }
}
