import { FROM_HEADER, REPLY_PURPOSE, refusalPurpose, SIGNATURE_HEADER, type Bus, type BusError, type BusMessage, type Conversation, type Signer } from '../contract.js';
import type { PacedLog } from '../../kit/paced-log.js';
import { answerMessage, checkMessage, MessageFault, writeMessage, type AnswerMessage } from '../messages.js';
import { packed, Posting, unpacked } from '../parcels.js';
import type { SiteKeys } from '../site-keys.js';

/** What is asked of a site: its bytes are the same however often it is sent. */
export interface Letter {
  readonly site: string;
  readonly id: string;
  readonly subject: string;
  readonly data: Uint8Array;
}

/** An answer that is believed. */
export interface Told {
  readonly answer: AnswerMessage;
  /** It refuses what was sent just now, and says nothing of another copy of the same, which may be under way. */
  readonly isOfThisCopy: boolean;
}

/** A letter on its way, and who waits for its answers. */
interface Sent {
  readonly letter: Letter;
  readonly data: Uint8Array;
  readonly told: (told: Told) => void;
  readonly failed: (error: BusError) => void;
  isOver: boolean;
  /** called when it is over, once it is out */
  ended?: () => void;
}

/** Letters that went out together. */
interface Parcel {
  readonly site: string;
  readonly subject: string;
  readonly data: Uint8Array;
  readonly signature: string;
  /** by their ids; one may have been sent twice */
  readonly sent: ReadonlyMap<string, readonly Sent[]>;
}

export interface TalkParts {
  readonly bus: Bus;
  readonly signer: Signer;
  /** the front's own name */
  readonly front: string;
  readonly keys: SiteKeys;
  readonly refused: PacedLog;
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
  /** by subjects */
  readonly #posting: Posting<string, Sent>;

  constructor(parts: TalkParts) {
    this.#parts = parts;
    this.#posting = new Posting((subject, sent) => this.#give(subject, sent));
    this.front = parts.front;
    this.bus = parts.bus;
  }

  /** Calls back with each site for which the bus had nobody when something was sent there, and with its words. */
  onMissing(listener: (site: string, why: string) => void): void {
    this.#missing.add(listener);
  }

  /** @throws MessageFault where it is too long to be sent */
  letter(subject: string, message: { readonly site: string; readonly id: string }): Letter {
    return { site: message.site, id: message.id, subject, data: writeMessage(message) };
  }

  /** Sends it, with what else goes there in this turn of the event loop. @param told each answer that is believed @param failed as of {@link Bus.converse} */
  send(letter: Letter, told: (told: Told) => void, failed: (error: BusError) => void): Conversation {
    const sent: Sent = { letter, data: letter.data, told, failed, isOver: false };
    this.#posting.put(letter.subject, sent);
    return {
      end: () => {
        if (sent.isOver) return;
        sent.isOver = true;
        sent.ended?.();
      },
    };
  }

  #give(subject: string, all: readonly Sent[]): void {
    const going = all.filter(({ isOver }) => !isOver);
    const [first] = going;
    if (first === undefined) return;
    const data = packed(going);
    const signature = this.#parts.signer.sign(subject, data);
    const parcel: Parcel = { site: first.letter.site, subject, data, signature, sent: byId(going) };
    const conversation = this.bus.converse(
      subject,
      data,
      { [FROM_HEADER]: this.front, [SIGNATURE_HEADER]: signature },
      (message) => this.#hear(parcel, message),
      (error) => {
        if (error.reason === 'no responders') for (const listener of this.#missing) listener(parcel.site, error.message);
        for (const one of going) if (!one.isOver) one.failed(error);
      },
    );
    let open = going.length;
    for (const one of going) {
      one.ended = () => {
        open -= 1;
        if (open === 0) conversation.end();
      };
    }
  }

  #hear(parcel: Parcel, message: BusMessage): void {
    this.#unlessFault(parcel, undefined, () => {
      const isOfStranger = this.#isOfStranger(parcel, message);
      for (const content of unpacked(message.data)) this.#unlessFault(parcel, content, () => this.#tell(parcel, content, isOfStranger));
    });
  }

  /** Tells why something is not believed. @param content what it says, where that much is known */
  #unlessFault({ site, subject, sent }: Parcel, content: unknown, work: () => void): void {
    try {
      work();
    } catch (thrown) {
      if (!(thrown instanceof MessageFault)) throw thrown;
      const id = (content as { id?: unknown } | null | undefined)?.id;
      this.#parts.refused.add({ site, subject, id: typeof id === 'string' && sent.has(id) ? id : sent.keys().next().value, reason: thrown.message });
    }
  }

  /** Whether it is signed as what is said to somebody who is not known there. @throws MessageFault where it is not signed by the site at all */
  #isOfStranger({ site, data, signature }: Parcel, message: BusMessage): boolean {
    const { keys } = this.#parts;
    const doubt = keys.doubt(site, REPLY_PURPOSE, message);
    if (doubt !== undefined && keys.doubt(site, refusalPurpose(data, signature), message) !== undefined) throw new MessageFault(doubt);
    return doubt !== undefined;
  }

  /** @throws MessageFault with what speaks against it */
  #tell({ sent }: Parcel, content: unknown, isOfStranger: boolean): void {
    const answer = checkMessage(answerMessage, content);
    const asked = sent.get(answer.id);
    if (asked === undefined) throw new MessageFault('it is about another id than was asked for');
    // who does not know us cannot say more than that
    const isToStranger = answer.front === undefined && answer.state === 'failed';
    if (isOfStranger ? !isToStranger : answer.front !== this.front && !(this.#parts.keys.areOpen && isToStranger)) throw new MessageFault('it is for another front');
    const isOfThisCopy = answer.state === 'failed' && (answer.front === undefined || answer.early === true);
    for (const one of asked) if (!one.isOver) one.told({ answer, isOfThisCopy });
  }
}

function byId(sent: readonly Sent[]): ReadonlyMap<string, readonly Sent[]> {
  const found = new Map<string, Sent[]>();
  for (const one of sent) {
    const others = found.get(one.letter.id);
    if (others) others.push(one);
    else found.set(one.letter.id, [one]);
  }
  return found;
}
