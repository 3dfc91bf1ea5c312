import * as v from 'valibot';
import { BUS_LAYOUT_LOOK, BUS_STORE_DOUBT, BUS_STORE_TIMEOUT } from '../kit/fleet-limits.js';
import type { WireMessage } from './bus-wire.js';
import { BusError, isConflict, type BusMessage, type Headers, type KeyEntry, type StreamEntry } from './contract.js';
import { storeSubject } from './subjects.js';

/**
 * JetStream, the bus's store, as far as the fleet needs it, by its own messages (docs.nats.io, JetStream wire API; ADR-8 of
 * nats-architecture-and-design for buckets; ADR-31 for what is read directly). Each question is one message, so that it ends by our
 * deadline and is allowed or forbidden by its subject: `$JS.API.DIRECT.GET.…` names the key or the subject that is read.
 */

/** What the store says in JSON, to what is written and to what is asked of it. */
const acknowledgement = v.object({
  seq: v.optional(v.number()),
  error: v.optional(v.object({ err_code: v.optional(v.number()), description: v.optional(v.string()) })),
});
export type Acknowledgement = v.InferOutput<typeof acknowledgement>;

/** Codes of its errors (nats-server, server/errors.json). */
const WRONG_LAST_SEQUENCE = new Set([10_071, 10_164]);
export const STREAM_NOT_FOUND = 10_059;
const CONSUMER_NOT_FOUND = 10_014;
/** Status in a header of what is read directly. */
const NOT_FOUND = '404';

/** Headers by which it takes a message only where that stream has its subject, or where that is the last of its subject (docs.nats.io, NATS Headers). */
export const EXPECTED_STREAM = 'Nats-Expected-Stream';
export const EXPECTED_LAST = 'Nats-Expected-Last-Subject-Sequence';
const MESSAGE_ID = 'Nats-Msg-Id';
const SEQUENCE = 'Nats-Sequence';
export const KEY_OPERATION = 'KV-Operation';
const DELETED = 'DEL';

const NOTHING = new Uint8Array();

/** In which it tells durations: so many make a millisecond. */
export const NANOSECONDS = 1_000_000;

/** A bucket is a stream, too, and its keys are subjects (ADR-8). */
export const bucketStream = (bucket: string): string => `KV_${bucket}`;
export const keysSubject = (bucket: string, filter: string): string => `$KV.${bucket}.${filter}`;

/** @throws Error where it is no key (ADR-8) */
function keySubject(bucket: string, key: string): string {
  if (!/^[-/_=a-zA-Z0-9]+(\.[-/_=a-zA-Z0-9]+)*$/.test(key)) throw new Error(`no key of a bucket: '${key}'`);
  return keysSubject(bucket, key);
}

/** How a stream is asked for: from an account of its own, by the subject that stands for that. */
export const infoSubject = (stream: string, isApart: boolean): string => (isApart ? storeSubject(stream) : `$JS.API.STREAM.INFO.${stream}`);

/** Asks for one answer. @throws BusError no responders, down, late */
export type Ask = (subject: string, data: Uint8Array, headers: Headers, ms: number) => Promise<WireMessage>;

export function readAcknowledgement(data: Uint8Array): Acknowledgement {
  try {
    return v.parse(acknowledgement, JSON.parse(Buffer.from(data).toString()));
  } catch (error) {
    throw new BusError('store', 'the bus\'s store answers what is no answer', { cause: error });
  }
}

/** @throws BusError where it says that it did not do it */
export function checkAcknowledgement({ error }: Acknowledgement, where: string): void {
  if (error === undefined) return;
  const { err_code: code = 0, description = 'no reason' } = error;
  if (WRONG_LAST_SEQUENCE.has(code)) throw new BusError('conflict', `${where}: ${description}`);
  if (code === STREAM_NOT_FOUND) throw new BusError('absent', `the bus has no ${where}: argo-server fleet init makes it`);
  if (code === CONSUMER_NOT_FOUND) throw new BusError('absent', `${where}: ${description}`);
  throw new BusError('store', `${where}: ${description}`);
}

/** @param config of a stream, as the store has it @returns why nothing may be written there, in words behind its name; undefined: it may */
export type FaultOf = (config: object) => string | undefined;

const info = v.object({ config: v.fallback(v.looseObject({}), {}) });

/** What is known of whether a stream may be written to. */
interface Looked {
  readonly fault: string | undefined;
  /** by performance.now(): when it is looked at again */
  readonly again: number;
}

/** Writes to and reads from streams and buckets. It writes to none that this program does not know: who keeps it so may mean something else by it. */
export class BusStore {
  readonly #ask: Ask;
  readonly #isApart: boolean;
  readonly #faultOf: FaultOf;
  readonly #looked = new Map<string, Looked>();
  readonly #looking = new Map<string, Promise<Looked>>();

  /** @param isApart as of LinkOptions */
  constructor(ask: Ask, isApart: boolean, faultOf: FaultOf) {
    this.#ask = ask;
    this.#isApart = isApart;
    this.#faultOf = faultOf;
  }

