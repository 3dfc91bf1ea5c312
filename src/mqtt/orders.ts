import type { Failure } from '../client/outcome.js';
import { ArgoError } from '../kit/errors.js';
import { MQTT_ORDER_GRACE, MQTT_ORDER_STALE, MQTT_ORDERS, MQTT_PAYLOAD, MQTT_REASON, MQTT_WAITING } from '../kit/mqtt-limits.js';
import { oneLine, trimmed } from '../kit/text.js';
import { sinceBoot } from './clock.js';
import { type Gate, selectorOf } from './gate.js';
import type { Machine } from './machine.js';
import { ORDERS, type OrderRow, type Outcome } from './orders-table.js';

/** How an order for a machine ended. */
export interface OrderEnd {
  /** what was written to `set`, where it is one of ours */
  readonly order: string;
  readonly outcome: Outcome;
  /** a phrase of the line protocol and its detail; empty where all is well */
  readonly reason: string;
}

/** One that waits to be sent. */
interface Waiting {
  readonly machine: Machine;
  readonly payload: string;
  readonly row: OrderRow;
  readonly since: number;
}

const worded = ({ phrase, detail }: Failure): string => oneLine(`${phrase}${detail && `: ${detail}`}`, MQTT_REASON);

/**
 * Carries out what is written to the topics of machines: for each machine one order at a time, and behind it the
 * latest alone; but one by force waits for none, as at the server. An order is sent once, and soon or never: nobody's light goes out because of what he wanted an hour ago.
 */
export class Orders {
  readonly #gate: Gate;
  /** milliseconds within which a machine must be as it was ordered */
  readonly #timeout: number;
  readonly #ended: (machine: Machine, end: OrderEnd) => void;
  readonly #signal: AbortSignal;
  readonly #running = new Set<Machine>();
  /** those under way by force: no order that a machine does not follow takes their places */
  readonly #forcing = new Set<Machine>();
  readonly #waiting = new Map<Machine, Waiting>();

  /** @param ended called for each order, once */
  constructor(gate: Gate, timeout: number, ended: (machine: Machine, end: OrderEnd) => void, signal: AbortSignal) {
    this.#gate = gate;
    this.#timeout = timeout;
    this.#ended = ended;
    this.#signal = signal;
  }

  /** How many are under way. */
  get running(): number {
    return this.#running.size + this.#forcing.size;
  }

  /** @param payload as it came @param refusal why it cannot be sent */
  give(machine: Machine, payload: Buffer, refusal?: Failure): void {
    const word = payload.length > MQTT_PAYLOAD ? '' : trimmed(payload.toString('utf8'));
    const row = ORDERS.get(word);
    if (row === undefined) return this.#end(machine, '', 'failed', { phrase: 'BAD REQUEST', detail: `there are ${[...ORDERS.keys()].join(', ')}` });
    if (refusal !== undefined) return this.#end(machine, word, 'failed', refusal);
    const replaced = this.#waiting.get(machine);
    if (replaced === undefined && this.#waiting.size >= MQTT_WAITING) return this.#end(machine, word, 'failed', { phrase: 'BUSY', detail: 'too many orders wait' });
    this.#waiting.set(machine, { machine, payload: word, row, since: sinceBoot() });
    if (replaced !== undefined) this.#end(machine, replaced.payload, 'replaced');
    this.#next();
  }

  /** The server cannot be had: what waits is not sent. */
  drop(why: Failure): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { machine, payload } of waiting) this.#end(machine, payload, 'failed', why);
  }

  #next(): void {
    for (const waiting of this.#waiting.values()) {
      const running = this.#placesOf(waiting.row);
      if (running.size >= MQTT_ORDERS || running.has(waiting.machine)) continue;
      this.#waiting.delete(waiting.machine);
      if (sinceBoot() - waiting.since > MQTT_ORDER_STALE) this.#end(waiting.machine, waiting.payload, 'failed', { phrase: 'BUSY', detail: 'others took too long; nothing was sent' });
      else void this.#carryOut(waiting);
    }
  }

  #placesOf({ order }: OrderRow): Set<Machine> {
    return order === 'force-off' ? this.#forcing : this.#running;
  }

  async #carryOut({ machine, payload, row }: Waiting): Promise<void> {
    const running = this.#placesOf(row);
    running.add(machine);
    try {
      const { outcome, failure } = await this.#send(machine, row);
      this.#end(machine, payload, outcome, failure);
    } catch (error) {
      if (this.#signal.aborted) return;
      this.#end(machine, payload, 'failed', error instanceof ArgoError ? error : { phrase: 'INTERNAL ERROR', detail: String(error) });
    } finally {
      running.delete(machine);
      this.#next();
    }
  }

  /** A machine that cannot tell one boot from the next is told to restart, and nobody says that it has. */
  async #send(machine: Machine, row: OrderRow): Promise<{ outcome: Outcome; failure: Failure | undefined }> {
    const failure = await this.#order(machine, row, true);
    if (failure?.phrase !== 'NOT SUPPORTED' || row.order !== 'reboot') return { outcome: failure === undefined ? 'done' : 'failed', failure };
    const plainly = await this.#order(machine, row, false);
    return { outcome: plainly === undefined ? 'accepted' : 'failed', failure: plainly };
  }

  async #order(machine: Machine, { command, options }: OrderRow, isVerified: boolean): Promise<Failure | undefined> {
    const line = [command, selectorOf(machine), ...options, ...(isVerified ? [`--wait=${Math.ceil(this.#timeout / 1000)}`] : [])].join(' ');
    return (await this.#gate.ask(line, this.#signal, this.#timeout + MQTT_ORDER_GRACE)).error;
  }

  #end(machine: Machine, order: string, outcome: Outcome, failure?: Failure): void {
    this.#ended(machine, { order, outcome, reason: failure === undefined ? '' : worded(failure) });
  }
}
