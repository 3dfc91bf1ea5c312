import type { PowerOrder } from './order.js';

/** `sent`: under way. `already`: it was so before. `uncertain`: nobody knows what became of the order. */
export type OrderTargetState = 'waiting' | 'sent' | 'done' | 'already' | 'failed' | 'uncertain' | 'cancelled';

export interface OrderTarget {
  /** full name */
  readonly instance: string;
  readonly state: OrderTargetState;
  /** of one that did not end well: the phrase with its detail; else empty */
  readonly detail: string;
}

/** One power action on many, which goes on when the request that began it is over. `unknown`: the server ended while it was under way. */
export interface OrderTask {
  /** random */
  readonly id: string;
  /** as the audit names it */
  readonly account: string;
  readonly action: PowerOrder['action'];
  readonly mode: PowerOrder['mode'];
  readonly state: 'running' | 'done' | 'failed' | 'cancelled' | 'unknown';
  /** milliseconds since 1970 */
  readonly began: number;
  readonly ended: number | undefined;
  readonly targets: readonly OrderTarget[];
}
