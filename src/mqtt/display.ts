import type { Board } from './board.js';
import { discoveryOf, discoveryTopics, OFFLINE, ONLINE } from './discovery.js';
import { readTable } from './payloads.js';
import type { Machine } from './machine.js';
import type { OrderEnd } from './orders.js';
import { powerOf } from './states.js';
import { LEFT_BY, TOLD, type Told, type Topics } from './topics.js';

/** Writes what is known of machines onto a broker's topics. What is not known is said to be so, and never to be off. */
export class Display {
  readonly #board: Board;
  readonly #topics: Topics;

  constructor(board: Board, topics: Topics) {
    this.#board = board;
    this.#topics = topics;
  }

  /** All that is told of a machine, and what Home Assistant is to find of it. */
  show(machine: Machine): void {
    for (const [topic, config] of discoveryOf(this.#topics, machine)) this.#board.set(topic, config);
    this.showState(machine);
  }

  showState(machine: Machine): void {
    const { state, since, isStale, fullName, provider, id } = machine;
    const known = isStale ? 'unknown' : state;
    const power = powerOf(known);
    const attributes = JSON.stringify({
      name: fullName,
      provider,
      id,
      state: known,
      ...(since !== undefined && { since }),
      ...(isStale && { last_seen: state }),
    });
    const told: readonly (readonly [Told, string])[] = [['state', known], ['power', power]];
    const availability = ['availability', power === 'None' ? OFFLINE : ONLINE] as const;
    // by the attributes the rest is found if the machine goes; and who hears that it is there, hears its state before
    const all = [['attributes', attributes] as const, ...(power === 'None' ? [availability, ...told] : [...told, availability])];
    for (const [what, payload] of all) this.#board.set(this.#topicOf(machine, what), payload);
  }

  /** How an order ended; where it was not carried out, also what the machine still is, for who has shown what he wished. */
  showEnd(machine: Machine, { order, outcome, reason }: OrderEnd): void {
    this.#board.set(this.#topicOf(machine, 'last_order'), JSON.stringify({ order, outcome, reason, time: new Date().toISOString() }));
    if (outcome !== 'failed') return;
    for (const what of ['state', 'power'] as const) this.#board.repeat(this.#topicOf(machine, what));
  }

  /** Nothing is told any more under a name. */
  clearName(provider: string, name: string): void {
    this.clearBase(this.#topics.of(provider, name));
  }

  /** @param base a machine's topics lie below it: it is there no more, or may be, and nobody knows */
  hide(base: string): void {
    this.#board.set(`${base}/availability`, OFFLINE);
  }

  /** @param base a machine's topics lie below it */
  clearBase(base: string): void {
    for (const what of TOLD) if (what !== LEFT_BY) this.#board.clear(`${base}/${what}`);
    // whoever is cut off in between finds by it what is still there
    this.#board.clear(`${base}/${LEFT_BY}`);
  }

  /** Home Assistant does not find it any more. */
  clearDevice(machine: Machine): void {
    for (const topic of discoveryTopics(this.#topics, machine)) if (this.#board.has(topic)) this.#board.clear(topic);
  }

  #topicOf({ provider, name }: Machine, what: Told): string {
    return `${this.#topics.of(provider, name)}/${what}`;
  }
}

/** Whether something is what is told of a machine below a base, as its attributes. */
export function isTold(topics: Topics, base: string, payload: string): boolean {
  const { name, provider } = readTable(payload);
  return typeof name === 'string' && typeof provider === 'string' && name.startsWith(`${provider}/`) && topics.of(provider, name.slice(provider.length + 1)) === base;
}
