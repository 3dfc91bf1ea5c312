import { ArgoError } from '../../kit/errors.js';
import {
  FLEET_ANSWER_GRACE, FLEET_ASK_AGAIN_LONGEST, FLEET_CANCEL_TIMEOUT, FLEET_FIRST_WORD, FLEET_OVERTIME, FLEET_RESULT_PAUSE, FLEET_RESULT_TIMEOUT,
  FLEET_RUNNING_INTERVAL, FLEET_RUNNING_PATIENCE, FLEET_SILENCE_LONGEST,
} from '../../kit/fleet-limits.js';
import { onAbort } from '../../kit/within.js';
import type { BusError, Conversation } from '../contract.js';
import { CANCELLED_BECAUSE, FLEET_VERSION, type AnswerMessage, type OrderMessage, type ResultMessage, type SettingMessage } from '../messages.js';
import { orderSubject, resultSubject } from '../subjects.js';
import { errorOf, nothingDone, notSent, type Failure } from './refusal.js';
import type { Sites } from './sites.js';
import type { Letter, Talk, Told } from './talk.js';

/** How an order ended well at its site. */
export interface Ended {
  readonly answer: Extract<AnswerMessage, { readonly state: 'ended' }>;
  /** whether it was told as it ended, and not found out later */
  readonly isRecent: boolean;
}

/** Milliseconds; what each is, the limits of the fleet say. */
export interface Pace {
  readonly firstWord: number;
  readonly resultTimeout: number;
  readonly resultPause: number;
  readonly askAgainLongest: number;
  readonly runningInterval: number;
  readonly runningPatience: number;
  readonly answerGrace: number;
  readonly silenceLongest: number;
  readonly overtime: number;
  readonly cancelTimeout: number;
}

export const PACE: Pace = {
  firstWord: FLEET_FIRST_WORD, resultTimeout: FLEET_RESULT_TIMEOUT, resultPause: FLEET_RESULT_PAUSE, askAgainLongest: FLEET_ASK_AGAIN_LONGEST,
  runningInterval: FLEET_RUNNING_INTERVAL, runningPatience: FLEET_RUNNING_PATIENCE, answerGrace: FLEET_ANSWER_GRACE, silenceLongest: FLEET_SILENCE_LONGEST,
  overtime: FLEET_OVERTIME, cancelTimeout: FLEET_CANCEL_TIMEOUT,
};

export interface ErrandParts {
  readonly talk: Talk;
  readonly sites: Sites;
  readonly message: OrderMessage | SettingMessage;
  readonly pace: Pace;
  /** aborted: the site is told that nobody waits any longer */
  readonly signal: AbortSignal;
  /** told in a word what the site does just now */
  doing?: ((words: string) => void) | undefined;
}

/** Which of the two kinds of question is answered: the order itself, or what became of it. */
type Asked = 'order' | 'result';

/** Answers to so many questions about one order are listened for; the oldest go first. */
const CONVERSATIONS = 8;

/**
 * One order on its way to a site and back. It has one id for all of its life. Until its time is over it is sent again where
 * nothing is heard, since the site begins it once; from then on the site is asked what became of it, and one that it does not
 * know is not begun any more. So `UNREACHABLE` is told in three cases alone: it was not sent; the bus had nobody to hand its
 * only copy to; the site's journal says so. Whatever else happens to the bus, it is `UNCERTAIN` in the end.
 */
export class Errand {
  readonly #parts: ErrandParts;
  readonly #pace: Pace;
  readonly #site: string;
  /** the process that counted when it was sent */
  readonly #sentTo: string | undefined;
  readonly #began = performance.now();
  #order: Letter | undefined;
  #copies = 0;
  /** how often the connection was lost or came back since it was sent */
  #breaks = 0;
  readonly #conversations: Conversation[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** milliseconds until it is asked once more */
  #pause: number;
  /** by performance.now(): when the site was heard of last about this, and when it said last that it is under way */
  #heard: number | undefined;
  #running: number | undefined;
  /** by performance.now(): until when it may be told to end */
  #cancelledUntil: number | undefined;
  /** why, in a word of the message */
  #because: string | undefined;
  /** one copy was refused; what is true of the others the journal knows */
  #refusal: ArgoError | undefined;
  #isOver = false;
  readonly #ends: (() => void)[] = [];
  #resolve!: (ended: Ended) => void;
  #reject!: (error: ArgoError) => void;

