import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { ArgoError } from '../kit/errors.js';
import { MQTT_ANSWER, MQTT_FLUSH, MQTT_OBJECTION } from '../kit/mqtt-limits.js';
import { harmless, oneLine } from '../kit/text.js';
import type { Broker } from './broker.js';
import { Echo } from './echo.js';
import { readTable } from './payloads.js';

/** What bridges have of the topics, the least first: they want them; they want them again, which they have had in this life; they have them. */
const STANDINGS = ['claims', 'reclaims', 'holds'] as const;
type Standing = (typeof STANDINGS)[number];

/** What a mark answers. */
interface Reference {
  readonly bridge: string;
  readonly number: number;
}

/** What stands, retained, on a topic by which bridges know of each other. */
interface Mark extends Reference {
  /** the client id, for people */
  readonly client: string;
  readonly is: Standing;
  /** the mark that was heard there before */
  readonly to: Reference | undefined;
}

/** Another bridge has the topics, and is alive: there is nothing to do here as long as it is. */
export class TopicsTaken extends Error {}

/** One connection to a broker. */
interface Attempt {
  readonly broker: Pick<Broker, 'publish' | 'subscribe'>;
  /** of what we have claimed with */
  readonly echo: Echo;
  /** the number of the claim before: what answers a later one is of somebody who lives */
  readonly since: number;
  /** ends when our claim is written: what answers others is written behind it */
  readonly claimed: Promise<void>;
  /** topics on which what we have written is the latest */
  readonly mine: Set<string>;
  /** aborted when it is over, with why */
  readonly over: AbortController;
  /** another one's mark was there before us: it may be alive */
  isContested: boolean;
  isHeld: boolean;
}

/**
 * Has topics for one bridge alone: two would take away what they do not know, and carry each order out twice. Whoever wants
 * them writes so, retained. All see what is written on a topic in one order, so that the first has them, when it sees what it
 * has written itself.
 *
 * What another one has written is a reason to ask and to wait, and never one to end: it may be of one that has crashed, as it
 * is kept, also of long ago by a broker that has an old memory; and anybody may have written it. Who has the better standing
 * answers, by the number of what it has heard; and of two, that one gives way who has the lesser standing and whose own mark
 * was answered, so that the other is alive. Two of one client id are never connected together: they answer each other's
 * marks as they come back. A goodbye clears the mark.
 */
export class Claim {
  readonly #bridge: string;
  readonly #client: string;
  readonly #topics: readonly string[];
  readonly #objection: number;
  #attempt: Attempt | undefined;
  #written = 0;
  /** the number of the latest claim */
  #claim = 0;
  #hasHeld = false;
  readonly #lost = new AbortController();

  /** @param topics those of the marks @param client our client id @param objection milliseconds in which another one objects @param bridge another one each time */
  constructor(topics: readonly string[], client: string, objection = MQTT_OBJECTION, bridge: string = randomUUID()) {
    this.#topics = topics;
    this.#client = client;
    this.#objection = objection;
    this.#bridge = bridge;
  }

  /** Aborted when another bridge has the topics, with a TopicsTaken: this one must not write there any more. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Whether the topics were ours in this life: what stands there may be of us. */
  get hasHeld(): boolean {
    return this.#hasHeld;
  }

