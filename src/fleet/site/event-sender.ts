import type { Bell } from '../../kit/bell.js';
import type { Log } from '../../kit/log.js';
import { BusError, signedBy, type Bus, type Signer, type StreamEntry } from '../contract.js';
import { keepSending } from '../keep-sending.js';
import { eventMessage, FLEET_VERSION, MessageFault, readMessage, writeMessage, type EventMessage } from '../messages.js';
import { isSignedBy } from '../signer.js';
import { EVENTS_STREAM, eventSubject } from '../subjects.js';
import { SITE_EVENTS, type EventLog, type KeptEvent, type SiteEventType } from './event-log.js';

export interface SenderParts {
  readonly site: string;
  readonly bus: Bus;
  readonly signer: Signer;
  readonly events: EventLog;
  readonly log: Log;
  /** rung when there is something new, the connection is back, or it is to end */
  readonly bell: Bell;
}

/** @throws MessageFault where it is too large */
export const messageOf = (site: string, { seq, incarnation, type, at, event }: KeptEvent): Uint8Array =>
  writeMessage({ v: FLEET_VERSION, site, incarnation, seq, type, at, event } satisfies EventMessage);

/** The last of a type that the stream has. */
interface Stored {
  /** in the stream; 0: it has none */
  readonly place: number;
  readonly incarnation?: string;
  readonly seq?: number;
}

/**
 * Brings the events of a site into the stream: in order, one after the other, each once. Each says at which place the last of its
 * subject stands. Where an answer is missing, what stands there is read: the stream knows ids for a while only.
 */
export class EventSender {
  readonly #parts: SenderParts;
  readonly #stored = new Map<SiteEventType, Stored>();
  /** whether what the stream has is known */
  #isSure = false;
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
    await keepSending({ bus, bell, isEnding: () => this.#isEnding, send: () => this.#sendNext(), failed: (error, isDown) => this.#failed(error, isDown) }, signal);
    await events.settle();
  }

  /** @returns whether there was one @throws BusError, StateError */
  async #sendNext(): Promise<boolean> {
    const event = await this.#parts.events.next();
    if (event !== undefined) await this.#bring(event);
    return event !== undefined;
  }

  /** @throws BusError, StateError */
  async #bring(event: KeptEvent): Promise<void> {
    const { events, log } = this.#parts;
    if (!this.#isSure) await this.#readBack();
    const gap = this.#gapBefore(event);
    if (gap > 0) await this.#add({ ...event, seq: event.seq - 1, type: 'lost', event: { type: 'lost', count: gap } });
    await this.#add(event);
    events.done(event);
    if (this.#failure !== undefined) log('info', 'events arrive on the bus again');
    this.#failure = undefined;
  }

  /** How many events between the last one and this one there is nothing of any more. */
  #gapBefore({ seq }: KeptEvent): number {
    const { base, hasDelivered } = this.#parts.events;
    if (this.#sent === undefined && hasDelivered) return 0;
    return Math.max(0, seq - Math.max(this.#sent ?? base, base) - 1);
  }

  /** Adds it, unless it is there. @throws BusError */
  async #add(event: KeptEvent): Promise<void> {
    if (!this.#isThere(event)) await this.#addOnce(event);
    this.#sent = Math.max(this.#sent ?? 0, event.seq);
  }

  async #addOnce(event: KeptEvent): Promise<void> {
    try {
      await this.#append(event);
    } catch (thrown) {
      this.#isSure = false;
      if (!(thrown instanceof BusError) || thrown.reason !== 'conflict') throw thrown;
      // it may be an attempt of before that has arrived, or the stream forgets what is old
      await this.#readBack();
      if (!this.#isThere(event)) await this.#append(event);
    }
  }

  async #append(event: KeptEvent): Promise<void> {
    const { bus, site, signer } = this.#parts;
    const { type, incarnation, seq } = event;
    const [subject, data] = [eventSubject(site, type), messageOf(site, event)];
    const place = await bus.addToStream(EVENTS_STREAM, subject, data, signedBy(site, signer, subject, data), `${site}.${incarnation}.${seq}`, this.#stored.get(type)?.place);
    this.#stored.set(type, { place, incarnation, seq });
  }

  #isThere({ type, incarnation, seq }: KeptEvent): boolean {
    const stored = this.#stored.get(type);
    return stored?.incarnation === incarnation && stored.seq! >= seq;
  }

  /** What the stream has last of each type. @throws BusError, StateError */
  async #readBack(): Promise<void> {
    const { bus, site, events } = this.#parts;
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
      return readMessage(eventMessage, found.data);
    } catch (thrown) {
      if (thrown instanceof MessageFault) return undefined;
      throw thrown;
    }
  }

  #failed(error: Error, isDown: boolean): void {
    this.#isSure = false;
    if (this.#failure !== undefined || isDown) return;
    const reason = this.#failure = error.message;
    this.#parts.log('warn', 'events do not arrive on the bus, they are kept and tried again', { reason, ...(error instanceof BusError ? {} : { cause: error }) });
  }
}
