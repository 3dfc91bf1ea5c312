import { randomUUID } from 'node:crypto';
import type { Msg, NatsConnection, PermissionViolationError, Subscription } from '@nats-io/transport-node';
import { BUS_CLOSE_TIMEOUT, BUS_CONVERSATIONS, BUS_FORBIDDEN_PAUSE, BUS_PAYLOAD } from '../kit/fleet-limits.js';
import type { Log } from '../kit/log.js';
import { notLonger } from '../kit/within.js';
import { BusLink, type LinkOptions, type Nats } from './bus-link.js';
import { BusError, type BusMessage, type Conversation, type Headers } from './contract.js';
import { newQueue } from './subjects.js';

/** What the bus answers where nobody listens, in place of a receiver (docs.nats.io, no responders). */
const NO_RESPONDERS = '503';

/**
 * Where answers go: to a client that asks, and to the store that asks whether we keep up. A server of the bus lets whoever is
 * asked send to whatever the question names for its answer, beyond all permissions (docs.nats.io, allow_responses): else somebody
 * could have us write what he may not.
 */
const ANSWERED = /^(_INBOX\.|\$JS\.FC\.)/;

/** A message with what only the bus itself says in it. */
export interface WireMessage extends BusMessage {
  /** in front of its headers: `404 Message Not Found`; undefined where it says nothing */
  readonly status: string | undefined;
  /** where an answer is to be sent to */
  readonly reply: string | undefined;
}

interface Listening {
  readonly subject: string;
  /** whose members hear in turn; undefined: nobody else takes anything away */
  readonly queue: string | undefined;
  /** whether nobody has listened there before */
  readonly isFresh: boolean;
  readonly told: (message: WireMessage) => void;
  live: Subscription | undefined;
  /** until a forbidden one is tried again */
  again: NodeJS.Timeout | undefined;
}

interface Asked {
  readonly subject: string;
  readonly told: (message: WireMessage) => void;
  readonly failed: (error: BusError) => void;
  answered: boolean;
}

/** What is sent and heard over a connection that comes and goes. Subscriptions outlive it; what is sent without it is not sent later. */
export class BusWire {
  /** below which nobody else's answers come, and which others cannot guess; another one for each connection */
  inbox!: string;
  trouble: string | undefined = 'it has not been reached yet';
  readonly #inboxPrefix: string;
  readonly #log: Log;
  readonly #link: BusLink;
  readonly #listeners = new Set<() => void>();
  readonly #listening = new Set<Listening>();
  readonly #asked = new Map<string, Asked>();
  /** in the inbox, and in the one before it: answers may be on their way to that */
  readonly #inboxes: Listening[] = [];
  #connection: NatsConnection | undefined;
  #library: Nats | undefined;

  constructor(options: LinkOptions, log: Log) {
    this.#inboxPrefix = options.inboxPrefix;
    this.#log = log;
    this.#renewInbox();
    this.#link = new BusLink(options, {
      up: (connection, library) => { this.#up(connection, library); },
      down: (why, server) => { this.#down(why, server); },
      tooSmall: (most) => { log('warn', 'the bus takes no messages as large as some have to be: see max_payload of its servers', { bytes: most, needed: BUS_PAYLOAD }); },
      refused: (error) => { this.#refused(error); },
    });
  }

  #up(connection: NatsConnection, library: Nats): void {
    this.#connection = connection;
    this.#library = library;
    for (const listening of this.#listening) this.#begin(listening);
    this.trouble = undefined;
    this.#log('info', 'connected to the bus', { server: connection.getServer() });
    this.#tell();
  }

  #down(why: string, server: string | undefined): void {
    const wasUp = this.#connection !== undefined;
    this.#connection = undefined;
    // One line each time that it becomes another reason, not one an attempt.
    if (why !== this.trouble) this.#log('warn', wasUp ? 'the connection to the bus was lost' : 'the bus is not reached', { reason: why, ...(server !== undefined && { server }) });
    this.trouble = why;
    for (const listening of this.#listening) {
      listening.live = undefined;
      clearTimeout(listening.again);
    }
    if (!wasUp) return;
    this.#renewInbox();
    this.#tell();
  }

  #renewInbox(): void {
    this.inbox = `${this.#inboxPrefix}.${randomUUID()}`;
    this.#inboxes.push(this.#listen({ subject: `${this.inbox}.*`, queue: undefined, isFresh: true, told: (message) => { this.#answered(message); } }));
    if (this.#inboxes.length > 2) this.#listening.delete(this.#inboxes.shift()!);
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => { this.#listeners.delete(listener); };
  }

  subscribe(subject: string, told: (message: WireMessage) => void, queue?: string): () => void {
    return this.#subscribe({ subject, queue, isFresh: false, told });
  }

  /** @param subject at which nobody has listened before */
  subscribeFresh(subject: string, told: (message: WireMessage) => void): () => void {
    return this.#subscribe({ subject, queue: undefined, isFresh: true, told });
  }

  #subscribe(what: Omit<Listening, 'live' | 'again'>): () => void {
    const listening = this.#listen(what);
    this.#begin(listening);
    return () => {
      this.#listening.delete(listening);
      clearTimeout(listening.again);
      const { live } = listening;
      // What has come is handed over still; a connection that has gone meanwhile has ended it by itself.
      if (live !== undefined && this.#connection !== undefined) void live.drain().catch(() => undefined);
    };
  }

  #listen(what: Omit<Listening, 'live' | 'again'>): Listening {
    const listening: Listening = { ...what, live: undefined, again: undefined };
    this.#listening.add(listening);
    return listening;
  }

