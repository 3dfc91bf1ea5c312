import type { PowerState } from '../drivers/driver.js';
import type { PowerAction } from './operation-table.js';
import type { Identity, Permission } from './principal.js';

/**
 * Plans as those see them who ask for them: many machines switched in a certain order. What plans are and
 * how they run is in src/plans; it is handed to the gate as a {@link PlanDesk}, so that an actor can offer
 * it to commands and gateways.
 */

/** `asking`: cut off by a restart, and waits for somebody to say whether it goes on. `unknown`: cut off, and dropped. */
export type RunState = 'waiting' | 'running' | 'asking' | 'done' | 'failed' | 'cancelled' | 'unknown';
export type StageState = 'waiting' | 'pausing' | 'running' | 'settling' | 'done' | 'failed' | 'skipped' | 'cancelled';
/** `sent`: under way. `already`: it was so before. `uncertain`: nobody knows what became of the order. */
export type TargetState = 'waiting' | 'sent' | 'done' | 'already' | 'failed' | 'uncertain' | 'skipped';

/** One run of a plan, in figures. */
export interface RunInfo {
  /** eight hex digits */
  readonly id: string;
  readonly plan: string;
  readonly state: RunState;
  readonly began: Date;
  readonly ended: Date | undefined;
  /** when its time is over, where the plan has a time-limit */
  readonly deadline: Date | undefined;
  /** who or what began it, in words: `kim`, `trigger ups: low-battery` */
  readonly cause: string;
  /** why it ended other than well, or what it waits for; in words */
  readonly reason: string | undefined;
  /** stages that have ended, and all */
  readonly stages: { readonly ended: number; readonly all: number };
  /** targets that have ended, those of them that failed or are uncertain, and all that are known by now */
  readonly targets: { readonly ended: number; readonly failed: number; readonly all: number };
}

export interface StageInfo {
  readonly name: string;
  readonly action: PowerAction;
  readonly state: StageState;
  /** names of the stages that it waits for */
  readonly after: readonly string[];
  readonly reason: string | undefined;
  readonly targets: RunInfo['targets'];
}

export interface TargetInfo {
  readonly stage: string;
  /** full name */
  readonly instance: string;
  readonly action: PowerAction;
  readonly state: TargetState;
  /** of one that failed or is uncertain: the phrase with its detail; else empty */
  readonly detail: string;
}

/** A run, or what has changed of it. */
export interface RunChange {
  readonly run: RunInfo;
  readonly stages: readonly StageInfo[];
  readonly targets: readonly TargetInfo[];
}

/** A plan and what it does now. */
export interface PlanInfo {
  readonly name: string;
  /** true: nothing begins it until it is released */
  readonly isHeld: boolean;
  /** the run that has not ended, or the last one */
  readonly run: RunInfo | undefined;
}

/** What begins plans by itself, and what it knows now. */
export interface TriggerInfo {
  readonly name: string;
  /** `nut`, `schedule`, `command`, `event` */
  readonly type: string;
  /** those that it begins, each once */
  readonly plans: readonly string[];
  /** for people: `rack1: on line, OL, charge 98 %`, `next 2026-11-30T22:30:00+01:00` */
  readonly words: string;
}

/** One line of a dry run. */
export interface PlanStep {
  readonly stage: string;
  /** full name; undefined where it is about the whole stage: `nothing is selected`, `after workers` */
  readonly instance: string | undefined;
  readonly state: PowerState | undefined;
  /** what would be done, in words, or why nothing would: a phrase with its detail */
  readonly words: string;
  readonly isRefused: boolean;
}

/**
 * What may be asked for about plans. An account knows of a plan, and may use it, where it has the right
 * `plan`, or the word `plan:NAME`, on every instance that the plan names at that time and that the
 * plan's own account sees. One that it may not use is as one that is not there.
 */
export interface Plans {
  list(): Promise<readonly PlanInfo[]>;
  /** The triggers all of whose plans may be used. */
  triggers(): Promise<readonly TriggerInfo[]>;
  /** What a run would do now, stage by stage. Nothing is sent. @throws ArgoError NO SUCH PLAN, UNREACHABLE … */
  preview(plan: string, signal: AbortSignal): AsyncIterable<PlanStep>;
  /**
   * Begins a run; on the disk when it resolves. One that runs already is not begun again.
   * @throws ArgoError NO SUCH PLAN, WRONG STATE (held, runs already), BUSY, AUDIT UNAVAILABLE
   */
  run(plan: string): Promise<RunInfo>;
  /** Runs that are remembered, newest first. */
  runs(): Promise<readonly RunInfo[]>;
  /** @param run its id, or a plan's name for its last one @throws ArgoError NO SUCH PLAN, NO SUCH RUN */
  status(run: string): Promise<RunChange>;
  /**
   * All of it first, then what changes, until it has ended or the signal is aborted; while nothing does, the run
   * alone now and then. Take it as you can: what comes meanwhile is told in its newest form, once.
   * @throws ArgoError as `status`, also later: when the plan may not be used any more; SHUTTING DOWN where the server ends before the run
   */
  follow(run: string, signal: AbortSignal): AsyncIterable<RunChange>;
  /**
   * No further order is sent; what was sent is not undone.
   * @param undo runs the plan's `undo` then, which has to be a plan that may be used, too
   * @throws ArgoError as `status`; WRONG STATE where it has ended, or there is no `undo`, or that is held
   */
  cancel(run: string, options: { readonly undo: boolean }): Promise<Cancelled>;
  /** Lets one that is `asking` go on. @throws ArgoError as `status`, WRONG STATE */
  resume(run: string): Promise<RunInfo>;
  /** Nothing begins it from now on, also after a restart. A run under way goes on. @throws ArgoError NO SUCH PLAN */
  hold(plan: string): Promise<void>;
  release(plan: string): Promise<void>;
}

/** What became of a run that was cancelled, and the run that undoes it, where that was asked for. */
export interface Cancelled {
  readonly cancelled: RunInfo;
  readonly undo: RunInfo | undefined;
}

/** Who asks, and from where: address and gateway, for the log. */
export interface PlanAsker {
  readonly identity: Identity;
  readonly origin: string;
}

/** The same, asked by somebody: what src/plans offers to the gate. */
export type PlanDesk = {
  readonly [Name in keyof Plans]: (asker: PlanAsker, ...args: Parameters<Plans[Name]>) => ReturnType<Plans[Name]>;
} & {
  /** Whether somebody may be told of a plan now: by the grants of this moment, and by what it named within the last second. Never rejects. */
  readonly mayKnow: (asker: PlanAsker, plan: string) => Promise<boolean>;
};

/** The use of one plan, as grants see it. Their words are compared in lower case. */
export const planPermission = (plan: string): Permission => ({ word: `plan:${plan.toLowerCase()}`, right: 'plan' });

/** Whether a run is over. */
export const hasEnded = ({ state }: Pick<RunInfo, 'state'>): boolean => state === 'done' || state === 'failed' || state === 'cancelled' || state === 'unknown';
