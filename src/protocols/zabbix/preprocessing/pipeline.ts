import { ZABBIX_ITEM_ERROR, ZABBIX_STEP_READY_PARAMS, ZABBIX_STEP_VALUE, ZABBIX_STEPS_READY } from '../../../kit/zabbix-limits.js';
import type { ValueType } from '../messages.js';
import { DISCARDING } from './change-steps.js';
import { meetsError, type MeetsError } from './check-steps.js';
import type { ConfiguredStep, OnFail } from './configured-steps.js';
import { CHECK_UNSUPPORTED, type Before, type Step } from './step.js';
import { STEPS, UNDONE } from './step-table.js';
import { CannotPreprocess, converted, shown, StepError, textOf, type Variant } from './variant.js';

/** What is done with values of an item before they are stored, step by step. Since Zabbix 4.2 that is the proxy's part. */

/** What comes out: a value in the words of the item's type, with what dependent items get; nothing; or why there is none. */
export type Outcome =
  | { readonly kind: 'value'; readonly text: string; readonly value: Variant }
  | { readonly kind: 'discarded' }
  | { readonly kind: 'error'; readonly error: string };

/** A value that goes in, or why there is none. */
export type Income = { readonly value: Variant; readonly error?: undefined } | { readonly error: string; readonly value?: undefined };

interface ReadyStep extends ConfiguredStep {
  readonly run: Step;
  /** of one that is about values that could not be had */
  readonly meets: MeetsError | undefined;
}

/** Steps that are ready to run: many items have the same ones. */
const ready = new Map<string, Step>();

/** @throws CannotPreprocess */
function readyStep({ type, params }: ConfiguredStep): Step {
  const key = `${type} ${params}`;
  let step = ready.get(key);
  if (step !== undefined) return step;
  const make = STEPS.get(type);
  if (make === undefined) throw new CannotPreprocess(`${UNDONE.get(type) ?? `a step of type ${type}`} is not done here`);
  step = make(params);
  if (params.length > ZABBIX_STEP_READY_PARAMS) return step;
  ready.set(key, step);
  if (ready.size > ZABBIX_STEPS_READY) ready.delete(ready.keys().next().value!);
  return step;
}

/** The steps of one item, and what they have of the values before. */
export class Pipeline {
  readonly #steps: readonly ReadyStep[];
  readonly #valueType: ValueType;
  /** by the step's place */
  #before = new Map<number, Before>();

  /** @throws CannotPreprocess where a step cannot be done here, with its place */
  constructor(steps: readonly ConfiguredStep[], valueType: ValueType) {
    this.#valueType = valueType;
    this.#steps = steps.map((step, index) => {
      try {
        return { ...step, run: readyStep(step), meets: step.type === CHECK_UNSUPPORTED ? meetsError(step.params) : undefined };
      } catch (error) {
        throw error instanceof CannotPreprocess ? placed(error, index) : error;
      }
    });
  }

  /** What was told is not known to be known any more: the next value is told, whatever it is. */
  forgetTold(): void {
    this.#steps.forEach(({ type }, index) => { if (DISCARDING.has(type)) this.#before.delete(index); });
  }

  /** @param at when the value is of, seconds since 1970 with parts of them @throws CannotPreprocess where a value cannot be worked on here */
  run(income: Income, at: number): Outcome {
    if (typeof income.value === 'string' && income.value.length > ZABBIX_STEP_VALUE) throw new CannotPreprocess(`the value is longer than ${ZABBIX_STEP_VALUE} characters`);
    const work = new Run(this.#steps, this.#valueType, at, this.#before);
    const outcome = work.all(income);
    // a value that could not be had says nothing of those before it
    if (income.error === undefined || outcome.kind !== 'error') this.#before = work.kept;
    return outcome;
  }
}

const placed = (error: CannotPreprocess, index: number): CannotPreprocess => new CannotPreprocess(`step ${index + 1} of its preprocessing: ${error.message}`);

const ACTIONS: Readonly<Record<OnFail, string>> = { fail: '', discard: ' (discard value)', 'set value': ' (set value)', 'set error': ' (set error)' };

/** One value on its way. */
class Run {
  readonly #steps: readonly ReadyStep[];
  readonly #valueType: ValueType;
  readonly #at: number;
  readonly #before: ReadonlyMap<number, Before>;
  /** what the steps keep for the next value; those behind one that failed or discarded keep nothing, as in Zabbix */
  readonly kept = new Map<number, Before>();
  /** what each step made, and whether it was its own word for a failure */
  readonly #made: { readonly value: Variant | undefined; readonly action: string }[] = [];

  constructor(steps: readonly ReadyStep[], valueType: ValueType, at: number, before: ReadonlyMap<number, Before>) {
    [this.#steps, this.#valueType, this.#at, this.#before] = [steps, valueType, at, before];
  }

  all(income: Income): Outcome {
    let value: Variant | undefined = income.value;
    let { error: missing } = income;
    for (const [index, step] of this.#steps.entries()) {
      // where none of those that are about it takes it up, an error stays one
      if (missing !== undefined && step.meets === undefined) break;
      try {
        if (missing === undefined) value = this.#one(step, index, value!);
        else if (step.meets!(missing)) throw new StepError(missing);
        this.#made.push({ value, action: '' });
        if (missing !== undefined) continue;
      } catch (error) {
        if (error instanceof CannotPreprocess) throw placed(error, index);
        if (!(error instanceof StepError)) throw error;
        if (step.onFail === 'set error') return { kind: 'error', error: step.failText };
        if (step.onFail === 'fail') return { kind: 'error', error: this.#told(income, `${index + 1}. Failed: ${error.message}`) };
        value = step.onFail === 'discard' ? undefined : step.failText;
        missing = undefined;
        this.#made.push({ value, action: ACTIONS[step.onFail] });
      }
      if (value === undefined) return { kind: 'discarded' };
    }
    return missing === undefined ? this.#end(value!) : { kind: 'error', error: missing };
  }

  #one(step: ReadyStep, index: number, value: Variant): Variant | undefined {
    const output = step.run({ value, valueType: this.#valueType, at: this.#at, before: this.#before.get(index) });
    if (output.kept !== undefined) this.kept.set(index, output.kept);
    return output.value;
  }

  #end(value: Variant): Outcome {
    try {
      const out = converted(value, this.#valueType);
      return { kind: 'value', text: textOf(out), value: out };
    } catch (error) {
      if (!(error instanceof StepError)) throw error;
      return { kind: 'error', error: error.message };
    }
  }

  /** The value, and what each step made of it: the last ones where all are too long. */
  #told(income: Income, failed: string): string {
    const head = `Preprocessing failed for: ${shown(income.value === undefined ? income.error! : textOf(income.value))}\n`;
    const lines = [failed];
    let left = ZABBIX_ITEM_ERROR - head.length - failed.length - '...\n'.length;
    let isWhole = true;
    for (const [index, { value, action }] of [...this.#made.entries()].reverse()) {
      const line = `${index + 1}. Result${action}: ${shown(value === undefined ? '' : textOf(value))}\n`;
      left -= line.length;
      isWhole = left >= 0;
      if (!isWhole) break;
      lines.unshift(line);
    }
    return `${head}${isWhole ? '' : '...\n'}${lines.join('')}`.slice(0, ZABBIX_ITEM_ERROR);
  }
}