  #begin(listening: Listening): void {
    const { subject, told, isFresh } = listening;
    const queue = listening.queue ?? (isFresh ? undefined : newQueue());
    // One that has just closed is told of in a moment, and begun anew with the next.
    if (this.#connection === undefined || this.#connection.isClosed()) return;
    listening.live = this.#connection.subscribe(subject, {
      ...(queue === undefined ? {} : { queue }),
      callback: (error, message) => {
        if (error === null) told(this.#message(message));
        else this.#forbidden(listening, error);
      },
    });
  }

  /** The client has ended it. Who lets us do so later need not know that we wait for it. */
  #forbidden(listening: Listening, error: Error): void {
    if (listening.again === undefined) this.#log('warn', 'the bus does not let us listen', { subject: listening.subject, reason: error.message });
    clearTimeout(listening.again);
    listening.live = undefined;
    listening.again = setTimeout(() => {
      if (this.#listening.has(listening)) this.#begin(listening);
    }, BUS_FORBIDDEN_PAUSE).unref();
  }

  /** Sends what nobody answers. Lost where there is no connection. */
  publish(subject: string, data: Uint8Array, headers: Headers = {}): void {
    const fault = this.#send(subject, data, headers);
    if (fault !== undefined && this.trouble === undefined) this.#log('warn', 'something could not be sent on the bus', { subject, reason: fault });
  }

  /** @param reply where an answer is to be sent to @returns why it was not sent */
  #send(subject: string, data: Uint8Array, headers: Headers, reply?: string): string | undefined {
    const connection = this.#connection;
    if (connection === undefined || connection.isClosed()) return this.trouble ?? 'the connection was lost';
    const entries = Object.entries(headers);
    const given = entries.length === 0 ? undefined : this.#library!.headers();
    try {
      for (const [name, value] of entries) given!.set(name, value);
      connection.publish(subject, data, { ...(given && { headers: given }), ...(reply === undefined ? {} : { reply }) });
      return undefined;
    } catch (error) {
      // More bytes than its servers take, as a rule.
      return (error as Error).message;
    }
  }

  converse(subject: string, data: Uint8Array, headers: Headers, told: (message: WireMessage) => void, failed: (error: BusError) => void): Conversation {
    const token = randomUUID();
    const isFull = this.#asked.size >= BUS_CONVERSATIONS;
    const fault = isFull ? `${BUS_CONVERSATIONS} questions wait for an answer already` : this.#send(subject, data, headers, `${this.inbox}.${token}`);
    if (fault === undefined) {
      this.#asked.set(token, { subject, told, failed, answered: false });
      return { end: () => { this.#asked.delete(token); } };
    }
    // Told later: who asks has the conversation in hand by then.
    let isEnded = false;
    queueMicrotask(() => { if (!isEnded) failed(new BusError('down', fault)); });
    return { end: () => { isEnded = true; } };
  }

  #answered(message: WireMessage): void {
    const token = message.subject.slice(message.subject.lastIndexOf('.') + 1);
    const asked = this.#asked.get(token);
    if (asked === undefined) return;
    if (!asked.answered && message.data.length === 0 && message.status?.startsWith(NO_RESPONDERS) === true) {
      this.#asked.delete(token);
      asked.failed(new BusError('no responders', `nobody listens at ${asked.subject}`));
      return;
    }
    asked.answered = true;
    asked.told(message);
  }

  #refused(error: Error): void {
    const { name, operation, subject, message } = error as PermissionViolationError;
    if (name !== 'PermissionViolationError') {
      this.#log('warn', 'the bus has refused something', { reason: message });
      return;
    }
    if (operation !== 'publish') return;
    this.#log('warn', 'the bus does not let us send', { subject, reason: message });
    // It says of which subject, not of which message. Where there are several, some may have got through.
    const waiting = [...this.#asked].filter(([, asked]) => asked.subject === subject && !asked.answered);
    const [only] = waiting;
    if (waiting.length !== 1 || only === undefined) return;
    this.#asked.delete(only[0]);
    only[1].failed(new BusError('no responders', `the bus does not let us send to ${subject}`));
  }

  #message({ subject, data, headers, reply }: Msg): WireMessage {
    const to = reply === undefined || reply === '' ? undefined : reply;
    return {
      subject,
      data,
      reply: to,
      status: headers === undefined || headers.code === 0 ? undefined : headers.status,
      // what the bus itself says of what is stored stands behind what that had already, which may be called the same
      header: (name) => (headers?.has(name) === true ? headers.last(name) : undefined),
      respond: (answer, answerHeaders) => {
        if (to !== undefined && ANSWERED.test(to)) this.publish(to, answer, answerHeaders);
      },
    };
  }

  async close(): Promise<void> {
    this.trouble = 'it is closed';
    this.#listeners.clear();
    for (const { again } of this.#listening) clearTimeout(again);
    this.#listening.clear();
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection !== undefined) await notLonger(BUS_CLOSE_TIMEOUT, connection.flush().catch(() => undefined));
    await notLonger(BUS_CLOSE_TIMEOUT, this.#link.close());
    this.#asked.clear();
  }
}
