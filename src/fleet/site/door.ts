import type * as v from 'valibot';
import { toArgoError } from '../../kit/errors.js';
import { FLEET_DETAIL, FLEET_ORDER_SIZE } from '../../kit/fleet-limits.js';
import type { Log } from '../../kit/log.js';
import { RefusalLog } from '../../kit/refusal-log.js';
import { harmless, oneLine } from '../../kit/text.js';
import { FROM_HEADER, REPLY_PURPOSE, refusalPurpose, SIGNATURE_HEADER, type BusMessage, type Signer } from '../contract.js';
import { FLEET_VERSION, MessageFault, readMessage, writeMessage, type AnswerMessage } from '../messages.js';
import type { Ceilings } from './ceiling.js';

/** What is answered, without what stands in every answer. */
export type Answer = AnswerMessage extends infer One ? One extends AnswerMessage ? Omit<One, 'v' | 'id' | 'incarnation' | 'front'> : never : never;

/** By what an answer is known to whoever asked. */
export interface Asker {
  readonly id: string;
  readonly front: string;
}

/** What stands in every message of a front, in one of two places. */
type Signed = { readonly id: string; readonly site: string } & ({ readonly front: string } | { readonly principal: { readonly front: string } });

export const frontOf = (message: Signed): string => ('front' in message ? message.front : message.principal.front);

/** What went wrong, as it is answered. */
export function failure(thrown: unknown): Answer {
  const { phrase, detail } = toArgoError(thrown);
  return { state: 'failed', phrase, detail: harmless(oneLine(detail, FLEET_DETAIL)) };
}

export type Refusal = Extract<Answer, { state: 'failed' }>;

export const refused = (phrase: Refusal['phrase'], detail: string): Refusal => ({ state: 'failed', phrase, detail });

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
function outline(data: Uint8Array): { readonly id: string | undefined; readonly version: number | undefined } {
  try {
    const { id, v: version } = JSON.parse(Buffer.from(data).toString()) as { id?: unknown; v?: unknown };
    return { id: typeof id === 'string' && ID.test(id) ? id : undefined, version: typeof version === 'number' ? version : undefined };
  } catch {
    return { id: undefined, version: undefined };
  }
}

/** Lets in what a front of this site has signed for this site, and signs what is answered. The bus is not believed. */
export class Door {
  readonly #parts: DoorParts;
  readonly #turnedAway: RefusalLog;

  constructor(parts: DoorParts) {
    this.#parts = parts;
    this.#turnedAway = new RefusalLog(parts.log, 'message of the fleet refused');
  }

  /**
   * A message, where it is one that a front of this site has signed for that purpose; whoever sent anything else is answered.
   * @param purpose the subject at which it came, as we know it
   */
  admit<Message extends Signed>(asked: BusMessage, purpose: string, schema: v.GenericSchema<unknown, Message>): Message | undefined {
    const front = asked.header(FROM_HEADER);
    const key = front === undefined ? undefined : this.#parts.ceilings.keyOf(front);
    if (front === undefined || !key?.verifies(purpose, asked.data, asked.header(SIGNATURE_HEADER))) {
      this.#turnAway(asked, front);
      return undefined;
    }
    try {
      const message = readMessage(schema, asked.data, FLEET_ORDER_SIZE);
      if (message.site !== this.#parts.site || frontOf(message) !== front) throw new MessageFault(`it is of ${frontOf(message)} for ${message.site}`);
      return message;
    } catch (thrown) {
      if (!(thrown instanceof MessageFault)) throw thrown;
      this.#refuse(asked, front, thrown.message);
      return undefined;
    }
  }

  /** Signs an answer once, and gives it to all who asked. */
  answer(to: Iterable<BusMessage>, asker: Asker, answer: Answer): void {
    const data = this.#write(asker, answer);
    const headers = this.#headers(REPLY_PURPOSE, data);
    for (const one of to) one.respond(data, headers);
  }

  /** Of a front that is not known, or with a signature that is not its. */
  #turnAway(asked: BusMessage, from: string | undefined): void {
    const { id } = outline(asked.data);
    this.#turnedAway.add({ from: from === undefined ? '' : harmless(oneLine(from, FLEET_DETAIL)), reason: 'it is signed by no key of a front of this site', id });
    if (id === undefined) return;
    const { site, incarnation } = this.#parts;
    const data = writeMessage({ v: FLEET_VERSION, id, incarnation, ...refused('NOT ALLOWED', `site ${site} knows no front with that key`) });
    asked.respond(data, this.#headers(refusalPurpose(asked.data, asked.header(SIGNATURE_HEADER)), data));
  }

  /** Of a front that is known, but not what it should be. */
  #refuse(asked: BusMessage, front: string, reason: string): void {
    const { id, version } = outline(asked.data);
    this.#turnedAway.add({ from: front, reason, id });
    if (id === undefined) return;
    const isOther = version !== undefined && version !== FLEET_VERSION;
    this.answer([asked], { id, front }, {
      ...isOther ? refused('NOT SUPPORTED', `site ${this.#parts.site}: ${reason}`) : refused('BAD REQUEST', harmless(oneLine(reason, FLEET_DETAIL))), early: true,
    });
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
