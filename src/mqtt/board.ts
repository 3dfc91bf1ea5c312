import { MQTT_IN_FLIGHT } from '../kit/mqtt-limits.js';
import { ONLINE } from './discovery.js';

/** Sends a retained message. @returns when the broker has it, or will not have it; never throws */
export type Publish = (topic: string, payload: string) => Promise<void>;

/**
 * What a broker shall have, a retained message a topic; an empty one takes it away. Whoever writes waits for nobody:
 * of a topic that is not sent yet, the latest counts alone. So a slow broker, or none, costs no memory beyond that,
 * and one that comes back gets what is true now and nothing of what was.
 */
export class Board {
  readonly #wanted = new Map<string, string>();
  /** to be sent, in this order */
  readonly #open = new Set<string>();
  #publish: Publish | undefined;
  /** grows with each broker that comes and goes */
  #life = 0;
  #inFlight = 0;
  #idle: (() => void)[] = [];

  has(topic: string): boolean {
    return this.#wanted.has(topic);
  }

  /** @param payload an empty one takes the topic away */
  set(topic: string, payload: string): void {
    if (payload === '') return void (this.#wanted.has(topic) && this.clear(topic));
    if (this.#wanted.get(topic) === payload) return;
    this.#wanted.set(topic, payload);
    this.#send(topic);
  }

  /**
   * Takes a topic away, also one that is left of an earlier life, behind all that has been cleared before: of several, the last
   * is there until the others are gone. Without a broker it is found there when there is one.
   */
  clear(topic: string): void {
    if (this.#publish === undefined) {
      this.#wanted.delete(topic);
      return;
    }
    this.#wanted.set(topic, '');
    this.#open.delete(topic);
    this.#send(topic);
  }

  /** Says again what a topic says. */
  repeat(topic: string): void {
    if (this.#wanted.has(topic)) this.#send(topic);
  }

  /** Somebody has said something else on a topic: it is put right. */
  heard(topic: string, payload: string): void {
    if (this.#wanted.get(topic) !== payload) this.repeat(topic);
  }

  /** Says all of it again; what says that the rest is true comes last. */
  repeatAll(): void {
    for (const isLast of [false, true]) for (const [topic, payload] of this.#wanted) if ((payload === ONLINE) === isLast) this.#send(topic);
  }

  /** There is a broker: it gets all of it. */
  attach(publish: Publish): void {
    this.#life += 1;
    this.#inFlight = 0;
    this.#publish = publish;
    this.repeatAll();
  }

  /** There is none. */
  detach(): void {
    this.#life += 1;
    this.#publish = undefined;
    this.#open.clear();
    for (const [topic, payload] of this.#wanted) if (payload === '') this.#wanted.delete(topic);
    this.#settled();
  }

  /** Ends when nothing is open, which is at once where there is no broker. */
  flushed(): Promise<void> {
    return new Promise((resolve) => {
      this.#idle.push(resolve);
      this.#settled();
    });
  }

  #send(topic: string): void {
    if (this.#publish === undefined) return;
    this.#open.add(topic);
    this.#pump();
  }

  #pump(): void {
    const publish = this.#publish;
    if (publish === undefined) return;
    const life = this.#life;
    for (const topic of this.#open) {
      if (this.#inFlight >= MQTT_IN_FLIGHT) return;
      this.#open.delete(topic);
      const payload = this.#wanted.get(topic) ?? '';
      this.#inFlight += 1;
      void publish(topic, payload).then(() => {
        if (life !== this.#life) return;
        this.#inFlight -= 1;
        if (payload === '' && this.#wanted.get(topic) === '') this.#wanted.delete(topic);
        this.#pump();
        this.#settled();
      });
    }
  }

  #settled(): void {
    if (this.#publish !== undefined && (this.#open.size > 0 || this.#inFlight > 0)) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
