import type { Failure } from '../client/outcome.js';
import { ArgoError } from '../kit/errors.js';
import type { Board } from './board.js';
import type { Broker, Message } from './broker.js';
import { Claim } from './claim.js';
import type { BridgeConfig } from './config.js';
import { OFFLINE, ONLINE } from './discovery.js';
import { Inquiry, type Keeping } from './inquiry.js';
import type { Leftovers } from './leftovers.js';
import { Listening } from './listening.js';
import type { Machine } from './machine.js';
import type { Topics } from './topics.js';

export interface BrokerSideParts {
  readonly config: BridgeConfig;
  readonly topics: Topics;
  readonly board: Board;
  readonly leftovers: Leftovers;
  say(message: string): void;
  /** @returns the machine that orders on a topic are for */
  orderedOn(topic: string): Machine | undefined;
  /** @param refusal why it is not carried out */
  order(machine: Machine, payload: Buffer, refusal: Failure | undefined): void;
  /** whether all machines that there are have been told, so that others are left of an earlier life */
  isSynced(): boolean;
}

/** Why an order is not carried out that came. */
const REFUSALS: Readonly<Record<Keeping, Failure | undefined>> = {
  passing: undefined,
  kept: { phrase: 'BAD REQUEST', detail: 'it was retained, or one like it, and would be there again later: whoever writes orders must not retain them' },
  unknown: { phrase: 'UNREACHABLE', detail: 'the broker does not say whether it is retained; nothing was sent' },
};

/** What the bridge has to do with a broker, whenever there is one. */
export class BrokerSide {
  readonly #parts: BrokerSideParts;
  readonly #claim: Claim;
  readonly #inquiry = new Inquiry();
  readonly #listening = new Listening();
  #isAttached = false;
  /** topics on which orders are retained, seen before anything can be taken away */
  readonly #early = new Set<string>();

  constructor(parts: BrokerSideParts) {
    this.#parts = parts;
    this.#claim = new Claim(parts.topics.marks, parts.config.broker.clientId);
    parts.board.set(parts.topics.availability, OFFLINE);
  }

  /** The topic on which the broker says that we are gone. */
  get will(): { readonly topic: string } {
    return { topic: this.#parts.topics.availability };
  }

  /** Aborted with a TopicsTaken when another bridge has the topics. */
  get lost(): AbortSignal {
    return this.#claim.lost;
  }

  /** A broker is there: where our topics are our own, it gets all that is known, and orders come from it. @throws ArgoError · TopicsTaken */
  async attach(broker: Broker): Promise<void> {
    const { config: { statusTopic }, topics, board, leftovers, say } = this.#parts;
    await this.#claim.take(broker);
    // whoever has been here for a moment may have left a last will behind: that is put right
    await broker.subscribe([topics.availability, ...(statusTopic === undefined ? [] : [statusTopic])]);
    await this.#listening.attach(broker, (error) => this.#refused(error));
    this.lost.throwIfAborted();
    this.#isAttached = true;
    let hasSaid = false;
    board.attach((topic, payload) => broker.publish(topic, payload).catch((error: unknown) => {
      // that it is gone is said elsewhere; of what it refuses, the first tells enough
      if (hasSaid || !(error instanceof ArgoError && error.phrase === 'NOT ALLOWED')) return;
      hasSaid = true;
      say(error.message);
    }));
    for (const topic of this.#early) board.clear(topic);
    this.#early.clear();
    this.#inquiry.attach((asked) => broker.subscribe([...asked, topics.marks[0]!]));
    leftovers.attach(broker, () => say('the broker does not let us look for what is left of machines that have gone'));
    if (this.#parts.isSynced()) leftovers.look();
  }

  detach(): void {
    this.#isAttached = false;
    this.#early.clear();
    this.#claim.detach();
    this.#inquiry.detach();
    this.#listening.detach();
    this.#parts.board.detach();
    this.#parts.leftovers.detach();
  }

  /** The topics that orders are taken from, from here on. */
  listen(topics: Iterable<string>): void {
    this.#listening.want(topics);
  }

  /** That it is gone is said elsewhere. */
  #refused(error: unknown): void {
    if (error instanceof ArgoError && error.phrase === 'NOT ALLOWED') this.#parts.say(error.message);
  }

  /** Tells all that nothing is known any more, and leaves the topics to others. Ends when the broker has it. */
  async leave(): Promise<void> {
    const { board, topics } = this.#parts;
    board.set(topics.availability, OFFLINE);
    await board.flushed();
    await this.#claim.release();
  }

  /** Leaves the topics to another bridge that has them. @returns whether something of ours stands there, which the last will is to put right */
  async giveWay(): Promise<boolean> {
    this.#isAttached = false;
    this.#parts.board.detach();
    await this.#claim.release();
    return this.#claim.hasHeld;
  }

  /** What a broker has brought. */
  message({ topic, payload, isKept, isRepeated }: Message): void {
    const { config: { statusTopic }, topics, board, leftovers, orderedOn } = this.#parts;
    const text = payload.toString('utf8');
    if (topics.marks.includes(topic)) {
      this.#claim.heard(topic, text);
      if (isKept && topic === topics.marks[0]) this.#inquiry.seen();
      return;
    }
    if (this.lost.aborted) return;
    if (topic === topics.availability) return board.heard(topic, text);
    if (topic === statusTopic) {
      // one that is kept says nothing new: all of it has just been told
      if (!isKept && text === ONLINE) board.repeatAll();
      return;
    }
    const machine = orderedOn(topic);
    // on a session of our own, what is repeated has been here before
    if (payload.length === 0 || (machine !== undefined && isRepeated)) return;
    if (isKept && machine === undefined) leftovers.found(topic, text);
    else if (isKept) this.#keptOrder(topic, text);
    else if (machine !== undefined) this.#inquiry.ask(topic, text, (keeping) => this.#order(machine, payload, keeping));
  }

  #order(machine: Machine, payload: Buffer, keeping: Keeping): void {
    if (keeping === 'unknown' && this.#isAttached) {
      this.#parts.say(`an order for ${machine.fullName} is not carried out: the broker has not said whether it is retained, nor that nothing is; see what it says of dropped messages`);
    }
    this.#parts.order(machine, payload, REFUSALS[keeping]);
  }

  #keptOrder(topic: string, text: string): void {
    this.#inquiry.kept(topic, text);
    this.#parts.say(`an order was retained on ${topic}; it is not carried out, and taken away: whoever writes there must not retain it`);
    if (this.#isAttached) this.#parts.board.clear(topic);
    else this.#early.add(topic);
  }
}