  constructor(parts: ErrandParts) {
    this.#parts = parts;
    this.#pace = parts.pace;
    this.#pause = parts.pace.resultPause;
    this.#site = parts.message.site;
    this.#sentTo = parts.sites.standing(this.#site).incarnation;
  }

  /** To be called once. @throws ArgoError; MessageFault before anything is sent */
  async run(): Promise<Ended> {
    const { talk, message, signal } = this.#parts;
    if (signal.aborted) throw nothingDone(this.#site, 'its time was over before anything was sent');
    const order = this.#order = talk.letter(orderSubject(this.#site), message);
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#ends.push(talk.bus.onChange(() => this.#busChanged()));
      this.#ends.push(onAbort(signal, (reason) => this.#cancel(reason)));
      this.#sendOrder(order);
    });
  }

  #sendOrder(order: Letter): void {
    this.#copies += 1;
    this.#send('order', order);
    this.#wait(this.#pace.firstWord);
  }

  #askResult(): void {
    const { talk, message: { id, at, sendBy } } = this.#parts;
    const now = Date.now();
    const question: ResultMessage = {
      v: FLEET_VERSION, id, site: this.#site, front: talk.front, at: now, sendBy: now + sendBy - at,
      ...(this.#cancelledUntil !== undefined && { cancel: true, ...(this.#because !== undefined && { because: this.#because }) }),
    };
    this.#send('result', talk.letter(resultSubject(this.#site), question));
    this.#wait(this.#pace.resultTimeout);
  }

  #send(asked: Asked, letter: Letter): void {
    if (this.#conversations.length >= CONVERSATIONS) this.#conversations.shift()!.end();
    this.#conversations.push(this.#parts.talk.send(letter, (told) => this.#told(asked, told), (error) => this.#failed(asked, error)));
  }

  #told(asked: Asked, { answer, isOfThisCopy }: Told): void {
    if (this.#isOver) return;
    this.#heard = performance.now();
    this.#parts.sites.answered(this.#site, answer.incarnation);
    switch (answer.state) {
      case 'running': return this.#isRunning(asked, answer.doing);
      case 'ended': return this.#succeed(asked, answer);
      case 'failed': return this.#isRefused(asked, answer, isOfThisCopy);
      case 'none': return this.#isUnknown(answer.incarnation);
      case 'lost': return this.#fail(this.#uncertain(`${answer.incarnation === this.#sentTo ? 'it does not know what came of it' : 'its server ended meanwhile'}; last seen ${answer.observed}`));
      case 'value': return undefined;
    }
  }

  #isRunning(asked: Asked, doing: string | undefined): void {
    this.#running = performance.now();
    this.#pause = this.#pace.resultPause;
    if (doing !== undefined) this.#parts.doing?.(doing);
    // where it was asked for, the way by which it tells of itself may be lost
    this.#wait(asked === 'order' ? this.#pace.runningPatience : this.#pace.runningInterval);
  }

  #succeed(asked: Asked, answer: Ended['answer']): void {
    const isRecent = (asked === 'order' && this.#isOnlyCopy) || (this.#running !== undefined && performance.now() - this.#running < this.#pace.runningInterval);
    this.#leave();
    this.#resolve({ answer, isRecent });
  }

  /** Where more than one copy may have arrived, one that was refused says nothing of the others: the site's journal does. */
  #isRefused(asked: Asked, answer: Failure, isOfThisCopy: boolean): void {
    const error = errorOf(this.#site, answer);
    if (asked === 'result') return isOfThisCopy ? this.#wait(this.#nextPause()) : this.#fail(error);
    if (this.#isOnlyCopy && !(isOfThisCopy && this.#running !== undefined)) return this.#fail(error);
    this.#refusal ??= error;
    this.#askResult();
  }

  /** It was never begun, and never will be: where that is said by who has its journal. */
  #isUnknown(incarnation: string): void {
    const { sites, message } = this.#parts;
    if (this.#running !== undefined || !sites.mayVoid(message.site, incarnation, this.#sentTo)) return this.#wait(this.#nextPause());
    this.#fail(this.#refusal ?? nothingDone(this.#site, 'it has not begun the order'));
  }

  #failed(asked: Asked, error: BusError): void {
    if (this.#isOver) return;
    const isNothing = asked === 'order' && this.#isOnlyCopy && this.#heard === undefined;
    if (isNothing && (error.reason === 'no responders' || error.reason === 'down')) return this.#fail(notSent(this.#site, error));
    this.#wait(this.#nextPause());
  }

  /** Whether all that the bus can have handed over is one copy: it was sent once, and what is said of it came over the same connection. */
  get #isOnlyCopy(): boolean {
    return this.#copies === 1 && this.#breaks === 0;
  }

  /** The connection was lost, or is there again: what was on its way may be lost, whichever way that was. */
  #busChanged(): void {
    this.#breaks += 1;
    this.#pause = this.#pace.resultPause;
    if (this.#parts.talk.bus.trouble === undefined) this.#look();
  }

  #cancel(reason: unknown): void {
    if (this.#isOver || this.#cancelledUntil !== undefined) return;
    if (reason instanceof ArgoError) this.#because = CANCELLED_BECAUSE[reason.phrase];
    this.#cancelledUntil = performance.now() + this.#pace.cancelTimeout;
    this.#look();
  }

  /** Nothing was heard for a while, or there is news of the connection. */
  #look(): void {
    const { talk: { bus }, sites, message: { at, sendBy } } = this.#parts;
    const now = performance.now();
    const { trouble, incarnation } = sites.standing(this.#site);
    if (now >= this.#givenUpAt) return this.#fail(this.#uncertain(this.#heard === undefined ? 'it has not answered' : 'it has not said what came of it'));
    // what is sent to a site that is silent would keep its dead connection alive at the bus
    if (bus.trouble !== undefined || (trouble !== undefined && this.#cancelledUntil === undefined)) return this.#wait(this.#nextPause());
    const isInTime = this.#heard === undefined && now - this.#began < sendBy - at && incarnation === this.#sentTo;
    if (isInTime && this.#cancelledUntil === undefined) this.#sendOrder(this.#order!);
    else this.#askResult();
  }

  /** By performance.now(). As long as the site says that it is at work, it is waited for beyond the usual time, but not for ever. */
  get #givenUpAt(): number {
    if (this.#cancelledUntil !== undefined) return this.#cancelledUntil;
    const { at, sendBy, answerBy } = this.#parts.message;
    const expected = this.#began + answerBy - at;
    const overtime
      = this.#running === undefined
        ? 0
        : Math.min(this.#running + this.#pace.runningPatience + this.#pace.answerGrace, expected + this.#pace.overtime);
    const silent = Math.max(this.#began + sendBy - at, this.#heard ?? 0) + this.#pace.silenceLongest;
    return Math.min(Math.max(expected, overtime), silent);
  }

  #nextPause(): number {
    const pause = this.#pause;
    this.#pause = Math.min(2 * pause, this.#pace.askAgainLongest);
    return pause;
  }

  #wait(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#isOver) return;
    this.#timer = setTimeout(() => this.#look(), Math.max(0, Math.min(ms, this.#givenUpAt - performance.now())));
  }

  #uncertain(why: string): ArgoError {
    const { message: { instance, site } } = this.#parts;
    return new ArgoError('UNCERTAIN', `the order for ${instance} was sent to site ${site}: ${why}`);
  }

  #fail(error: ArgoError): void {
    this.#leave();
    this.#reject(error);
  }

  #leave(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    for (const end of this.#ends.splice(0)) end();
    for (const conversation of this.#conversations.splice(0)) conversation.end();
  }
}
