import type * as v from 'valibot';
import { toArgoError, wordsOf, type Phrase } from '../../kit/errors.js';
import { FLEET_ORDER_SIZE } from '../../kit/fleet-limits.js';
import type { Log } from '../../kit/log.js';
import { PacedLog } from '../../kit/paced-log.js';
import { FROM_HEADER, REPLY_PURPOSE, refusalPurpose, SIGNATURE_HEADER, type BusMessage, type Signer } from '../contract.js';
import { checkMessage, cleanDetail, FLEET_VERSION, MessageFault, writeMessage, type AnswerMessage } from '../messages.js';
import { packed, parcelsOf, Posting, unpacked } from '../parcels.js';
import type { Ceilings } from './ceiling.js';

/** What is answered, without what stands in every answer. */
export type Answer = AnswerMessage extends infer One ? One extends AnswerMessage ? Omit<One, 'v' | 'id' | 'incarnation' | 'front'> : never : never;

/** By what an answer is known to whoever asked. */
export interface Asker {
  readonly id: string;
  readonly front: string;
}

/** Where an answer goes. That is all that is kept of what was asked: one for all that came in one parcel. */
export type Replying = Pick<BusMessage, 'respond'>;

/** What stands in every message of a front, in one of two places. */
type Signed = { readonly id: string; readonly site: string } & ({ readonly front: string } | { readonly principal: { readonly front: string } });

export const frontOf = (message: Signed): string => ('front' in message ? message.front : message.principal.front);

/** What went wrong, as it is answered. */
export function failure(thrown: unknown): Answer {
  const error = toArgoError(thrown);
  const { plain, whole } = wordsOf(error);
  return { state: 'failed', phrase: error.phrase, detail: cleanDetail(plain), ...(whole !== plain && { whole: cleanDetail(whole) }) };
}

export type Refusal = Extract<Answer, { state: 'failed' }>;

export const refused = (phrase: Phrase, detail: string): Refusal => ({ state: 'failed', phrase, detail });

export interface DoorParts {
  /** the site's name */
  readonly site: string;
  readonly incarnation: string;
  readonly signer: Signer;
  readonly ceilings: Ceilings;
  readonly log: Log;
}

const ID = /^[\w-]{16,64}$/;

/** What can be told of a message that is not what it should be. */
function outline(content: unknown): { readonly id: string | undefined; readonly version: number | undefined } {
  const { id, v: version } = (content ?? {}) as { id?: unknown; v?: unknown };
  return { id: typeof id === 'string' && ID.test(id) ? id : undefined, version: typeof version === 'number' ? version : undefined };
}

/** What came, where it may be no parcel: each message of it, or what it is instead. */
function looselyIn(data: Uint8Array): readonly unknown[] {
  try {
    return unpacked(data);
  } catch {
    try {
      return [JSON.parse(Buffer.from(data).toString())];
    } catch {
      return [];
    }
  }
}

/** Lets in what a front of this site has signed for this site, and signs what is answered. The bus is not believed. */
export class Door {
  readonly #parts: DoorParts;
  readonly #turnedAway: PacedLog;
  readonly #posting: Posting<Replying, { readonly data: Uint8Array }>;

