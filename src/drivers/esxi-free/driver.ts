import { ArgoError } from '../../kit/errors.js';
import type { Consoles, Driver, DriverHost, PowerState, Sighting, Sightings } from '../driver.js';
import { withBoard, type BoardParts } from '../host/board.js';
import { listSilentHypervisor } from '../host/roster.js';
import type { Esxi } from './commands.js';
import { EsxiHost, type Presence } from './host.js';
import { Inventory, type Entry } from './inventory.js';
import { EsxiVm, VM_PACE, type VmContext, type VmPace } from './vm.js';

/**
 * Milliseconds after a refused login in which listings do not try again: ESXi locks an account after
 * five failures (Security.AccountLockFailures). What a person asks for is tried all the same.
 */
const REFUSAL_HOLDS = 5 * 60_000;

/** What the driver works with. */
export interface EsxiFreeParts {
  readonly esxi: Esxi;
  readonly presence: Presence;
  /** what switches the host itself; undefined where it has none */
  readonly board?: BoardParts | undefined;
  /** where somebody may be given one */
  readonly shell?: Consoles['shell'] | undefined;
  readonly staysInMaintenance: boolean;
  /** default {@link VM_PACE} */
  readonly pace?: VmPace;
  /** The host goes down: its connection is of no use any more. */
  goingDown(): void;
  /** Lets go of what was opened for the parts. */
  close(): void;
}

/** A free ESXi: the host and its virtual machines. */
export class EsxiFreeDriver implements Driver {
  readonly #machine: EsxiHost;
  readonly #inventory: Inventory;
  readonly #context: VmContext;
  #listedBefore = false;
  /** they have been listed, if only once */
  #areGuestsKnown = false;
  #refused: { readonly error: ArgoError; readonly at: number } | undefined;
  readonly #parts: EsxiFreeParts;
  readonly #host: DriverHost;

  constructor(parts: EsxiFreeParts, host: DriverHost) {
    this.#parts = parts;
    this.#host = host;
    const { esxi, presence, pace = VM_PACE } = parts;
    this.#inventory = new Inventory(esxi, host.log);
    this.#context = { esxi, inventory: this.#inventory, address: presence.host.address, pace, relist: () => host.relist() };
    this.#machine = withBoard(new EsxiHost({ ...parts, inventory: this.#inventory, log: host.log }), parts.board);
  }

  async list(signal: AbortSignal): Promise<Sightings> {
    const [state, found] = await Promise.all([
      this.#machine.look(signal).catch((): PowerState => 'unknown'),
      this.#refresh(signal).catch((error: unknown) => error instanceof Error ? error : new Error(String(error))),
    ]);
    signal.throwIfAborted();
    if (found instanceof Error) return this.#withoutAnswer(state, found);
    this.#listedBefore = true;
    this.#areGuestsKnown = true;
    // It has just answered, whatever became of pings.
    const sightings: readonly Sighting[] = [{ machine: this.#machine, state: 'on' }, ...found.map((entry) => this.#sighting(entry, entry.summary.state))];
    const { incomplete } = this.#inventory;
    return incomplete === undefined ? sightings : Object.assign(sightings, { incomplete });
  }

  dmesg(signal: AbortSignal): Promise<string> {
    return this.#parts.esxi.kernelLog(signal);
  }

  close(): Promise<void> {
    this.#parts.close();
    return Promise.resolve();
  }

  async #refresh(signal: AbortSignal): Promise<readonly Entry[]> {
    if (this.#refused && performance.now() - this.#refused.at < REFUSAL_HOLDS) throw this.#refused.error;
    this.#refused = undefined;
    try {
      return await this.#inventory.refresh(signal, { forListing: true });
    } catch (error) {
      if (error instanceof ArgoError && error.phrase === 'ACCESS DENIED') this.#refused = { error, at: performance.now() };
      throw error;
    }
  }

  #withoutAnswer(state: PowerState, error: Error): Sightings {
    const hasListed = this.#listedBefore;
    this.#listedBefore = true;
    const guests = this.#inventory.known.map((entry) => this.#sighting(entry, 'unknown').machine);
    return listSilentHypervisor({ machine: this.#machine, state, guests, hasListed, areGuestsKnown: this.#areGuestsKnown }, this.#host, error);
  }

  #sighting({ key, summary: { name } }: Entry, state: PowerState): Sighting {
    return { machine: new EsxiVm(key, name, this.#context), state };
  }
}
