import { FROM_HEADER, REPLY_PURPOSE, refusalPurpose, SIGNATURE_HEADER, type Bus, type BusError, type BusMessage, type Conversation, type Headers, type Signer } from '../contract.js';
import type { RefusalLog } from '../../kit/refusal-log.js';
import { answerMessage, MessageFault, readMessage, writeMessage, type AnswerMessage } from '../messages.js';
import type { SiteKeys } from '../site-keys.js';

/** What is asked of a site: its bytes are signed once, and are the same however often they are sent. */
export interface Letter {
  readonly site: string;
  readonly id: string;
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: Headers;
}

/** An answer that is believed. */
export interface Told {
  readonly answer: AnswerMessage;
  /** It refuses what was sent just now, and says nothing of another copy of the same, which may be under way. */
  readonly isOfThisCopy: boolean;
}

export interface TalkParts {
  readonly bus: Bus;
  readonly signer: Signer;
  /** the front's own name */
  readonly front: string;
  readonly keys: SiteKeys;
  readonly refused: RefusalLog;
}

/**
 * What a front says to sites and hears of them. Whatever comes back is looked at here: what is not the answer of that site to
 * that very question of this front is as if it had not come, so that who forges one can delay, but not deceive.
 */
export class Talk {
  readonly front: string;
  readonly bus: Bus;
  readonly #parts: TalkParts;
  readonly #missing = new Set<(site: string, why: string) => void>();

  constructor(parts: TalkParts) {
    this.#parts = parts;
    this.front = parts.front;
    this.bus = parts.bus;
  }

  /** Calls back with each site for which the bus had nobody when something was sent there, and with its words. */
  onMissing(listener: (site: string, why: string) => void): void {
    this.#missing.add(listener);
  }

  /** @throws MessageFault where it is too long to be sent */
  letter(subject: string, message: { readonly site: string; readonly id: string }): Letter {
    const data = writeMessage(message);
    const headers = { [FROM_HEADER]: this.front, [SIGNATURE_HEADER]: this.#parts.signer.sign(subject, data) };
    return { site: message.site, id: message.id, subject, data, headers };
  }

  /** @param told each answer that is believed @param failed as of {@link Bus.converse} */
  send(letter: Letter, told: (told: Told) => void, failed: (error: BusError) => void): Conversation {
    return this.bus.converse(letter.subject, letter.data, letter.headers, (message) => {
      const believed = this.#read(letter, message);
      if (believed) told(believed);
    }, (error) => {
      if (error.reason === 'no responders') for (const listener of this.#missing) listener(letter.site, error.message);
      failed(error);
    });
  }

  #read(letter: Letter, message: BusMessage): Told | undefined {
    const { site, subject, id } = letter;
    try {
      return this.#believe(letter, message);
    } catch (thrown) {
      if (!(thrown instanceof MessageFault)) throw thrown;
      this.#parts.refused.add({ site, subject, id, reason: thrown.message });
      return undefined;
    }
  }

  /** @throws MessageFault with what speaks against it */
  #believe({ site, id, data, headers }: Letter, message: BusMessage): Told {
    const { keys } = this.#parts;
    const doubt = keys.doubt(site, REPLY_PURPOSE, message);
    if (doubt !== undefined && keys.doubt(site, refusalPurpose(data, headers[SIGNATURE_HEADER]), message) !== undefined) throw new MessageFault(doubt);
    const answer = readMessage(answerMessage, message.data);
    if (answer.id !== id) throw new MessageFault('it is about another id than was asked for');
    // who does not know us cannot say more than that
    const isToStranger = answer.front === undefined && answer.state === 'failed';
    if (doubt !== undefined ? !isToStranger : answer.front !== this.front && !(keys.areOpen && isToStranger)) throw new MessageFault('it is for another front');
    return { answer, isOfThisCopy: answer.state === 'failed' && (answer.front === undefined || answer.early === true) };
  }
}
