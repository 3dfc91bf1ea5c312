import type * as v from 'valibot';
import type { Actor } from '../../../instances/actor.js';
import type { RunInfo, StageInfo } from '../../../instances/plans.js';
import { route, type Route } from './route.js';
import * as shapes from './shapes.js';

/** The routes about plans and their runs. */

const RIGHT = 'plan, on all that it names';

const runOf = ({ began, ended, deadline, reason, stages, targets, ...run }: RunInfo): v.InferInput<typeof shapes.run> => ({
  ...run,
  began: began.getTime(),
  ended: ended?.getTime() ?? null,
  deadline: deadline?.getTime() ?? null,
  reason: reason ?? null,
  stages: { ...stages },
  targets: { ...targets },
});

const stageOf = ({ after, reason, targets, ...stage }: StageInfo): v.InferInput<typeof shapes.wholeRun>['stages'][number] => ({ ...stage, after: [...after], reason: reason ?? null, targets: { ...targets } });

async function preview(actor: Actor, plan: string, signal: AbortSignal): Promise<v.InferInput<typeof shapes.steps>['steps']> {
  const steps = [];
  for await (const { stage, instance, state, words, isRefused } of actor.plans.preview(plan, signal)) {
    steps.push({ stage, instance: instance ?? null, state: state ?? null, words, refused: isRefused });
  }
  return steps;
}

export const PLAN_ROUTES: readonly Route[] = [
  route({
    method: 'GET', path: '/plans', summary: 'The plans that one may use, and what begins them', right: RIGHT, answer: shapes.plans,
    run: async ({ actor: { plans } }) => ({
      plans: (await plans.list()).map(({ name, isHeld, run }) => ({ name, held: isHeld, run: run === undefined ? null : runOf(run) })),
      triggers: (await plans.triggers()).map((trigger) => ({ ...trigger, plans: [...trigger.plans] })),
    }),
  }),
  route({
    method: 'GET', path: '/plans/{name}/preview', summary: 'What a run would do now; nothing is sent', right: RIGHT, answer: shapes.steps,
    run: async ({ actor, names: [name], signal }) => ({ steps: await preview(actor, name!, signal) }),
  }),
  ...(['run', 'runs'] as const).map((word) => route({
    method: 'POST', path: `/plans/{name}/${word}`, summary: word === 'run' ? 'Begins a run, unless one runs' : 'The same as run', right: RIGHT, body: shapes.noBody, status: 202, answer: shapes.oneRun,
    run: async ({ actor, names: [name] }) => ({ run: runOf(await actor.plans.run(name!)) }),
  })),
  ...(['hold', 'release'] as const).map((word) => route({
    method: 'POST', path: `/plans/{name}/${word}`, summary: word === 'hold' ? 'Nothing begins it from now on' : 'It may begin again', right: RIGHT, body: shapes.noBody, answer: shapes.heldAnswer,
    run: async ({ actor, names: [name] }) => {
      await actor.plans[word](name!);
      return { plan: name!, held: word === 'hold' };
    },
  })),
  route({
    method: 'GET', path: '/runs', summary: 'Runs that are remembered, newest first', right: RIGHT, answer: shapes.runs,
    run: async ({ actor }) => ({ runs: (await actor.plans.runs()).map(runOf) }),
  }),
  route({
    method: 'GET', path: '/runs/{id}', summary: 'A run with its stages and targets', right: RIGHT, answer: shapes.wholeRun,
    run: async ({ actor, names: [id] }) => {
      const { run, stages, targets } = await actor.plans.status(id!);
      return { run: runOf(run), stages: stages.map(stageOf), targets: [...targets] };
    },
  }),
  route({
    method: 'POST', path: '/runs/{id}/cancel', summary: 'No further order of it is sent; undo runs the plan\'s undo then', right: RIGHT, body: shapes.cancelRequest, answer: shapes.cancelled,
    run: async ({ actor, names: [id], body }) => {
      const { cancelled, undo } = await actor.plans.cancel(id!, body);
      return { run: runOf(cancelled), undo: undo === undefined ? null : runOf(undo) };
    },
  }),
  route({
    method: 'POST', path: '/runs/{id}/resume', summary: 'Lets one go on that asks', right: RIGHT, body: shapes.noBody, answer: shapes.oneRun,
    run: async ({ actor, names: [id] }) => ({ run: runOf(await actor.plans.resume(id!)) }),
  }),
];
