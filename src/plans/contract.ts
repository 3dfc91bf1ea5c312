import type { PlanSettings } from '../config/config.js';
import type { Actor } from '../instances/actor.js';
import type { InstanceInfo } from '../instances/info.js';
import type { RunChange, RunInfo } from '../instances/plans.js';

/** What begins plans and what they are handed, between the parts of this room. */

/** Why a run is begun. */
export interface Cause {
  /** who or what, so that the same one can take it back: `trigger ups`, `account kim` */
  readonly source: string;
  /** in words, for people: `trigger ups: low-battery (charge 18 %)` */
  readonly words: string;
  /** wall clock, in milliseconds since 1970: the run's time-limit counts from here */
  readonly at: number;
}

/** `held`: somebody has held the plan. `runs`: it runs already, and that run is named. */
export type Begun = { readonly result: 'begun' | 'runs'; readonly run: string } | { readonly result: 'held' };

/** What triggers ask for. */
export interface PlanStarter {
  /**
   * Begins a run, on the disk when it resolves. One that runs already is not begun again, one that is
   * held is not begun at all.
   * @throws ArgoError AUDIT UNAVAILABLE and the like where it could not be written down: try again
   */
  begin(plan: string, cause: Cause): Promise<Begun>;
  /**
   * The cause is known to be gone: runs that this source has begun take no further target; what was sent is not
   * undone. Where some run of this source has stopped something that was not started again since, `then` is
   * begun (or the cancelled plan's own `undo` where it is left out).
   */
  causeGone(source: string, words: string, then: string | undefined): Promise<void>;
}

/** One configured trigger. */
export interface Trigger {
  /** Ends its timers and connections. Never rejects. */
  close(): Promise<void>;
  /** What it knows now, in a line for people: `on-line, charge 98 %`, `silent since 12:03`, `next 2026-11-30T22:30:00+01:00` */
  describe(): string;
}

/** What a stage of a plan selects at this moment. */
export interface StageTargets {
  readonly stage: string;
  readonly targets: readonly InstanceInfo[];
  /** why a word selects nothing, or not all: `NO MATCH: web*`, `stale: kvm1 (reason)` */
  readonly remarks: readonly string[];
}

/** What the desk asks of the engine, by ids of runs and names of plans whose askers it has checked. */
export interface PlanEngine extends PlanStarter {
  plan(name: string): PlanSettings | undefined;
  plans(): readonly PlanSettings[];
  /** the plan's own account at work @param origin for the audit */
  actor(plan: PlanSettings, origin: string): Actor;
  /** What each stage selects now, with the server's own host moved to the end. @throws ArgoError UNREACHABLE … */
  targets(plan: PlanSettings): Promise<readonly StageTargets[]>;
  /** those that have not ended */
  underWay(): readonly RunInfo[];
  /** all that are remembered, newest first */
  runs(): Promise<readonly RunInfo[]>;
  /** undefined where none is remembered under this id */
  run(id: string): Promise<RunChange | undefined>;
  /** What changes of a run from now on, until it has ended or the signal is aborted. */
  changes(id: string, signal: AbortSignal): AsyncIterable<RunChange>;
  /** @param words why, for people @throws ArgoError WRONG STATE where it has ended */
  cancel(id: string, words: string): Promise<RunInfo>;
  /** Lets one that is `asking` go on. @throws ArgoError WRONG STATE */
  resume(id: string): Promise<RunInfo>;
  isHeld(plan: string): boolean;
  hold(plan: string): Promise<void>;
  release(plan: string): Promise<void>;
}
