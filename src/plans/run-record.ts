import type { PlanSettings, StageSettings } from '../config/config.js';
import type { InstanceRef } from '../instances/info.js';
import type { ArgoError } from '../kit/errors.js';
import type { RunChange, RunInfo, RunState, StageInfo, StageState, TargetInfo, TargetState } from '../instances/plans.js';
import type { WholeRun } from '../store/plan-journal.js';
import type { Cause } from './contract.js';

/** What is known of one run, as it is told to those who ask. */

export interface TargetRecord {
  readonly stage: number;
  /** its index in the stage */
  readonly index: number;
  readonly ref: InstanceRef;
  /** full name */
  readonly name: string;
  /** it is, or carries, this server */
  readonly isOwn: boolean;
  state: TargetState;
  detail: string;
  /** of a reboot that was sent: what told the boot before it */
  mark: string | undefined;
  /** when it was sent first, in milliseconds since 1970 */
  sent: number | undefined;
  /** what came of the last order of this process that may still take effect */
  atWork: ArgoError | undefined;
}

export interface StageRecord {
  readonly index: number;
  readonly settings: StageSettings;
  state: StageState;
  reason: string | undefined;
  /** names that select nothing although they should */
  missing: number;
  targets: readonly TargetRecord[];
}

const STAGE_ENDS: ReadonlySet<StageState> = new Set<StageState>(['done', 'failed', 'skipped', 'cancelled']);
const TARGET_FAILURES: ReadonlySet<TargetState> = new Set<TargetState>(['failed', 'uncertain']);

export const hasEnded = ({ state }: { readonly state: StageState }): boolean => STAGE_ENDS.has(state);
const isOver = ({ state }: TargetRecord): boolean => state !== 'waiting' && state !== 'sent';
export const hasFailed = ({ state }: { readonly state: TargetState }): boolean => TARGET_FAILURES.has(state);

/** What has changed of a run since it was last asked. */
export interface Dirty {
  run: boolean;
  readonly stages: Set<StageRecord>;
  readonly targets: Set<TargetRecord>;
}

export const emptyDirty = (): Dirty => ({ run: false, stages: new Set(), targets: new Set() });

export interface RunFacts {
  readonly id: string;
  readonly plan: PlanSettings;
  readonly cause: Cause;
  readonly state: RunState;
  readonly began: number;
}

export class RunRecord {
  readonly id: string;
  readonly plan: PlanSettings;
  readonly cause: Cause;
  readonly began: Date;
  readonly stages: readonly StageRecord[];
  state: RunState;
  reason: string | undefined;
  ended: Date | undefined;
  deadline: Date | undefined;
  readonly #watchers = new Set<{ readonly dirty: Dirty; wake(): void }>();
  readonly #counts: { all: number; ended: number; failed: number }[];

  constructor({ id, plan, cause, state, began }: RunFacts) {
    this.id = id;
    this.plan = plan;
    this.cause = cause;
    this.state = state;
    this.began = new Date(began);
    this.stages = plan.stages.map((settings, index) => ({ index, settings, state: 'waiting', reason: undefined, missing: 0, targets: [] }));
    this.#counts = plan.stages.map(() => ({ all: 0, ended: 0, failed: 0 }));
  }

  /** @throws SyntaxError where its settings are no text of ours */
  static of({ run, stages, targets }: WholeRun): RunRecord {
    const { id, source, words, at, began, state, reason, ended, settings, timeLeft, noted } = run;
    const record = new RunRecord({ id, plan: JSON.parse(settings) as PlanSettings, cause: { source, words, at }, state: state as RunState, began });
    record.reason = reason ?? undefined;
    record.ended = ended === null ? undefined : new Date(ended);
    record.deadline = timeLeft === null ? undefined : new Date(noted + timeLeft);
    record.stages.forEach((stage, index) => Object.assign(stage, {
      state: stages[index]?.state as StageState | undefined ?? 'waiting', reason: stages[index]?.reason ?? undefined, missing: stages[index]?.missing ?? 0,
    }));
    const lists = record.stages.map((): TargetRecord[] => []);
    for (const { stage, provider, id: machine, name, isOwn, state: known, detail, mark, sent } of targets) {
      const list = lists[stage]!;
      list.push({
        stage, index: list.length, ref: { provider, id: machine }, name, isOwn: isOwn === 1,
        state: known as TargetState, detail, mark: mark ?? undefined, sent: sent ?? undefined, atWork: undefined,
      });
    }
    lists.forEach((list, stage) => record.setTargets(record.stages[stage]!, list));
    return record;
  }

