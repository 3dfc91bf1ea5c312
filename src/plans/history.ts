import type { RunInfo, RunState } from '../instances/plans.js';
import { PLAN_RUNS_KEPT } from '../kit/plan-limits.js';
import type { CountedRun } from '../store/plan-journal.js';

/** The runs that have ended, as far as they are remembered. */
export class History {
  /** by id, oldest first */
  readonly #runs = new Map<string, RunInfo>();

  add(info: RunInfo): void {
    this.#runs.set(info.id, info);
    if (this.#runs.size > PLAN_RUNS_KEPT) this.#runs.delete(this.#oldest());
  }

  values(): Iterable<RunInfo> {
    return this.#runs.values();
  }

  /** As the journal forgets: the last run of a plan goes last. */
  #oldest(): string {
    const last = new Map([...this.#runs.values()].map(({ id, plan }) => [plan, id]));
    for (const { id, plan } of this.#runs.values()) if (last.get(plan) !== id) return id;
    return this.#runs.keys().next().value!;
  }
}

export const infoOfRow = (row: CountedRun): RunInfo => ({
  id: row.id, plan: row.plan, state: row.state as RunState, began: new Date(row.began), ended: row.ended === null ? undefined : new Date(row.ended),
  deadline: row.timeLeft === null ? undefined : new Date(row.noted + row.timeLeft), cause: row.words, reason: row.reason ?? undefined,
  stages: { ended: row.stagesEnded, all: row.stages }, targets: { ended: row.targetsEnded, failed: row.targetsFailed, all: row.targets },
});
