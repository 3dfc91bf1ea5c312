import type { ValueType } from '../messages.js';
import type { Variant } from './variant.js';

/** What a step has of a value before, for the next one. */
export interface Before {
  readonly value: Variant;
  /** seconds since 1970, with parts of them */
  readonly at: number;
}

/** What a step is run with. */
export interface StepInput {
  readonly value: Variant;
  readonly valueType: ValueType;
  /** when the value is of, seconds since 1970 with parts of them */
  readonly at: number;
  readonly before: Before | undefined;
}

/** What comes of it. */
export interface StepOutput {
  /** undefined: it is discarded */
  readonly value: Variant | undefined;
  /** for the next one; left out by steps that need none */
  readonly kept?: Before;
}

/** A step that is ready to run. @throws StepError, CannotPreprocess */
export type Step = (input: StepInput) => StepOutput;

/** Reads a step's parameters. @throws CannotPreprocess */
export type MakeStep = (params: string) => Step;

/** A step that looks at the value alone. */
export const plain = (work: (value: Variant, valueType: ValueType) => Variant): Step => ({ value, valueType }) => ({ value: work(value, valueType) });

/** Whether the value can be had at all; it is none like the others, and comes first. */
export const CHECK_UNSUPPORTED = 26;
