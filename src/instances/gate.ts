import type { Groups } from '../kit/patterns.js';
import { GateActor, type Actor } from './actor.js';
import { Operations, type OperationsParts } from './operations.js';
import type { Mandate, Permission, Principal } from './principal.js';

/** What the gate is made of. */
export interface GateParts extends OperationsParts {
  /** of the configuration as it is now */
  groups(): Groups;
  /** connections of one account that may watch events; none where it is left out */
  maxWatchersPerAccount?(): number;
}

/** Hands out actors. */
export class Gate {
  readonly #parts: GateParts;
  readonly #operations: Operations;

  constructor(parts: GateParts) {
    this.#parts = parts;
    this.#operations = new Operations(parts);
  }

  /**
   * @returns the actor; what ends its readings because nobody is left to be told; and what ends it: whoever
   *   kept it can do nothing from then on
   */
  actor(mandate: Mandate): { actor: Actor; endReadings: (reason: Error) => void; end: () => void } {
    const { registry, groups, maxWatchersPerAccount = () => 0 } = this.#parts;
    const actor = new GateActor({ registry, operations: this.#operations, mandate, groups, maxWatchersPerAccount });
    return { actor, endReadings: (reason) => GateActor.endReadings(actor, reason), end: () => GateActor.end(actor) };
  }

  /** Whether a principal may use a command on some provider as a whole. */
  allowsOnSomeProvider(principal: Principal, permission: Permission): boolean {
    return this.#parts.registry.providers().some(({ name }) => principal.allowsProvider(name, permission));
  }

  /** Milliseconds that a power action may take on whichever provider gives most, where the caller says nothing. */
  get longestActionTimeout(): number {
    return this.#parts.registry.providers().reduce((most, { actionTimeout }) => Math.max(most, actionTimeout ?? 0), this.#parts.actionTimeout());
  }

  /**
   * Takes no further power actions and waits for those that run; those that run longer are told to end.
   * @param ms how long they may go on
   * @param last milliseconds after that in which they have to say what is known
   */
  drain(ms: number, last: number): Promise<void> {
    return this.#operations.drain(ms, last);
  }

  /** Ends what runs at once. @param ms in which that has to be recorded */
  hurry(ms: number): Promise<void> {
    return this.#operations.hurry(ms);
  }

  /** To be called when grants have changed: what somebody waits for and may not do any longer is ended. */
  review(): void {
    this.#operations.review();
  }
}
