import type { Failure } from '../client/outcome.js';
import { ArgoError } from '../kit/errors.js';
import type { Board } from './board.js';
import type { Broker, Message } from './broker.js';
import { Claim } from './claim.js';
import type { BridgeConfig } from './config.js';
import { OFFLINE, ONLINE } from './discovery.js';
import { Inquiry, type Keeping } from './inquiry.js';
import type { Leftovers } from './leftovers.js';
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
  kept: { phrase: 'BAD REQUEST', detail: 'it was retained, and would be there again later: whoever writes orders must not retain them' },
  unknown: { phrase: 'UNREACHABLE', detail: 'the broker does not say whether it is retained; nothing was sent' },
};

/** What the bridge has to do with a broker, whenever there is one. */
export class BrokerSide {
  readonly #parts: BrokerSideParts;
  readonly #claim: Claim;
  readonly #inquiry = new Inquiry();

  constructor(parts: BrokerSideParts) {
    this.#parts = parts;
    this.#claim = new Claim(parts.topics.marks, parts.config.broker.clientId);
    parts.board.set(parts.topics.availability, OFFLINE);
  }

  /** The topic on which the broker says that we are gone. */
  get will(): { readonly topic: string } {
    return { topic: this.#parts.topics.availability };
  }

  /** Aborted with a SettingsError when another bridge has the topics. */
  get lost(): AbortSignal {
    return this.#claim.lost;
  }

  /** A broker is there: where our topics are our own, it gets all that is known, and orders come from it. @throws ArgoError · SettingsError */
  async attach(broker: Broker): Promise<void> {
    const { config: { statusTopic }, topics, board, leftovers, say } = this.#parts;
    await this.#claim.take(broker);
    // whoever has been here for a moment may have left a last will behind: that is put right
    await broker.subscribe([topics.availability, topics.orders, ...(statusTopic === undefined ? [] : [statusTopic])]);
    let hasSaid = false;
    board.attach((topic, payload) => broker.publish(topic, payload).catch((error: unknown) => {
      // that it is gone is said elsewhere; of what it refuses, the first tells enough
      if (hasSaid || !(error instanceof ArgoError && error.phrase === 'NOT ALLOWED')) return;
      hasSaid = true;
      say(error.message);
    }));
    this.#inquiry.attach(() => broker.subscribe([topics.orders, topics.marks[0]!]));
    leftovers.attach(broker, () => say('the broker does not let us look for what is left of machines that have gone'));
    if (this.#parts.isSynced()) leftovers.look();
  }

  detach(): void {
    this.#claim.detach();
    this.#inquiry.detach();
    this.#parts.board.detach();
    this.#parts.leftovers.detach();
  }

  /** Tells all that nothing is known any more, and leaves the topics to others. Ends when the broker has it. */
  async leave(): Promise<void> {
    const { board, topics } = this.#parts;
    board.set(topics.availability, OFFLINE);
    await board.flushed();
    await this.#claim.release();
  }

  /** What a broker has brought. */
  message({ topic, payload, isKept, isRepeated }: Message): void {
    const { config: { statusTopic }, topics, board, leftovers, orderedOn } = this.#parts;
    const text = payload.toString('utf8');
    if (topics.marks.includes(topic)) {
      this.#claim.heard(topic, text, isKept);
      if (isKept && topic === topics.marks[0]) this.#inquiry.seen();
      return;
    }
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
    else if (machine !== undefined) this.#inquiry.ask(topic, text, (keeping) => this.#parts.order(machine, payload, REFUSALS[keeping]));
  }

  #keptOrder(topic: string, text: string): void {
    this.#inquiry.kept(topic, text);
    this.#parts.say(`an order was retained on ${topic}; it is not carried out, and taken away: whoever writes there must not retain it`);
    this.#parts.board.clear(topic);
  }
}
