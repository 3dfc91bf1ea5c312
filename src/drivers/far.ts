import type { PowerState } from './power-state.js';

/**
 * A machine that stands behind another argo-server. That one has a gate of its own, which carries an action out as a
 * whole: the turn, the deadline, the verification and the audit there are not ours. So an action on such a machine is one
 * call, and what comes of it is the other gate's word.
 */

/** A power action, as the gate is asked for it. */
export interface FarOrder {
  readonly action: string;
  readonly mode: 'soft' | 'hard' | { readonly softFor: number };
  readonly wait: boolean | number;
}

/** How it ended well. */
export interface FarOutcome {
  readonly result: 'done' | 'already';
  readonly before: PowerState;
  readonly after: PowerState;
  readonly verified: boolean;
  /** whether it was told as it ended: where its answer had been lost, the machine may have gone on since */
  readonly isRecent: boolean;
}

/** A change of a setting, as the gate is asked for it. */
export interface FarChange {
  readonly operation: 'autostart';
  readonly value: boolean;
}

export interface FarCall {
  /** on whose behalf, for the audit there */
  readonly account: string;
  /** from where that one asked, for the audit there */
  readonly from: string;
  /** milliseconds, where the caller said so */
  readonly deadline?: number | undefined;
  /** milliseconds that the action may take, where nobody says */
  readonly actionTimeout: number;
  /** aborted: what is not sent is not sent, and the other gate is told that nobody waits any longer */
  readonly signal: AbortSignal;
  /** told in a word what the other gate does just now: `verifying` */
  doing?(words: string): void;
}

/** The other gate, for one machine. */
export interface FarGate {
  /** where it is, for people: `site berlin` */
  readonly place: string;
  /**
   * @throws ArgoError: UNREACHABLE where it is certain that nothing was begun; UNCERTAIN where nobody can say; else as the
   *   other gate has answered
   */
  power(order: FarOrder, call: FarCall): Promise<FarOutcome>;
  /** Changes a setting. @throws ArgoError as {@link power} */
  change(change: FarChange, call: FarCall): Promise<Pick<FarOutcome, 'result'>>;
  /** What the action would do, in words. Nothing is sent to the machine. @throws ArgoError */
  plan(order: FarOrder, call: Omit<FarCall, 'doing'>): Promise<string>;
}
