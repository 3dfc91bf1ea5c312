import { MQTT_MACHINES } from '../kit/mqtt-limits.js';
import type { Board } from './board.js';
import type { Broker } from './broker.js';
import { isDiscovery } from './discovery.js';
import { type Display, isTold } from './display.js';
import type { Topics } from './topics.js';

/** Topics that may wait until somebody knows: those of more machines are taken away. */
const MOST_WAITING = MQTT_MACHINES * 8;

/** What is known of the machines of now. */
export interface Known {
  /** whether one is told of below a base */
  isShown(base: string): boolean;
  /** whether it is not known yet what may be done with one of this device, so that nobody is told what to find of it */
  isOpen(device: string): boolean;
}

/**
 * What a broker has kept of machines that are there no more, such as from before a restart: it is taken away, else it
 * haunts Home Assistant. What belongs to a provider that does not answer now stays, and is said to be unavailable; what Home
 * Assistant has found of a machine stays until it is known what may be done with that.
 */
export class Leftovers {
  readonly #board: Board;
  readonly #display: Display;
  readonly #topics: Topics;
  readonly #known: Known;
  #broker: Broker | undefined;
  #refused: () => void = () => undefined;
  #isLooking = false;
  #stale: ReadonlySet<string> = new Set();
  readonly #waiting = new Set<string>();

  constructor(board: Board, display: Display, topics: Topics, known: Known) {
    this.#known = known;
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

  /** @param stale providers that do not answer, or do not know all */
  update(stale: ReadonlySet<string>): void {
    this.#stale = stale;
    this.settle([...this.#waiting]);
  }

  /** Looks at topics again that have waited: more is known now. */
  settle(topics: Iterable<string>): void {
    for (const topic of topics) if (this.#waiting.delete(topic)) this.#found(topic);
  }

  /** The broker has kept something on a topic. What a bridge has written shows it: others may write below the same prefix. */
  found(topic: string, payload: string): void {
    const owner = this.#isLooking ? this.#topics.ownerOf(topic) : undefined;
    if (owner !== undefined && (owner.base === undefined ? isDiscovery(payload) : isTold(this.#topics, owner.base, payload))) this.#found(topic);
  }

  #found(topic: string): void {
    const owner = this.#topics.ownerOf(topic);
    if (owner === undefined) return;
    const { base, device } = owner;
    if (base === undefined ? this.#board.has(topic) : this.#known.isShown(base)) return;
    const isStale = [...this.#stale].some((provider) => owner.isOf(provider));
    if ((isStale || (device !== undefined && this.#known.isOpen(device))) && this.#waiting.size < MOST_WAITING) {
      this.#waiting.add(topic);
      if (base !== undefined) this.#display.hide(base);
    } else if (base === undefined) this.#board.clear(topic);
    else this.#display.clearBase(base);
  }
}