  /** Looked at before the first thing is written, and now and then from there on, which nobody waits for. @throws BusError down, absent, store */
  async #mustFit(stream: string): Promise<void> {
    const known = this.#looked.get(stream);
    const looking = known !== undefined && performance.now() < known.again ? undefined : this.#look(stream);
    // of what is known already, who cannot be asked just now has no news
    if (known !== undefined) void looking?.catch(() => undefined);
    const { fault } = known ?? await looking!;
    if (fault !== undefined) throw new BusError('store', `${stream} ${fault}`);
  }

  #look(stream: string): Promise<Looked> {
    const looking = this.#looking.get(stream) ?? this.#info(stream, BUS_STORE_TIMEOUT).then((data) => {
      const looked: Looked = {
        fault: this.#faultOf(v.parse(info, JSON.parse(Buffer.from(data).toString())).config),
        again: performance.now() + BUS_LAYOUT_LOOK,
      };
      this.#looked.set(stream, looked);
      return looked;
    }).finally(() => this.#looking.delete(stream));
    this.#looking.set(stream, looking);
    return looking;
  }

  /** What the store says of a stream. @throws BusError down, absent, store */
  async #info(stream: string, ms: number): Promise<Uint8Array> {
    const { data } = await this.#ask(infoSubject(stream, this.#isApart), NOTHING, {}, ms).catch((error: unknown) => {
      if (error instanceof BusError && error.reason === 'down') throw error;
      throw new BusError('store', `${stream}: the bus's store does not answer`, { cause: error });
    });
    checkAcknowledgement(readAcknowledgement(data), stream);
    return data;
  }

  /** @throws BusError down, absent, store */
  async #question(stream: string, subject: string, data: Uint8Array, headers: Headers): Promise<WireMessage> {
    try {
      return await this.#ask(subject, data, headers, BUS_STORE_TIMEOUT);
    } catch (error) {
      if (!(error instanceof BusError) || error.reason === 'down') throw error;
      await this.#mustBeThere(stream);
      throw new BusError('store', `${stream}: ${error.message}`, { cause: error });
    }
  }

  /** Nobody answers: either there is no such stream, or none of the servers that keep it is up. @throws BusError absent, store */
  async #mustBeThere(stream: string): Promise<void> {
    await this.#info(stream, BUS_STORE_DOUBT);
  }

  /** @returns the sequence that it has @throws BusError */
  async #write(stream: string, subject: string, data: Uint8Array, headers: Headers): Promise<number> {
    await this.#mustFit(stream);
    const answered = await this.#question(stream, subject, data, { [EXPECTED_STREAM]: stream, ...headers });
    const answer = readAcknowledgement(answered.data);
    checkAcknowledgement(answer, stream);
    if (answer.seq === undefined) throw new BusError('store', `${stream}: the bus's store answers without a sequence`);
    return answer.seq;
  }

  /** The last message of a subject, read from any server that keeps the stream: it may be a moment behind. @throws BusError */
  async #last(stream: string, subject: string): Promise<{ readonly seq: number; readonly message: BusMessage } | undefined> {
    const message = await this.#question(stream, `$JS.API.DIRECT.GET.${stream}.${subject}`, NOTHING, {});
    // what is stored may have a status as well: an answer of the store that somebody had sent there
    const seq = Number(message.header(SEQUENCE));
    if (Number.isSafeInteger(seq) && seq > 0) return { seq, message };
    const { status } = message;
    if (status?.startsWith(NOT_FOUND) === true) return undefined;
    throw new BusError('store', `${stream}: ${status ?? 'the bus\'s store answers without a sequence'}`);
  }

  async get(bucket: string, key: string): Promise<KeyEntry | undefined> {
    const last = await this.#last(bucketStream(bucket), keySubject(bucket, key));
    return last === undefined || last.message.header(KEY_OPERATION) !== undefined ? undefined : { key, value: last.message.data, revision: last.seq };
  }

  async put(bucket: string, key: string, value: Uint8Array): Promise<number> {
    return this.#write(bucketStream(bucket), keySubject(bucket, key), value, {});
  }

  async update(bucket: string, key: string, value: Uint8Array, revision: number): Promise<number> {
    const write = (expected: number): Promise<number> =>
      this.#write(bucketStream(bucket), keySubject(bucket, key), value, { [EXPECTED_LAST]: String(expected) });
    if (revision > 0) return write(revision);
    try {
      return await write(0);
    } catch (error) {
      if (!isConflict(error)) throw error;
      // One that was deleted leaves a mark, over which a new one may be written.
      const last = await this.#last(bucketStream(bucket), keySubject(bucket, key));
      if (last === undefined || last.message.header(KEY_OPERATION) === undefined) throw error;
      return write(last.seq);
    }
  }

  async delete(bucket: string, key: string): Promise<void> {
    await this.#write(bucketStream(bucket), keySubject(bucket, key), NOTHING, { [KEY_OPERATION]: DELETED });
  }

  append(stream: string, subject: string, data: Uint8Array, headers: Headers, id: string, lastSeq: number | undefined): Promise<number> {
    return this.#write(stream, subject, data, { ...headers, [MESSAGE_ID]: id, ...(lastSeq === undefined ? {} : { [EXPECTED_LAST]: String(lastSeq) }) });
  }

  async lastOfSubject(stream: string, subject: string): Promise<StreamEntry | undefined> {
    const last = await this.#last(stream, subject);
    return last && { seq: last.seq, data: last.message.data, header: (name) => last.message.header(name) };
  }
}
