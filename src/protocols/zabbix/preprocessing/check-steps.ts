import { parseJsonPath } from './json-path.js';
import { Pattern } from './pattern.js';
import { CHECK_UNSUPPORTED, plain, type MakeStep, type Step } from './step.js';
import { filledIn, patternAndOutput } from './text-steps.js';
import { CannotPreprocess, compare, numberIn, numeric, StepError, textOf, typeName, type Variant } from './variant.js';

/** Steps that let a value pass as it is, or refuse it. */

const check = (look: (value: Variant, valueType: Parameters<typeof numeric>[1]) => void): Step => plain((value, valueType) => {
  look(value, valueType);
  return value;
});

const inRange: MakeStep = (params) => {
  const [least, most] = patternAndOutput(params);
  return check((value, valueType) => {
    const number = numeric(value, valueType);
    if (most === undefined) throw new StepError('validation range is not specified');
    const isBelow = least !== '' && compare(number, bound('minimum', least)) < 0;
    const isAbove = most !== '' && compare(number, bound('maximum', most)) > 0;
    if (!isBelow && !isAbove) return;
    const words = [...(least === '' ? [] : [`less than ${least}`]), ...(most === '' ? [] : [`greater than ${most}`])];
    throw new StepError(`value is ${words.join(' or ')}`);
  });
};

function bound(which: string, text: string): bigint | number {
  const number = numberIn(text);
  if (number === undefined) throw new StepError(`validation range ${which} value is invalid: ${text}`);
  return number;
}

const matching = (isWanted: boolean): MakeStep => (params) => {
  const pattern = new Pattern(params, { isMultiline: true });
  return check((value) => {
    if ((pattern.match(textOf(value)) !== null) === isWanted) return;
    const reason = isWanted ? 'value does not match regular expression' : 'value matches regular expression';
    throw new StepError(`cannot perform regular expression "${params}" validation for value of type "${typeName(value)}": ${reason}`);
  });
};

/** What a value says of an error of its own is the error. What is no JSON says nothing. */
const errorInJson: MakeStep = (params) => {
  const path = parseJsonPath(params);
  return check((value) => {
    const text = textOf(value);
    if (!/^[ \t\r\n]*[{[]/.test(text)) return;
    const told = path.find(text)?.trim() ?? '';
    if (told !== '') throw new StepError(told);
  });
};

const errorByPattern: MakeStep = (params) => {
  const [text, output] = patternAndOutput(params);
  const pattern = output === undefined ? undefined : new Pattern(text, { isMultiline: false });
  return check((value) => {
    if (pattern === undefined) throw new StepError('cannot find second parameter');
    const match = pattern.match(textOf(value));
    const told = match === null ? '' : filledIn(output!, match).trim();
    if (told !== '') throw new StepError(told);
  });
};

/** Whether an error is one that a step of type {@link CHECK_UNSUPPORTED} is about. */
export type MeetsError = (error: string) => boolean;

/**
 * Nothing or -1: any error; since 7.0 also `0` with an expression that matches it, `1` with one that does not.
 * @throws CannotPreprocess
 */
export function meetsError(params: string): MeetsError {
  const [which, text] = patternAndOutput(params);
  if (which === '' || which === '-1') return () => true;
  if ((which !== '0' && which !== '1') || text === undefined) throw new CannotPreprocess(`Check for not supported value of the kind ${JSON.stringify(params.slice(0, 40))} is not done here`);
  const pattern = new Pattern(text, { isMultiline: true });
  return (error) => (pattern.match(error) !== null) === (which === '0');
}

export const checkSteps: readonly (readonly [number, MakeStep])[] = [
  [13, inRange], [14, matching(true)], [15, matching(false)], [16, errorInJson], [18, errorByPattern],
  // where there is a value it is well
  [CHECK_UNSUPPORTED, () => check(() => undefined)],
];