  /**
   * @returns when the topics are ours @throws TopicsTaken · ArgoError NOT ALLOWED: what is written does
   * not come back; UNREACHABLE: it is over · as {@link Broker.publish}
   */
  async take(broker: Pick<Broker, 'publish' | 'subscribe'>): Promise<void> {
    const since = this.#claim;
    const claim = this.#mark(this.#hasHeld ? 'reclaims' : 'claims');
    this.#claim = this.#written;
    const echo = new Echo(this.#topics, claim);
    let isClaimed!: () => void;
    const claimed = new Promise<void>((resolve) => { isClaimed = resolve; });
    const attempt: Attempt = { broker, echo, since, claimed, mine: new Set(), over: new AbortController(), isContested: false, isHeld: false };
    this.#attempt = attempt;
    const over = attempt.over.signal;
    await broker.subscribe(this.#topics);
    await Promise.all(this.#topics.map((topic) => broker.publish(topic, claim)));
    isClaimed();
    await echo.back(MQTT_ANSWER, over);
    if (attempt.isContested) await pause(this.#objection, undefined, { signal: over }).catch(() => undefined);
    over.throwIfAborted();
    attempt.isHeld = this.#hasHeld = true;
    await Promise.all(this.#topics.map((topic) => this.#write(attempt, topic)));
    over.throwIfAborted();
  }

  /** Without a broker nobody has them. */
  detach(): void {
    this.#attempt?.over.abort(new ArgoError('UNREACHABLE', 'the broker was let go'));
    this.#attempt = undefined;
  }

  /** Says goodbye, or leaves them to the other one that has them: takes our marks away where no other has come after them. */
  async release(): Promise<void> {
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    attempt.over.abort(new ArgoError('UNREACHABLE', 'the broker was let go'));
    // what is on its way is there before it can be taken away
    await attempt.echo.back(MQTT_FLUSH, new AbortController().signal).catch(() => undefined);
    await Promise.all([...attempt.mine].map((topic) => attempt.broker.publish(topic, '').catch(() => undefined)));
  }

  heard(topic: string, text: string): void {
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    const isOver = attempt.over.signal.aborted;
    const mark = markOf(text);
    if (mark?.bridge === this.#bridge) {
      attempt.mine.add(topic);
      // at once: what comes from here on comes to one that has them, where nobody else was there
      if (attempt.echo.heard(topic, text) && !isOver) attempt.isHeld = !attempt.isContested;
      return;
    }
    attempt.mine.delete(topic);
    if (isOver) return;
    if (mark !== undefined) this.#meet(attempt, topic, mark);
    // somebody has taken our mark away
    else if (attempt.isHeld) this.#say(attempt, topic);
  }

  /** Another bridge was at work, and perhaps is. */
  #meet(attempt: Attempt, topic: string, mark: Mark): void {
    if (!attempt.isHeld) attempt.isContested = true;
    const [ours, theirs] = [this.#standing(attempt), mark.is].map((is) => STANDINGS.indexOf(is)) as [number, number];
    const isBetter = ours > theirs || (ours === theirs && this.#bridge < mark.bridge);
    const isAnswer = mark.to?.bridge === this.#bridge && mark.to.number >= attempt.since;
    if (!isBetter && isAnswer) this.#giveWay(attempt, topic, mark);
    // where the other is alive, it answers that
    else if (isBetter || attempt.isHeld) this.#say(attempt, topic, mark);
  }

  #giveWay({ over }: Attempt, topic: string, { client }: Mark): void {
    const name = harmless(oneLine(client, 100));
    const why = new TopicsTaken(`another argo-mqtt (${name}) is at work, as ${topic} says: give each an id and a topic-prefix of its own`);
    over.abort(why);
    this.#lost.abort(why);
  }

  #say(attempt: Attempt, topic: string, to?: Mark): void {
    void this.#write(attempt, topic, to).catch(() => undefined);
  }

  async #write(attempt: Attempt, topic: string, to?: Mark): Promise<void> {
    await attempt.claimed;
    attempt.over.signal.throwIfAborted();
    await attempt.broker.publish(topic, this.#mark(this.#standing(attempt), to));
  }

  #standing({ isHeld }: Attempt): Standing {
    return isHeld ? 'holds' : this.#hasHeld ? 'reclaims' : 'claims';
  }

  #mark(is: Standing, to?: Reference): string {
    this.#written += 1;
    return JSON.stringify({
      bridge: this.#bridge, client: this.#client, is, number: this.#written, ...(to !== undefined && { to: { bridge: to.bridge, number: to.number } }),
    });
  }
}

/** @returns undefined for what is none */
function markOf(text: string): Mark | undefined {
  const { bridge, client, is, number, to } = readTable(text);
  const standing = STANDINGS.find((one) => one === is);
  if (typeof bridge !== 'string' || typeof client !== 'string' || typeof number !== 'number' || standing === undefined) return undefined;
  const other = typeof to === 'object' && to !== null ? (to as Partial<Reference>) : {};
  return { bridge, client, is: standing, number, to: typeof other.bridge === 'string' && typeof other.number === 'number' ? { bridge: other.bridge, number: other.number } : undefined };
}
