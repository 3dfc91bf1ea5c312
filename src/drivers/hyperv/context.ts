import { ArgoError } from '../../kit/errors.js';
import type { DriverHost, PowerState } from '../driver.js';
import type { Effect } from '../wmi/errors.js';
import type { WmiLink } from '../wmi/link.js';
import { DialectFinder } from './dialect.js';
import { VmInventory } from './inventory.js';

export interface ContextParts {
  /** for states and orders */
  readonly control: WmiLink;
  /** for what may take its time: requests of one connection go one after the other */
  readonly readings: WmiLink;
  readonly host: DriverHost;
  readonly closesPrograms: boolean;
  /** The state of a machine, on whichever host it is. @throws ArgoError; the signal's reason */
  stateOf(id: string, signal: AbortSignal): Promise<PowerState>;
}

/** What the machines of a host share. */
export class HyperVContext {
  readonly dialects = new DialectFinder();
  readonly inventory: VmInventory;
  readonly #parts: ContextParts;

  constructor(parts: ContextParts) {
    this.#parts = parts;
    this.inventory = new VmInventory(parts.control, this.dialects);
  }

  get control(): WmiLink {
    return this.#parts.control;
  }

  get readings(): WmiLink {
    return this.#parts.readings;
  }

  get closesPrograms(): boolean {
    return this.#parts.closesPrograms;
  }

  /** As {@link ContextParts.stateOf}: what was begun here may end on another node. */
  stateOf(id: string, signal: AbortSignal): Promise<PowerState> {
    return this.#parts.stateOf(id, signal);
  }

  /** Several calls as one step, with errors in a user's words. @throws ArgoError, or the signal's reason */
  async use<T>(effect: Effect, work: () => Promise<T>): Promise<T> {
    try {
      return await this.control.use(effect, work);
    } catch (error) {
      if (error instanceof ArgoError && error.phrase === 'NO SUCH INSTANCE') this.#parts.host.relist();
      throw error;
    }
  }
}
