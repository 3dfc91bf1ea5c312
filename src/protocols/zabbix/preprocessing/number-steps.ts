import { plain, type MakeStep } from './step.js';
import { floatOf, MOST_UNSIGNED, numeric, StepError, textOf, typeName, wholeOf } from './variant.js';

/** Steps that make numbers. */

const multiplier: MakeStep = (params) => plain((value, valueType) => {
  try {
    const by = floatOf(params.trim());
    if (by === undefined) throw new StepError('a numerical value is expected or the value is out of range');
    const number = numeric(value, valueType);
    return typeof number === 'number' ? number * by : multiplied(number, params.trim(), by);
  } catch (error) {
    throw failed(error, `cannot apply multiplier "${params}" to value of type "${typeName(value)}"`);
  }
});

/** The server takes what is left of 64 bits: here it is an error, since it is another number. */
function multiplied(number: bigint, params: string, by: number): bigint {
  const product = /^\d+$/.test(params) ? number * BigInt(params) : wholeOf(Number(number) * by);
  if (product === undefined || product > MOST_UNSIGNED) throw new StepError('the result is not a number from 0 to 2^64 - 1');
  return product;
}

const WORDS: ReadonlyMap<string, bigint> = new Map([
  ...['true', 't', 'yes', 'y', 'on', 'up', 'running', 'enabled', 'available', 'ok', 'master'].map((word): [string, bigint] => [word, 1n]),
  ...['false', 'f', 'no', 'n', 'off', 'down', 'unused', 'disabled', 'unavailable', 'err', 'slave'].map((word): [string, bigint] => [word, 0n]),
]);

function fromWord(text: string): bigint | undefined {
  const number = floatOf(text);
  return number === undefined ? WORDS.get(text.toLowerCase()) : number === 0 ? 0n : 1n;
}

const fromOctal = (text: string): bigint | undefined => (/^[0-7]{1,22}$/.test(text) ? BigInt(`0o${text}`) : undefined);

/** `ff`, and bytes with blanks between: `0f ff`. */
function fromHexadecimal(text: string): bigint | undefined {
  const digits = /^[0-9a-f]{2}(?:[ \n][0-9a-f]{2})*$/i.test(text) ? text.replace(/[ \n]/g, '') : text;
  return /^[0-9a-f]{1,16}$/i.test(digits) ? BigInt(`0x${digits}`) : undefined;
}

const decimal = (format: string, read: (text: string) => bigint | undefined): MakeStep => () => plain((value) => {
  const number = read(textOf(value).replace(/^[ "]+/, '').replace(/[ "\n\r]+$/, ''));
  if (number === undefined || number > MOST_UNSIGNED) throw new StepError(`cannot convert value of type "${typeName(value)}" from ${format} format: invalid value format`);
  return number;
});

/** An error with what was tried before it. */
export function failed(error: unknown, what: string): unknown {
  return error instanceof StepError ? new StepError(`${what}: ${error.message}`) : error;
}

export const numberSteps: readonly (readonly [number, MakeStep])[] = [
  [1, multiplier], [6, decimal('boolean', fromWord)], [7, decimal('octal', fromOctal)], [8, decimal('hexadecimal', fromHexadecimal)],
];
