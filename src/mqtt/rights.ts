import { MQTT_ASKING, MQTT_LIST_EVERY, MQTT_NAMES } from '../kit/mqtt-limits.js';
import type { Gate } from './gate.js';
import type { Machine, Order } from './machine.js';

export interface RightsHooks {
  /** what may be done with it is known now */
  told(machine: Machine): void;
  /** it cannot be had now; whoever asks again later may have more luck */
  failed(error: unknown): void;
}

/**
 * Asks what may be done with machines, some of one provider at a time. Nothing waits for it: a manager that hangs keeps
 * nobody from the states, nor from what may be done with the machines of others.
 */
export class Rights {
  readonly #gate: Gate;
  readonly #hooks: RightsHooks;
  readonly #signal: AbortSignal;
  /** those that are to be asked for, by their providers: which is next, is first */
  readonly #open = new Map<string, Set<Machine>>();
  /** providers whose machines are being asked for */
  readonly #asking = new Set<string>();
  /**
   * when those that have been asked for may be asked for again, on the clock of performance.now(); another one each time that
   * what may be done has changed: an answer of before is none
   */
  #asked = new WeakMap<Machine, number>();
  #orders: Promise<readonly Order[]> | undefined;

  constructor(gate: Gate, hooks: RightsHooks, signal: AbortSignal) {
    this.#gate = gate;
    this.#hooks = hooks;
    this.#signal = signal;
  }

  /** What may be done has changed. What was said before counts until somebody says otherwise. */
  forget(): void {
    this.#asked = new WeakMap();
    this.#orders = undefined;
    this.#open.clear();
  }

  /** Asks for those that have not been asked for, and now and then for those of which nothing sure was said. */
  ask(machines: Iterable<Machine>): void {
    for (const machine of machines) {
      if (performance.now() < (this.#asked.get(machine) ?? 0)) continue;
      const open = this.#open.get(machine.provider);
      if (open === undefined) this.#open.set(machine.provider, new Set([machine]));
      else open.add(machine);
    }
    this.#pump();
  }

  #pump(): void {
    for (const [provider, open] of this.#open) {
      if (this.#asking.size >= MQTT_ASKING) return;
      if (this.#asking.has(provider)) continue;
      const portion = [...open].slice(0, MQTT_NAMES);
      const asked = this.#asked;
      for (const machine of portion) {
        open.delete(machine);
        asked.set(machine, Infinity);
      }
      // the others come first now
      this.#open.delete(provider);
      if (open.size > 0) this.#open.set(provider, open);
      this.#asking.add(provider);
      void this.#learn(portion).catch((error: unknown) => {
        for (const machine of portion) asked.delete(machine);
        this.#open.delete(provider);
        if (!this.#signal.aborted) this.#hooks.failed(error);
      }).finally(() => {
        this.#asking.delete(provider);
        this.#pump();
      });
    }
  }

  async #learn(machines: readonly Machine[]): Promise<void> {
    const asked = this.#asked;
    const orders = await this.#offered();
    const answers = await Promise.all(orders.map(async (order) => ({ order, able: await this.#gate.canBeGiven(order, machines, this.#signal) })));
    if (asked !== this.#asked) return;
    for (const machine of machines) {
      if (answers.some(({ able }) => able.get(machine) === false)) asked.set(machine, performance.now() + MQTT_LIST_EVERY / 2);
      machine.may = new Set(answers.filter(({ able }) => able.has(machine)).map(({ order }) => order));
      this.#hooks.told(machine);
    }
  }

  /** Those that may be given to any machine at all. */
  #offered(): Promise<readonly Order[]> {
    const asked = this.#orders ??= this.#gate.orders(this.#signal);
    asked.catch(() => { if (this.#orders === asked) this.#orders = undefined; });
    return asked;
  }
}
