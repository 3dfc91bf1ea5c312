import { ArgoError } from '../kit/errors.js';
import { quoted } from '../kit/text.js';
import { hasEnded, type PlanInfo, type PlanStep, type RunChange, type RunInfo, type StageInfo, type TargetInfo, type TriggerInfo } from '../instances/plans.js';
import type { Context, Plugin } from './host/contract.js';

const pair = (key: string, value: string | number | undefined): string => (value === undefined ? '' : ` ${key}=${typeof value === 'number' ? value : quoted(value)}`);
const timed = (key: string, time: Date | undefined): string => (time === undefined ? '' : ` ${key}=${time.toISOString()}`);
const failed = (count: number): string => (count === 0 ? '' : ` failed=${count}`);

/** Time since the beginning, or up to the end: `00:01:12`. */
function clock({ began, ended }: RunInfo): string {
  const seconds = Math.max(0, Math.floor(((ended?.getTime() ?? Date.now()) - began.getTime()) / 1000));
  return [seconds / 3600, seconds / 60 % 60, seconds % 60].map((part) => String(Math.floor(part)).padStart(2, '0')).join(':');
}

function planLine({ name, isHeld, run }: PlanInfo): string {
  if (run === undefined) return `${quoted(name)} ${isHeld ? 'held' : 'idle'}`;
  if (hasEnded(run)) return `${quoted(name)} ${isHeld ? 'held' : 'idle'} last=${run.state} run=${run.id}${timed('ended', run.ended)}`;
  const { stages, targets } = run;
  return `${quoted(name)} ${run.state} stage ${stages.ended}/${stages.all} ${targets.ended}/${targets.all} ${clock(run)} run=${run.id}${failed(targets.failed)}${isHeld ? ' held=yes' : ''}`;
}

const triggerLine = ({ name, type, plans, words }: TriggerInfo): string => `${quoted(name)} ${type}${pair('plans', plans.join(','))}${pair('now', words)}`;

function runLine({ id, plan, state, began, deadline, ended, cause, reason, stages, targets }: RunInfo): string {
  const counts = `stages=${stages.ended}/${stages.all} targets=${targets.ended}/${targets.all}${failed(targets.failed)}`;
  return `run ${id} ${quoted(plan)} ${state}${timed('began', began)}${timed('deadline', deadline)}${timed('ended', ended)} ${counts}${pair('cause', cause)}${pair('reason', reason)}`;
}

const stageLine = ({ name, state, targets, after, reason }: StageInfo): string =>
  `stage ${quoted(name)} ${state} ${targets.ended}/${targets.all}${failed(targets.failed)}${after.length > 0 ? pair('after', after.join(',')) : ''}${pair('reason', reason)}`;

const targetLine = ({ stage, instance, action, state, detail }: TargetInfo): string =>
  `target ${quoted(stage)} ${quoted(instance)} ${action} ${state}${detail === '' ? '' : ` ${quoted(detail)}`}`;

function* linesOf({ run, stages, targets }: RunChange): Generator<string> {
  yield runLine(run);
  for (const stage of stages) yield stageLine(stage);
  for (const target of targets) yield targetLine(target);
}

const stepLine = ({ stage, instance, words }: PlanStep): string => `${quoted(stage)}${instance === undefined ? '' : ` ${quoted(instance)}`}: ${words}`;

/** How a run that has ended is answered for. @throws ArgoError where it did not end well */
function answerFor({ state, reason, targets }: RunInfo): void {
  if (state === 'unknown') throw new ArgoError('UNCERTAIN', reason ?? 'it was cut off');
  if (state === 'cancelled') throw new ArgoError('FAILED', reason ?? 'cancelled');
  if (targets.failed > 0) throw new ArgoError('FAILED', `${targets.failed} of ${targets.all}`);
  if (state === 'failed') throw new ArgoError('FAILED', reason ?? '');
}

