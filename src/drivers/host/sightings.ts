import { setTimeout as pause } from 'node:timers/promises';
import { ArgoError } from '../../kit/errors.js';
import { within } from '../../kit/within.js';
import type { DriverHost, Machine, PowerState, Sighting } from '../driver.js';

/** How long a listing waits for hosts to answer; what comes later is told when it comes. Milliseconds. */
const LISTING_WAITS_MS = 250;
/** Of a look that a listing began: thousands of silent hosts take their time, ms. */
const LOOK_DEADLINE_MS = 60_000;

/** A machine that may be looked at behind those of which people ask; else its own word is asked for, such as where a manager knows of it. */
export interface Looked extends Machine {
  look?(signal: AbortSignal, background: true): Promise<PowerState>;
}

/**
 * The states of many hosts for listings. One that is silent keeps nobody waiting: until it has been
 * found out, it has the state of the look before, or `unknown`.
 */
export class Sightings {
  readonly #underWay = new Map<Looked, Promise<void>>();
  readonly #states = new WeakMap<Looked, PowerState>();
  readonly #closing = new AbortController();
  /** those of the last listing: what is found out of others later is of no interest */
  #current = new Set<Looked>();
  readonly #host: Pick<DriverHost, 'changed' | 'log'>;

  constructor(host: Pick<DriverHost, 'changed' | 'log'>) {
    this.#host = host;
  }

  /** @throws what is a fault of ours */
  async list(machines: readonly Looked[]): Promise<Sighting[]> {
    this.#current = new Set(machines);
    const listing = { isOver: false };
    const all = within(LOOK_DEADLINE_MS, [this.#closing.signal], (limit) => inPortions(machines, (machine) => this.#look(machine, listing, limit)));
    all.catch((error: unknown) => {
      if (listing.isOver) this.#host.log('error', 'a host could not be looked at', { error: String(error) });
    });
    try {
      await Promise.race([all, pause(LISTING_WAITS_MS, undefined, { ref: false })]);
    } finally {
      listing.isOver = true;
    }
    return machines.map((machine) => ({ machine, state: this.#states.get(machine) ?? 'unknown' }));
  }

  /** Ends what is under way. */
  close(): void {
    this.#current.clear();
    this.#closing.abort();
  }

  #look(machine: Looked, listing: { readonly isOver: boolean }, signal: AbortSignal): Promise<void> {
    const known = this.#underWay.get(machine);
    if (known) return known;
    const look = stateOf(machine, signal).then((state) => {
      this.#states.set(machine, state);
      if (listing.isOver && this.#current.has(machine)) this.#host.changed(machine.id, state);
    }).finally(() => this.#underWay.delete(machine));
    this.#underWay.set(machine, look);
    return look;
  }
}

async function stateOf(machine: Looked, signal: AbortSignal): Promise<PowerState> {
  try {
    return await (machine.look?.(signal, true) ?? machine.status(signal));
  } catch (error) {
    if (signal.aborted || error instanceof ArgoError) return 'unknown';
    throw error;
  }
}

/** Hosts whose questions are begun in one go before others get their turn: some milliseconds of work. */
const PORTION = 100;

/**
 * Does something for each of many hosts at the same time, without keeping everyone else waiting while
 * it is begun.
 * @returns the results in the order of the items
 * @throws what any of them throws; the others go on
 */
export async function inPortions<Item, Result>(items: readonly Item[], work: (item: Item) => Promise<Result>): Promise<Result[]> {
  const results: Promise<Result[]>[] = [];
  for (let start = 0; start < items.length; start += PORTION) {
    if (start > 0) await new Promise((resolve) => { setImmediate(resolve); });
    const portion = Promise.all(items.slice(start, start + PORTION).map(work));
    // Its failure is told below, perhaps only after other portions have been begun.
    portion.catch(() => undefined);
    results.push(portion);
  }
  return (await Promise.all(results)).flat();
}
