import { PLAN_TARGETS_WRITTEN } from '../kit/plan-limits.js';
import type { AskState } from './tasks.js';

/**
 * What runs of plans have done, so that one that was cut off can go on: run, stages, targets. A target's
 * `sent` is on the disk before its order goes out. It is no list of tasks (tasks.ts): a task that was cut off is
 * `unknown`, while a run of a plan goes on. Times are milliseconds since 1970; states and what is in texts are the caller's.
 */

export interface NewRun {
  readonly id: string;
  readonly plan: string;
  readonly state: string;
  readonly reason: string | undefined;
  readonly cause: { readonly source: string; readonly words: string; readonly at: number };
  readonly began: number;
  /** of the plan, as a text */
  readonly settings: string;
  readonly stages: number;
  /** milliseconds of its time-limit that are left */
  readonly left: number | undefined;
}

export interface RunRow {
  readonly id: string;
  readonly plan: string;
  readonly state: string;
  readonly reason: string | null;
  readonly source: string;
  readonly words: string;
  readonly at: number;
  readonly began: number;
  readonly ended: number | null;
  /** milliseconds of its time-limit that were left at `noted` */
  readonly timeLeft: number | null;
  readonly noted: number;
}

export interface CountedRun extends RunRow {
  readonly targets: number;
  readonly targetsEnded: number;
  readonly targetsFailed: number;
  readonly stages: number;
  readonly stagesEnded: number;
}

export interface StageRow {
  readonly state: string;
  readonly reason: string | null;
  /** names of its words that select nothing although they should */
  readonly missing: number;
}

export interface TargetRow {
  /** its index */
  readonly stage: number;
  readonly provider: string;
  readonly id: string;
  /** full name */
  readonly name: string;
  readonly isOwn: number;
  readonly state: string;
  readonly detail: string;
  /** of a reboot: what tells the boot before it from the next one */
  readonly mark: string | null;
  readonly sent: number | null;
}

/** Everything of one run. */
export interface WholeRun {
  readonly run: RunRow & { readonly settings: string };
  readonly stages: readonly StageRow[];
  readonly targets: readonly TargetRow[];
}

/** A machine that a run of a plan has switched off and no plan has started since. */
export interface Owed {
  readonly plan: string;
  readonly provider: string;
  readonly id: string;
  /** full name */
  readonly name: string;
  /** the cause's */
  readonly source: string;
}

export interface RunNote {
  readonly state: string;
  readonly reason: string | undefined;
  readonly ended: number | undefined;
  readonly left: number | undefined;
  readonly now: number;
  /** every stage has had its turn: what earlier runs of the plan switched off and this one did not look at is forgotten */
  readonly isComplete?: boolean;
}

/** Which one: run, index of the stage, index of the target. */
export type TargetKey = readonly [run: string, stage: number, target: number];

export interface Settled {
  readonly state: string;
  readonly detail: string;
  /** `owed`: the run has switched it off. `paid`: it was started */
  readonly debt: 'owed' | 'paid' | 'none';
  readonly left: number | undefined;
  readonly now: number;
}

export interface NewTarget {
  readonly provider: string;
  readonly id: string;
  readonly name: string;
  readonly isOwn: boolean;
}

/** At most PLAN_RUNS_KEPT runs: further ones push out the oldest that have ended. All may throw StateError. */
export interface PlanJournal {
  /** On the disk when it resolves, as everything else that is written here. */
  begin(run: NewRun): Promise<void>;
  noteRun(id: string, note: RunNote): Promise<void>;
  noteStage(
    run: string,
    stage: number,
    row: { readonly state: string; readonly reason: string | undefined; readonly missing: number },
  ): Promise<void>;
  /** All targets of a stage, in place of those that there may be. */
  setTargets(run: string, stage: number, targets: readonly NewTarget[]): Promise<void>;
  sent(
    key: TargetKey,
    facts: { readonly mark: string | undefined; readonly left: number | undefined; readonly now: number },
  ): Promise<void>;
  settled(key: TargetKey, facts: Settled): Promise<void>;
  /** Those of a stage that are in a state. Where `owes`, those that were on count as switched off by the run. */
  settleAll(
    run: string,
    stage: number,
    from: string,
    facts: { readonly state: string; readonly detail: string; readonly owes: boolean; readonly now: number },
  ): Promise<void>;
  /** Newest first. */
  list(): Promise<readonly CountedRun[]>;
  get(id: string): Promise<WholeRun | undefined>;
  owed(): Promise<readonly Owed[]>;
}

export function planJournal(ask: AskState): PlanJournal {
  const write = async (operation: string, ...args: Parameters<AskState>[1]): Promise<void> => void await ask(operation, args, true);
  const read = async <T>(operation: string, ...args: Parameters<AskState>[1]): Promise<T> => await ask(operation, args, false) as T;
  return {
    begin: ({ id, plan, state, reason, cause, began, settings, stages, left }) =>
      write('plan.begin', stages, id, plan, state, reason ?? null, cause.source, cause.words, whole(cause.at), began, settings, whole(left), began),
    noteRun: (id, { state, reason, ended, left, now, isComplete = false }) =>
      write('plan.run', id, isComplete ? 1 : 0, state, reason ?? null, ended ?? null, whole(left), now),
    noteStage: (run, stage, { state, reason, missing }) => write('plan.stage', run, stage, state, reason ?? null, missing),
    setTargets: async (run, stage, targets) => {
      for (let from = 0; from === 0 || from < targets.length; from += PLAN_TARGETS_WRITTEN) {
        await write('plan.targets', run, stage, from, JSON.stringify(targets.slice(from, from + PLAN_TARGETS_WRITTEN)
          .map(({ provider, id, name, isOwn }) => [provider, id, name, isOwn ? 1 : 0])));
      }
    },
    sent: (key, { mark, left, now }) => write('plan.sent', ...key, mark ?? null, whole(left), now),
    settled: (key, { state, detail, debt, left, now }) => write('plan.settled', ...key, state, detail, debt, whole(left), now),
    settleAll: (run, stage, from, { state, detail, owes, now }) => write('plan.settleAll', run, stage, from, state, detail, owes ? 1 : 0, now),
    list: () => read('plan.list'),
    get: async (id) => {
      const whole = await read<Omit<WholeRun, 'targets'> & { readonly targets: string } | undefined>('plan.get', id);
      return whole && { ...whole, targets: (JSON.parse(whole.targets) as TargetValues[]).map(targetOf) };
    },
    owed: () => read('plan.owed'),
  };
}

/** A target as the file hands it over: of thousands the names of the columns would be most of the text. */
type TargetValues = readonly [number, string, string, string, number, string, string, string | null, number | null];

const targetOf = ([stage, provider, id, name, isOwn, state, detail, mark, sent]: TargetValues): TargetRow => ({
  stage,
  provider,
  id,
  name,
  isOwn,
  state,
  detail,
  mark,
  sent,
});

/** SQLite keeps a fraction in a column of whole numbers as a fraction. */
const whole = (ms: number | undefined): number | null => (ms === undefined ? null : Math.round(ms));
