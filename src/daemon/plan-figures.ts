import type { Events } from '../instances/events.js';
import { hasEnded, type RunState } from '../instances/plans.js';
import type { Metrics } from '../kit/metrics.js';
import type { PlanEngine } from '../plans/contract.js';

/** Of a run that has not ended. */
const OPEN: readonly RunState[] = ['waiting', 'running', 'asking'];

/** The figures of plans. @param plans undefined where there are none */
export function collectPlanFigures(metrics: Metrics, events: Events, plans: () => PlanEngine | undefined): void {
  metrics.collect('gauge', 'argo_plan_held', 'Whether the plan is held, so that nothing begins it.', function* samples() {
    const engine = plans();
    for (const { name: plan } of engine?.plans() ?? []) yield { labels: { plan }, value: engine?.isHeld(plan) ? 1 : 0 };
  });
  metrics.collect('gauge', 'argo_plan_runs', 'Runs that have not ended, by their state.', function* samples() {
    const engine = plans();
    const states = new Map(engine?.underWay().map(({ plan, state }) => [plan, state]));
    // the run of a plan that was taken away goes on
    const names = new Set([...(engine?.plans() ?? []).map(({ name }) => name), ...states.keys()]);
    for (const plan of names) for (const state of OPEN) yield { labels: { plan, state }, value: states.get(plan) === state ? 1 : 0 };
  });
  countRuns(metrics, events, plans);
}

/** A run's targets count when it has ended: before that what becomes of them may change. */
function countRuns(metrics: Metrics, events: Events, plans: () => PlanEngine | undefined): void {
  const runs = metrics.counter('argo_plan_runs_total', 'Runs of plans that have ended, by how.');
  const targets = metrics.counter('argo_plan_targets_total', 'Targets of runs that have ended, by what became of them.');
  events.listen((facts) => {
    if (facts.type !== 'plan' || facts.stage !== undefined) return;
    const { plan, run, outcome } = facts;
    if (!hasEnded({ state: outcome as RunState })) return;
    runs.add({ plan, outcome });
    plans()?.run(run).then((ended) => ended?.targets.forEach(({ state }) => targets.add({ plan, outcome: state })), () => undefined);
  });
}
