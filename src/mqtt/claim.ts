import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { SettingsError } from '../client/settings-error.js';
import { ArgoError } from '../kit/errors.js';
import { MQTT_ANSWER, MQTT_OBJECTION } from '../kit/mqtt-limits.js';
import { harmless, oneLine } from '../kit/text.js';
import type { Broker } from './broker.js';
import { Echo } from './echo.js';
import { readTable } from './payloads.js';

/** What stands, retained, on a topic by which bridges know of each other. */
interface Mark {
  /** another one for each run of the program */
  readonly bridge: string;
  /** the client id, for people */
  readonly client: string;
  /** `claims`: it wants the topics, and waits for who has something against it; `holds`: it has them */
  readonly is: 'claims' | 'holds';
}

/** One connection to a broker. */
interface Attempt {
  readonly broker: Pick<Broker, 'publish' | 'subscribe'>;
  /** of what we have claimed with */
  readonly echo: Echo;
  /** topics on which what we have written is the latest */
  readonly mine: Set<string>;
  /** another one was there before us, and may be still */
  isContested: boolean;
  isHeld: boolean;
}

/**
 * Has topics for one bridge alone: two would take away what they do not know, and carry each order out twice. Whoever wants
 * them writes so, retained. All see what is written on a topic in one order, so that the first has them, when it sees what it
 * has written itself; where another one's mark was there before, it waits whether that one objects. Whoever has them objects;
 * and whoever hears that another one has them, gives way for good. One that has crashed does not object, and a goodbye clears
 * the mark.
 *
 * Two of one client id are never connected together: the one that comes takes the place of the other, which comes back. That
 * one has had the topics in this life, and objects; or sees that somebody else has them since, and gives way.
 */
export class Claim {
  readonly #bridge: string;
  readonly #client: string;
  readonly #topics: readonly string[];
  readonly #objection: number;
  #attempt: Attempt | undefined;
  #written = 0;
  /** by topics, what was there before we claimed first: of a bridge that may be gone */
  readonly #before = new Map<string, string>();
  #hasClaimed = false;
  #hasHeld = false;
  readonly #lost = new AbortController();

  /** @param topics those of the marks @param client our client id @param objection milliseconds in which another one objects @param bridge another one each time */
  constructor(topics: readonly string[], client: string, objection = MQTT_OBJECTION, bridge: string = randomUUID()) {
    this.#topics = topics;
    this.#client = client;
    this.#objection = objection;
    this.#bridge = bridge;
  }

  /** Aborted when another bridge has the topics, with a SettingsError: this one must not write there any more. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /**
   * @returns when the topics are ours @throws SettingsError another bridge has them · ArgoError NOT ALLOWED: what is written does
   * not come back · as {@link Broker.publish}
   */
  async take(broker: Pick<Broker, 'publish' | 'subscribe'>): Promise<void> {
    const claim = this.#mark('claims');
    const echo = new Echo(this.#topics, claim);
    const attempt: Attempt = (this.#attempt = { broker, echo, mine: new Set(), isContested: false, isHeld: false });
    await broker.subscribe(this.#topics);
    await Promise.all(this.#topics.map((topic) => broker.publish(topic, claim)));
    await echo.back(MQTT_ANSWER, this.lost);
    if (attempt.isContested) await pause(this.#objection, undefined, { signal: this.lost }).catch(() => undefined);
    this.lost.throwIfAborted();
    if (this.#attempt !== attempt) throw new ArgoError('UNREACHABLE', 'the broker was let go');
    attempt.isHeld = this.#hasHeld = true;
    await this.#write(attempt, 'holds', this.#topics);
  }

  /** Without a broker nobody has them. */
  detach(): void {
    this.#attempt = undefined;
  }

  /** Says goodbye. */
  async release(): Promise<void> {
    const attempt = this.#attempt;
    this.#attempt = undefined;
    if (attempt !== undefined) await clear(attempt);
  }

  /** @param isKept it was there before it was asked for */
  heard(topic: string, text: string, isKept: boolean): void {
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    const mark = markOf(text);
    if (mark?.bridge === this.#bridge) {
      attempt.mine.add(topic);
      if (attempt.echo.heard(topic, text)) this.#echoed(attempt);
      return;
    }
    attempt.mine.delete(topic);
    // somebody has taken our mark away
    if (mark === undefined) return void (attempt.isHeld && this.#object(attempt, topic));
    if (!attempt.isHeld) attempt.isContested = true;
    if (!this.#hasClaimed && isKept) return void this.#before.set(topic, text);
    if (text !== this.#before.get(topic)) this.#meet(attempt, topic, mark);
  }

  /** At once: what comes from here on comes to one that has them, where nobody else was there. */
  #echoed(attempt: Attempt): void {
    this.#hasClaimed = true;
    attempt.isHeld = !attempt.isContested;
  }

  /** Another bridge is at work. */
  #meet(attempt: Attempt, topic: string, { bridge, client, is }: Mark): void {
    const hasHeld = attempt.isHeld || this.#hasHeld;
    // where both have them, such as after one was held up, or both want them, both decide alike
    const isFirst = this.#bridge < bridge;
    if (attempt.isHeld ? is === 'claims' || isFirst : is === 'claims' && (hasHeld || isFirst)) {
      if (hasHeld) this.#object(attempt, topic);
      return;
    }
    this.#attempt = undefined;
    void clear(attempt);
    this.#lost.abort(
      new SettingsError(
        `another argo-mqtt (${harmless(oneLine(client, 100))}) is at work, as ${topic} says: give each an id and a topic-prefix of its own`,
      ),
    );
  }

  #object(attempt: Attempt, topic: string): void {
    void this.#write(attempt, 'holds', [topic]).catch(() => undefined);
  }

  async #write({ broker }: Attempt, is: Mark['is'], topics: readonly string[]): Promise<void> {
    await Promise.all(topics.map((topic) => broker.publish(topic, this.#mark(is))));
  }

  #mark(is: Mark['is']): string {
    this.#written += 1;
    return JSON.stringify({ bridge: this.#bridge, client: this.#client, is, number: this.#written });
  }
}

/** Takes our marks away where no other has come after them. */
const clear = async ({ broker, mine }: Attempt): Promise<void> => {
  await Promise.all([...mine].map((topic) => broker.publish(topic, '').catch(() => undefined)));
};

/** @returns undefined for what is none */
function markOf(text: string): Mark | undefined {
  const { bridge, client, is } = readTable(text);
  return typeof bridge === 'string' && typeof client === 'string' && (is === 'claims' || is === 'holds') ? { bridge, client, is } : undefined;
}
