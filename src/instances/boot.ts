import type { Deadline } from '../kit/deadline.js';
import type { Caller } from './calls.js';
import type { Instance } from './instance.js';

/** Tells one boot of a machine from the next, by a mark that each boot changes: nothing else says that it has restarted. */
export class Boot {
  #mark: string | undefined;
  readonly #instance: Instance;
  readonly #caller: Caller;

  constructor(instance: Instance, caller: Caller) {
    this.#instance = instance;
    this.#caller = { ...caller, isLook: true };
  }

  /** Notes the present one. @throws what the driver throws */
  async note(deadline: Deadline): Promise<void> {
    this.#mark = await this.#read(deadline);
  }

  /** Whether it is another one than was noted; false where none was. @throws what the driver throws */
  async isAnother(deadline: Deadline): Promise<boolean> {
    return this.#mark !== undefined && await this.#read(deadline) !== this.#mark;
  }

  async #read(deadline: Deadline): Promise<string | undefined> {
    const { machine, owner } = this.#instance;
    return machine.bootMark && owner.call(deadline, (signal) => machine.bootMark!(signal), this.#caller);
  }
}
