import { splitWords } from './watch-event.js';

/** Counts of targets or stages. */
export interface Counts {
  readonly ended: number;
  readonly all: number;
  readonly failed: number;
}

export interface RunLine {
  readonly type: 'run';
  readonly run: string;
  readonly plan: string;
  readonly state: string;
  /** `began`, `deadline`, `ended`, `cause`, `reason` and whatever else a newer server tells */
  readonly facts: Readonly<Record<string, string>>;
  readonly stages: Counts;
  readonly targets: Counts;
}

export interface StageLine {
  readonly type: 'stage';
  readonly stage: string;
  readonly state: string;
  readonly targets: Counts;
  readonly after: readonly string[];
  readonly reason: string | undefined;
}

export interface TargetLine {
  readonly type: 'target';
  readonly stage: string;
  readonly instance: string;
  readonly action: string;
  readonly state: string;
  readonly detail: string;
}

export type PlanLine = RunLine | StageLine | TargetLine;

function countsOf(text: string | undefined, failed: string | undefined): Counts {
  const [, ended = '0', all = '0'] = /^(\d{1,9})\/(\d{1,9})$/.exec(text ?? '') ?? [];
  return { ended: Number(ended), all: Number(all), failed: /^\d{1,9}$/.test(failed ?? '') ? Number(failed) : 0 };
}

/** A line of `plan status`, taken apart (docs/protocol.md, "plan"). @returns undefined for one that is of no kind that we know */
export function parsePlanLine(line: string): PlanLine | undefined {
  const words = splitWords(line);
  const plain = words.flatMap(({ key, text }) => (key === undefined ? [text] : []));
  const { stages, targets, failed, ...facts } = Object.fromEntries(
    words.flatMap(({ key, text }) => (key === undefined ? [] : [[key, text]])),
  ) as Record<string, string>;
  const [type, first = '', second = '', third = '', fourth = ''] = plain;
  switch (type) {
    case 'run': return { type, run: first, plan: second, state: third, facts, stages: countsOf(stages, undefined), targets: countsOf(targets, failed) };
    case 'stage': return { type, stage: first, state: second, targets: countsOf(third, failed), after: facts.after?.split(',') ?? [], reason: facts.reason };
    case 'target': return { type, stage: first, instance: second, action: third, state: fourth, detail: plain[5] ?? '' };
    default: return undefined;
  }
}