  get isOver(): boolean {
    return this.ended !== undefined;
  }

  info(): RunInfo {
    const { id, plan, state, began, ended, deadline, cause, reason, stages } = this;
    const targets = { ended: 0, failed: 0, all: 0 };
    for (const one of this.#counts) {
      targets.ended += one.ended;
      targets.failed += one.failed;
      targets.all += one.all;
    }
    return {
      id, plan: plan.name, state, began, ended, deadline, cause: cause.words, reason, targets,
      stages: { ended: stages.filter(hasEnded).length, all: stages.length },
    };
  }

  /** All of it. */
  whole(): RunChange {
    return {
      run: this.info(),
      stages: this.stages.map((stage) => this.#stageInfo(stage)),
      targets: this.stages.flatMap(({ targets }) => targets.map((target) => this.#targetInfo(target))),
    };
  }

  part({ stages, targets }: Dirty): RunChange {
    return {
      run: this.info(),
      stages: [...stages].sort((one, other) => one.index - other.index).map((stage) => this.#stageInfo(stage)),
      targets: [...targets].map((target) => this.#targetInfo(target)),
    };
  }

  /** Its targets from now on. */
  setTargets(stage: StageRecord, targets: readonly TargetRecord[]): void {
    stage.targets = targets;
    this.#counts[stage.index] = { all: targets.length, ended: targets.filter(isOver).length, failed: targets.filter(hasFailed).length };
    this.#touch((dirty) => {
      dirty.stages.add(stage);
      targets.forEach((target) => dirty.targets.add(target));
    });
  }

  setRun(state: RunState, reason: string | undefined, ended?: number): void {
    this.state = state;
    this.reason = reason;
    if (ended !== undefined) this.ended = new Date(ended);
    this.#touch((dirty) => { dirty.run = true; });
  }

  setStage(stage: StageRecord, state: StageState, reason: string | undefined): void {
    stage.state = state;
    stage.reason = reason;
    this.#touch((dirty) => dirty.stages.add(stage));
  }

  setTarget(target: TargetRecord, state: TargetState, detail: string): void {
    const counts = this.#counts[target.stage]!;
    const [wasOver, hadFailed] = [isOver(target), hasFailed(target)];
    target.state = state;
    target.detail = detail;
    counts.ended += Number(isOver(target)) - Number(wasOver);
    counts.failed += Number(hasFailed(target)) - Number(hadFailed);
    this.#touch((dirty) => {
      dirty.stages.add(this.stages[target.stage]!);
      dirty.targets.add(target);
    });
  }

  /** What changes from now on, until it has ended or the signal is aborted. Who takes slowly is told less often, never less. */
  async*changes(signal: AbortSignal): AsyncGenerator<RunChange> {
    let [dirty, wake] = [emptyDirty(), (): void => undefined];
    const watcher = { get dirty() { return dirty; }, wake: () => wake() };
    this.#watchers.add(watcher);
    signal.addEventListener('abort', watcher.wake);
    try {
      while (!signal.aborted) {
        const news = dirty;
        if (news.run || news.stages.size > 0 || news.targets.size > 0) {
          dirty = emptyDirty();
          yield this.part(news);
        } else if (this.isOver) {
          return;
        } else {
          await new Promise<void>((resolve) => { wake = resolve; });
        }
      }
    } finally {
      signal.removeEventListener('abort', watcher.wake);
      this.#watchers.delete(watcher);
    }
  }

  #touch(mark: (dirty: Dirty) => void): void {
    for (const { dirty, wake } of this.#watchers) {
      mark(dirty);
      wake();
    }
  }

  #stageInfo(stage: StageRecord): StageInfo {
    const { settings: { name, action, after }, state, reason, index } = stage;
    return { name, action, after, state, reason, targets: { ...this.#counts[index]! } };
  }

  #targetInfo({ stage, name, state, detail }: TargetRecord): TargetInfo {
    const { settings } = this.stages[stage]!;
    return { stage: settings.name, instance: name, action: settings.action, state, detail };
  }
}
