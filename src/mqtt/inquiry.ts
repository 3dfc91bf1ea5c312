import { MQTT_ECHO, MQTT_WAITING } from '../kit/mqtt-limits.js';

/** Whether a message is kept by the broker; `unknown`: it does not say, or is gone, or too much is to be asked. */
export type Keeping = 'passing' | 'kept' | 'unknown';

interface Question {
  readonly topic: string;
  readonly payload: string;
  answer(keeping: Keeping): void;
}

/**
 * Finds out whether messages that came are kept by the broker: MQTT 3.1.1 tells nothing of that while one is connected. It is
 * asked for the same topics again, which brings all that it keeps there; and behind them for one on which it certainly keeps
 * something, which shows that there was no more. What comes meanwhile waits for the next such look.
 */
export class Inquiry {
  #look: ((topics: readonly string[]) => Promise<void>) | undefined;
  #waiting: Question[] = [];
  /** those of the look that is under way */
  #asked: readonly Question[] = [];
  /** what the broker keeps, by topics, as far as that look has shown it */
  readonly #kept = new Map<string, string>();
  #late: NodeJS.Timeout | undefined;

  /** @param look asks the broker for topics; what it keeps is told to {@link kept}, and the end of that to {@link seen} */
  attach(look: (topics: readonly string[]) => Promise<void>): void {
    this.#look = look;
  }

  /** The broker is gone: nobody will know. */
  detach(): void {
    this.#look = undefined;
    this.#waiting.splice(0).forEach(({ answer }) => answer('unknown'));
    this.#end(() => 'unknown');
  }

  ask(topic: string, payload: string, answer: (keeping: Keeping) => void): void {
    if (this.#look === undefined || this.#waiting.length >= MQTT_WAITING) return answer('unknown');
    this.#waiting.push({ topic, payload, answer });
    this.#begin();
  }

  /** The broker keeps something. */
  kept(topic: string, payload: string): void {
    if (this.#asked.some((question) => question.topic === topic)) this.#kept.set(topic, payload);
  }

  /** The broker has shown all that it keeps. */
  seen(): void {
    this.#end(({ topic, payload }) => (this.#kept.get(topic) === payload ? 'kept' : 'passing'));
  }

  #begin(): void {
    const look = this.#look;
    if (look === undefined || this.#asked.length > 0 || this.#waiting.length === 0) return;
    const asked = this.#asked = this.#waiting.splice(0);
    const giveUp = (): void => { if (asked === this.#asked) this.#end(() => 'unknown'); };
    this.#late = setTimeout(giveUp, MQTT_ECHO).unref();
    look([...new Set(asked.map(({ topic }) => topic))]).catch(giveUp);
  }

  #end(keepingOf: (question: Question) => Keeping): void {
    clearTimeout(this.#late);
    const answers = this.#asked.map((question) => [question, keepingOf(question)] as const);
    this.#asked = [];
    this.#kept.clear();
    for (const [{ answer }, keeping] of answers) answer(keeping);
    this.#begin();
  }
}