/** What a run would do now. */
async function preview(request: Context, plan: string): Promise<void> {
  const steps = { all: 0, refused: 0 };
  for await (const step of request.actor.plans.preview(plan, request.signal)) {
    if (step.instance !== undefined) steps.all += 1;
    if (step.isRefused) steps.refused += 1;
    await request.body.lines([stepLine(step)]);
  }
  if (steps.refused > 0) throw new ArgoError('FAILED', `${steps.refused} of ${steps.all}`);
}

/** A run as it stands and goes on, until it has ended or the client does something else. */
async function follow(request: Context, run: string): Promise<void> {
  const ends = AbortSignal.any([request.interrupted, request.signal]);
  let last: RunInfo | undefined;
  for await (const change of request.actor.plans.follow(run, ends)) {
    last = change.run;
    await request.body.lines(linesOf(change));
  }
  if (last !== undefined && hasEnded(last)) answerFor(last);
}

async function begin(request: Context, plan: string): Promise<void> {
  const { dryRun, follow: follows } = request.options;
  if (dryRun) return preview(request, plan);
  const run = await request.actor.plans.run(plan);
  request.body.line(runLine(run));
  if (follows) await follow(request, run.id);
}

async function status(request: Context, run: string | undefined): Promise<void> {
  const { actor: { plans }, body, options } = request;
  if (run === undefined) return body.lines((await plans.runs()).map(runLine));
  if (options.follow) return follow(request, run);
  return body.lines(linesOf(await plans.status(run)));
}

async function cancel(request: Context, run: string): Promise<void> {
  const { cancelled, undo } = await request.actor.plans.cancel(run, { undo: request.options.undo });
  request.body.line(runLine(cancelled));
  if (undo) request.body.line(runLine(undo));
  request.remark('no further order is sent; what was sent stays sent');
}

/** Which options each of its words takes. */
const OPTIONS = {
  run: ['dryRun', 'follow'], status: ['follow'], cancel: ['undo'], resume: [], hold: [], release: [], triggers: [],
} as const satisfies Readonly<Record<string, readonly (keyof Context['options'])[]>>;
type Word = keyof typeof OPTIONS;
const WORDS = Object.keys(OPTIONS) as Word[];

async function act(request: Context, word: Word, name: string | undefined): Promise<void> {
  const { actor: { plans }, body, options } = request;
  if ((['dryRun', 'follow', 'undo'] as const).some((option) => options[option] && !(OPTIONS[word] as readonly string[]).includes(option))) request.usage();
  if (word === 'status') {
    if (options.follow && name === undefined) request.usage();
    return status(request, name);
  }
  if (word === 'triggers') return name === undefined ? body.lines((await plans.triggers()).map(triggerLine)) : request.usage();
  if (name === undefined) request.usage();
  switch (word) {
    case 'run': return begin(request, name);
    case 'cancel': return cancel(request, name);
    case 'resume': return body.line(runLine(await plans.resume(name)));
    case 'hold': return plans.hold(name);
    case 'release': return plans.release(name);
  }
}

export default {
  commands: [{
    word: 'plan',
    usage: 'plan [NAME | run NAME [--dry-run] [--follow] | status [RUN|NAME] [--follow] | cancel RUN [--undo] | resume RUN | hold NAME | release NAME | triggers]',
    help: 'Show the plans, what one would do, and its runs; run it, or end that.',
    right: 'plan',
    options: ['dry-run', 'follow', 'undo'],
    words: WORDS,
    async run(request) {
      const [first, second, ...rest] = request.args;
      const { actor, body, options } = request;
      if (rest.length > 0) request.usage();
      const word = WORDS.find((one) => one === first);
      if (word !== undefined) return act(request, word, second);
      if (second !== undefined || options.follow || options.undo || (first === undefined && options.dryRun)) request.usage();
      if (first !== undefined) return preview(request, first);
      return body.lines((await actor.plans.list()).map(planLine));
    },
  }],
} satisfies Plugin;
