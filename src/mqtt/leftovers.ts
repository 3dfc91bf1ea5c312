import { MQTT_MACHINES } from '../kit/mqtt-limits.js';
import type { Board } from './board.js';
import type { Broker } from './broker.js';
import { OFFLINE } from './discovery.js';
import type { Display } from './display.js';
import type { Topics } from './topics.js';

/** Topics that may wait for their provider to answer: those of more machines are taken away. */
const MOST_WAITING = MQTT_MACHINES * 4;

/**
 * What a broker has kept of machines that are there no more, such as from before a restart: it is taken away, else it
 * haunts Home Assistant. What belongs to a provider that does not answer now stays, and is said to be unavailable.
 */
export class Leftovers {
  readonly #board: Board;
  readonly #display: Display;
  readonly #topics: Topics;
  readonly #isShown: (base: string) => boolean;
  #broker: Broker | undefined;
  #refused: () => void = () => undefined;
  #isLooking = false;
  #stale: ReadonlySet<string> = new Set();
  readonly #waiting = new Set<string>();

  /** @param isShown whether a machine of now is told of below a base */
  constructor(board: Board, display: Display, topics: Topics, isShown: (base: string) => boolean) {
    this.#isShown = isShown;
    this.#board = board;
    this.#display = display;
    this.#topics = topics;
  }

  /** @param refused the broker does not let us look */
  attach(broker: Broker, refused: () => void): void {
    this.#broker = broker;
    this.#refused = refused;
    this.#isLooking = false;
    this.#waiting.clear();
  }

  detach(): void {
    this.#broker = undefined;
  }

  /** Looks, once a broker; all machines that there are must be on the board. */
  look(): void {
    const broker = this.#broker;
    if (broker === undefined || this.#isLooking) return;
    this.#isLooking = true;
    broker.subscribe(this.#topics.left).catch(() => { if (broker === this.#broker) this.#refused(); });
  }

  /** @param stale providers that do not answer */
  update(stale: ReadonlySet<string>): void {
    this.#stale = stale;
    for (const topic of [...this.#waiting]) {
      if (this.#isOfStale(topic)) continue;
      this.#waiting.delete(topic);
      this.found(topic);
    }
  }

  /** The broker has kept something on a topic. */
  found(topic: string): void {
    const owner = this.#isLooking ? this.#topics.ownerOf(topic) : undefined;
    if (owner === undefined || (owner.base === undefined ? this.#board.has(topic) : this.#isShown(owner.base))) return;
    if (this.#isOfStale(topic) && this.#waiting.size < MOST_WAITING) {
      this.#waiting.add(topic);
      if (owner.base !== undefined) this.#board.set(topic, OFFLINE);
    } else if (owner.base === undefined) this.#board.clear(topic);
    else this.#display.clearBase(owner.base);
  }

  #isOfStale(topic: string): boolean {
    const owner = this.#topics.ownerOf(topic);
    return owner !== undefined && [...this.#stale].some((provider) => owner.isOf(provider));
  }
}
