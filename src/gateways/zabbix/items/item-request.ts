import type { Actor } from '../../../instances/actor.js';
import type { ReadCall } from '../../../instances/order.js';

/** What the items' rows are given, and what they answer. */

/** A value before it is put into the words of its item's type. */
export type Answer = string | number | bigint;

/** What an item is read with. */
export interface ItemRequest {
  readonly actor: Actor;
  /** as they are in the key; what is left out is undefined */
  readonly parameters: readonly string[];
  readonly isNumeric: boolean;
  /** how old an answer may be, and how long it may take */
  readonly call: ReadCall;
  /** addresses of the host's interfaces, best first */
  readonly addresses: readonly string[];
  readonly pings: PingAsker;
  /** a figure of the gateway's own */
  figure(name: string): number | undefined;
}

/** How a target is pinged. Milliseconds. */
export interface PingQuestion {
  readonly target: string;
  readonly packets: number;
  readonly interval: number;
  readonly timeout: number;
}

/** What came back: the round trips, milliseconds. */
export interface PingFigures {
  readonly sent: number;
  readonly trips: readonly number[];
}

export interface PingAsker {
  /**
   * @param maxAge milliseconds: who asks the same no longer after is given the same answer
   * @throws ArgoError UNREACHABLE where it cannot be told
   */
  ask(question: PingQuestion, maxAge: number): Promise<PingFigures>;
}
