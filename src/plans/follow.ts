import { setTimeout as sleep } from 'node:timers/promises';
import { hasEnded, type RunChange, type RunInfo, type StageInfo, type TargetInfo } from '../instances/plans.js';
import { Sleepers } from '../kit/bell.js';
import { WATCH_IDLE } from '../kit/limits.js';
import { PLAN_FOLLOW_GATHER } from '../kit/plan-limits.js';
import type { PlanEngine } from './contract.js';

const keyOf = ({ stage, instance }: TargetInfo): string => `${stage}\0${instance}`;

const isSame = (one: StageInfo | TargetInfo, other: StageInfo | TargetInfo | undefined): boolean => JSON.stringify(one) === JSON.stringify(other);

/**
 * What has changed of a run and was not taken yet: of each part its newest form, so that one who takes
 * slowly costs no more than the run has parts.
 */
class Gathered {
  #run: RunInfo | undefined;
  #stages = new Map<string, StageInfo>();
  #targets = new Map<string, TargetInfo>();
  readonly #taker = new Sleepers();
  /** nothing more will come */
  isOver = false;
  failure: { readonly reason: unknown } | undefined;

  /** Takes in what comes until it ends. Never rejects. */
  async takeIn(changes: AsyncIterable<RunChange>): Promise<void> {
    try {
      for await (const { run, stages, targets } of changes) {
        this.#run = run;
        for (const stage of stages) this.#stages.set(stage.name, stage);
        for (const target of targets) this.#targets.set(keyOf(target), target);
        this.#taker.wakeAll();
      }
    } catch (reason) {
      this.failure = { reason };
    }
    this.isOver = true;
    this.#taker.wakeAll();
  }

  take(): RunChange | undefined {
    const run = this.#run;
    if (run === undefined) return undefined;
    const change = { run, stages: [...this.#stages.values()], targets: [...this.#targets.values()] };
    this.#run = undefined;
    this.#stages = new Map();
    this.#targets = new Map();
    return change;
  }

  /** Resolves when there is something to take or nothing will come, after so many milliseconds, or when the signal is aborted. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (this.#run === undefined && !this.isOver) await this.#taker.sleep(signal, ms);
  }
}

/** The stages and targets of a run in the form in which they were told. */
class Told {
  readonly #parts = new Map<string, StageInfo | TargetInfo>();

  note(change: RunChange): RunChange {
    for (const stage of change.stages) this.#parts.set(stage.name, stage);
    for (const target of change.targets) this.#parts.set(keyOf(target), target);
    return change;
  }

  /** What of a run was not told in this form. */
  missingOf({ run, stages, targets }: RunChange): RunChange {
    return {
      run,
      stages: stages.filter((stage) => !isSame(stage, this.#parts.get(stage.name))),
      targets: targets.filter((target) => !isSame(target, this.#parts.get(keyOf(target)))),
    };
  }
}

/**
 * All of a run, then what changes, until it has ended or the signal is aborted. While nothing changes,
 * the run alone is told now and then.
 * @param permit throws where the one who follows may not be told any more
 * @param signal has to be aborted when nobody follows any longer
 */
export async function* followRun(engine: PlanEngine, id: string, permit: () => Promise<void>, signal: AbortSignal): AsyncGenerator<RunChange> {
  const gathered = new Gathered();
  const told = new Told();
  // begun first: what changes while the beginning is read is not missed
  void gathered.takeIn(engine.changes(id, signal));
  for (let change = await engine.run(id); change !== undefined && !signal.aborted;) {
    await permit();
    yield told.note(change);
    if (hasEnded(change.run)) {
      // what was told before may have been overtaken by what the engine said meanwhile
      const last = await engine.run(id);
      const missing = last && told.missingOf(last);
      if (missing && missing.stages.length + missing.targets.length > 0) yield missing;
      return;
    }
    await gathered.wait(WATCH_IDLE, signal);
    if (!gathered.isOver && !signal.aborted) await sleep(PLAN_FOLLOW_GATHER, undefined, { signal }).catch(() => undefined);
    if (gathered.failure) throw gathered.failure.reason;
    change = gathered.take() ?? await quiet(engine, id, gathered.isOver);
  }
}

/** Nothing was said for a while, or nothing will be: how it stands. */
async function quiet(engine: PlanEngine, id: string, isOver: boolean): Promise<RunChange | undefined> {
  const found = await engine.run(id);
  if (found === undefined || (isOver && !hasEnded(found.run))) return undefined;
  return { run: found.run, stages: [], targets: [] };
}
