import { parseSeconds } from '../item-interval.js';
import { failed } from './number-steps.js';
import type { MakeStep, StepInput, StepOutput } from './step.js';
import { compare, numeric, StepError, typeName, wholeOf } from './variant.js';

/** Steps that look at the value before. */

type Number64 = bigint | number;

/** @returns undefined where there is nothing to tell: it is the first one, or it has become less */
type Change = (now: Number64, before: Number64, seconds: number) => Number64 | undefined;

const difference: Change = (now, before) => (typeof now === 'bigint' && typeof before === 'bigint' ? now - before : Number(now) - Number(before));

const perSecond: Change = (now, before, seconds) => {
  if (seconds <= 0) return undefined;
  const speed = Number(difference(now, before, seconds)) / seconds;
  return typeof now === 'bigint' && typeof before === 'bigint' ? wholeOf(speed) : speed;
};

const change = (name: string, work: Change): MakeStep => () => ({ value, valueType, at, before }: StepInput): StepOutput => {
  try {
    const now = numeric(value, valueType);
    const kept = { value: now, at };
    const last = before?.value;
    if (before === undefined || last === undefined || typeof last === 'string' || compare(last, now) > 0) return { value: undefined, kept };
    return { value: work(now, last, at - before.at), kept };
  } catch (error) {
    throw failed(error, `cannot calculate delta (${name}) for value of type "${typeName(value)}"`);
  }
};

const isSame = ({ value, before }: StepInput): boolean => before !== undefined && compare(value, before.value) === 0;

/** A value that is the same as the one before is not told again. */
const unchanged: MakeStep = () => (input) => (isSame(input)
  ? { value: undefined, kept: { value: input.value, at: input.before!.at } }
  : { value: input.value, kept: { value: input.value, at: input.at } });

const unchangedFor: MakeStep = (params) => {
  const seconds = parseSeconds(params);
  return (input) => {
    const { value, at, before } = input;
    if (seconds === undefined) throw new StepError(`invalid time period: ${params}`);
    const elapsed = Math.floor(at) - Math.floor(before?.at ?? 0);
    // a clock that was set back is to hold up nothing: Zabbix would be silent until it is where it was
    if (isSame(input) && elapsed >= 0 && elapsed < seconds) return { value: undefined, kept: { value, at: before!.at } };
    return { value, kept: { value, at } };
  };
};

export const changeSteps: readonly (readonly [number, MakeStep])[] = [
  [9, change('simple change', difference)], [10, change('speed per second', perSecond)], [19, unchanged], [20, unchangedFor],
];

/** Steps that keep the value that was told last. */
export const DISCARDING: ReadonlySet<number> = new Set([19, 20]);