  constructor(parts: DoorParts) {
    this.#parts = parts;
    this.#posting = new Posting((to, answers) => {
      const data = packed(answers);
      to.respond(data, this.#headers(REPLY_PURPOSE, data));
    });
    this.#turnedAway = new PacedLog(parts.log, 'message of the fleet refused');
  }

  /**
   * Hands over each message of what came, where a front of this site has signed it for that purpose; whoever sent anything else is answered.
   * @param purpose the subject at which it came, as we know it
   */
  admit<Message extends Signed>(
    asked: BusMessage,
    purpose: string,
    schema: v.GenericSchema<unknown, Message>,
    take: (message: Message, to: Replying) => void,
  ): void {
    const front = asked.header(FROM_HEADER);
    const key = front === undefined ? undefined : this.#parts.ceilings.keyOf(front);
    if (front === undefined || !key?.verifies(purpose, asked.data, asked.header(SIGNATURE_HEADER)))
      return this.#turnAway(asked, front);
    const to: Replying = { respond: asked.respond };
    let contents: readonly unknown[];
    try {
      contents = unpacked(asked.data, FLEET_ORDER_SIZE);
    } catch (thrown) {
      if (!(thrown instanceof MessageFault)) throw thrown;
      return this.#refuse(to, looselyIn(asked.data)[0], front, thrown.message);
    }
    for (const content of contents) {
      const message = this.#read(content, schema, front, to);
      if (message !== undefined) take(message, to);
    }
  }

  #read<Message extends Signed>(
    content: unknown,
    schema: v.GenericSchema<unknown, Message>,
    front: string,
    to: Replying,
  ): Message | undefined {
    try {
      const message = checkMessage(schema, content);
      if (message.site !== this.#parts.site || frontOf(message) !== front)
        throw new MessageFault(`it is of ${frontOf(message)} for ${message.site}`);
      return message;
    } catch (thrown) {
      if (!(thrown instanceof MessageFault)) throw thrown;
      this.#refuse(to, content, front, thrown.message);
      return undefined;
    }
  }

  /** Gives an answer to all who asked: it goes out with the others of this turn of the event loop. */
  answer(to: Iterable<Replying>, asker: Asker, answer: Answer): void {
    const data = this.#write(asker, answer);
    for (const one of to) this.#posting.put(one, { data });
  }

  /** What was answered just now goes out before anything else is done. */
  flush(): void {
    this.#posting.flush();
  }

  /** Of a front that is not known, or with a signature that is not its. */
  #turnAway(asked: BusMessage, from: string | undefined): void {
    const ids = looselyIn(asked.data).flatMap((content) => outline(content).id ?? []);
    this.#turnedAway.add({
      from: from === undefined ? '' : cleanDetail(from),
      reason: 'it is signed by no key of a front of this site',
      id: ids[0],
    });
    if (ids.length === 0) return;
    const { site, incarnation } = this.#parts;
    const refusal = refused('NOT ALLOWED', `site ${site} knows no front with that key`);
    const purpose = refusalPurpose(asked.data, asked.header(SIGNATURE_HEADER));
    for (const answers of parcelsOf(
      ids.map((id) => ({ data: writeMessage({ v: FLEET_VERSION, id, incarnation, ...refusal }) })),
    )) {
      const data = packed(answers);
      asked.respond(data, this.#headers(purpose, data));
    }
  }

  /** Of a front that is known, but not what it should be. */
  #refuse(to: Replying, content: unknown, front: string, reason: string): void {
    const { id, version } = outline(content);
    this.#turnedAway.add({ from: front, reason, id });
    if (id === undefined) return;
    const isOther = version !== undefined && version !== FLEET_VERSION;
    this.answer(
      [to],
      { id, front },
      {
        ...(isOther
          ? refused('NOT SUPPORTED', `site ${this.#parts.site}: ${reason}`)
          : refused('BAD REQUEST', cleanDetail(reason))),
        early: true,
      },
    );
  }

  #write({ id, front }: Asker, answer: Answer): Uint8Array {
    const base = { v: FLEET_VERSION, id, incarnation: this.#parts.incarnation, front };
    try {
      return writeMessage({ ...base, ...answer });
    } catch (thrown) {
      if (!(thrown instanceof MessageFault)) throw thrown;
      return writeMessage({ ...base, ...refused('FAILED', `the answer is too large: ${thrown.message}`) });
    }
  }

  #headers(purpose: string, data: Uint8Array): Readonly<Record<string, string>> {
    return { [FROM_HEADER]: this.#parts.site, [SIGNATURE_HEADER]: this.#parts.signer.sign(purpose, data) };
  }
}
