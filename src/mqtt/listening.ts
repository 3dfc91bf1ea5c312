import type { Broker } from './broker.js';

/** What a broker does for it. */
type Subscribed = Pick<Broker, 'subscribe' | 'unsubscribe'>;

/**
 * The topics that orders come on: those of the machines that are there, each by itself. So nothing comes of what others keep
 * below our prefix, of which a broker may have more than it sends; and an order that was kept for a machine of before it was
 * there comes with its topic.
 */
export class Listening {
  #wanted: ReadonlySet<string> = new Set();
  readonly #heard = new Set<string>();
  #broker: Subscribed | undefined;
  #refused: (error: unknown) => void = () => undefined;

  /** @param refused the broker does not let us listen to what is wanted later @throws ArgoError */
  async attach(broker: Subscribed, refused: (error: unknown) => void): Promise<void> {
    this.#heard.clear();
    this.#broker = broker;
    this.#refused = refused;
    await this.#settle(broker);
  }

  detach(): void {
    this.#broker = undefined;
  }

  /** What is wanted from here on. */
  want(topics: Iterable<string>): void {
    this.#wanted = new Set(topics);
    const broker = this.#broker;
    if (broker !== undefined) this.#settle(broker).catch((error: unknown) => { if (broker === this.#broker) this.#refused(error); });
  }

  async #settle(broker: Subscribed): Promise<void> {
    const [more, less] = [[...this.#wanted].filter((topic) => !this.#heard.has(topic)), [...this.#heard].filter((topic) => !this.#wanted.has(topic))];
    for (const topic of more) this.#heard.add(topic);
    for (const topic of less) this.#heard.delete(topic);
    await Promise.all([broker.subscribe(more), broker.unsubscribe(less)]);
  }
}
