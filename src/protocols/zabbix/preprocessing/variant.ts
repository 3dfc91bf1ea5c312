import type { ValueType } from '../messages.js';

/** A value on its way through steps: a text, an unsigned integer of 64 bits (bigint), or a floating-point number. */
export type Variant = string | bigint | number;

/** Why a step has failed; what is to be done about it the step itself says. The texts are those of Zabbix 6.0 where it has one. */
export class StepError extends Error {
  override readonly name = 'StepError';
}

/** What cannot be done here, or not at present, whatever a step says about failures: Zabbix itself might have had a value. */
export class CannotPreprocess extends Error {
  override readonly name = 'CannotPreprocess';
}

export const MOST_UNSIGNED = 2n ** 64n - 1n;

/** As Zabbix names the type of a value in its errors. */
export const typeName = (value: Variant): string => (typeof value === 'string' ? 'string' : typeof value === 'bigint' ? 'uint64' : 'double');

const FLOAT = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/** A number from 0 up that is whole and fits. */
function unsignedOf(text: string): bigint | undefined {
  if (!/^\d{1,40}$/.test(text)) return undefined;
  const value = BigInt(text);
  return value <= MOST_UNSIGNED ? value : undefined;
}

export function floatOf(text: string): number | undefined {
  if (!FLOAT.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

/** What may stand around a number, and zeros at its end that say nothing: `"+12.500"` is 12.5. */
const bare = (text: string): string => {
  const trimmed = text.replace(/^[ "+]+/, '').replace(/[ "\n\r]+$/, '');
  return /^-?\d*\.\d*$/.test(trimmed) ? trimmed.replace(/0+$/, '').replace(/\.$/, '') : trimmed;
};

/** A text as a number, whole where it is one. */
export function numberIn(text: string): bigint | number | undefined {
  if (text.length > 400) return undefined;
  const trimmed = bare(text);
  return unsignedOf(trimmed) ?? floatOf(trimmed);
}

/**
 * A value as a number, of the item's own type where it has one and that can be.
 * @throws StepError
 */
export function numeric(value: Variant, type: ValueType): bigint | number {
  const number = typeof value === 'string' ? numberIn(value) : value;
  if (number === undefined) throw new StepError('cannot convert value to numeric type');
  if (type === 'float') return Number(number);
  return type === 'unsigned' ? wholeOf(number) ?? number : number;
}

/** Without what is behind the point. @returns undefined where it is negative or too large */
export function wholeOf(number: bigint | number): bigint | undefined {
  if (typeof number === 'bigint') return number;
  return number >= 0 && number < 2 ** 64 ? BigInt(Math.trunc(number)) : undefined;
}

/** A value as a text. */
export const textOf = (value: Variant): string => (typeof value === 'number' ? printed(value) : String(value));

/** As C's `%.15G` prints it, or `%.17G` where that would be another number. */
function printed(value: number): string {
  const short = asG(value, 15);
  return Number(short) === value ? short : asG(value, 17);
}

function asG(value: number, digits: number): string {
  const [mantissa = '', exponent = '0'] = value.toExponential(digits - 1).split('e');
  const power = Number(exponent);
  const plain = (text: string): string => (text.includes('.') ? text.replace(/\.?0+$/, '') : text);
  if (power >= -4 && power < digits) return plain(value.toFixed(Math.max(0, digits - 1 - power)));
  return `${plain(mantissa)}E${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}

const EPSILON = 2.22e-16;

/** Less than, greater than or 0: as texts where one of them is a text. */
export function compare(one: Variant, other: Variant): number {
  if (typeof one === 'string' || typeof other === 'string') {
    const [a, b] = [textOf(one), textOf(other)];
    return a === b ? 0 : a < b ? -1 : 1;
  }
  if (typeof one === 'bigint' && typeof other === 'bigint') return one === other ? 0 : one < other ? -1 : 1;
  const difference = Number(one) - Number(other);
  return Math.abs(difference) <= EPSILON ? 0 : difference;
}

const TYPE_NAMES: Readonly<Record<ValueType, string>> = {
  float: 'Numeric (float)', char: 'Character', log: 'Log', unsigned: 'Numeric (unsigned)', text: 'Text',
};

/**
 * What comes out at the end, as the item's type has it.
 * @throws StepError
 */
export function converted(value: Variant, type: ValueType): Variant {
  if (type !== 'float' && type !== 'unsigned') return textOf(value);
  const number = typeof value === 'string' ? numberIn(value) : value;
  // a text with something behind the point is no unsigned number, a number with it is one without
  const fits = type === 'float' ? number : typeof value === 'string' && typeof number !== 'bigint' ? undefined : number === undefined ? undefined : wholeOf(number);
  if (fits === undefined) throw new StepError(`Value "${shown(textOf(value))}" of type "${typeName(value)}" is not suitable for value type "${TYPE_NAMES[type]}"`);
  if (typeof fits === 'number' && !Number.isFinite(fits)) throw new StepError(`Value ${fits} is too small or too large.`);
  return fits;
}

const SHOWN = 100;

/** A value in an error: not all of it, and on one line. */
export function shown(text: string): string {
  const characters = [...text.slice(0, 4 * SHOWN)];
  const short = characters.length > SHOWN || text.length > 4 * SHOWN ? `${characters.slice(0, SHOWN - 3).join('')}...` : text;
  return short.replace(/[\u0000-\u001f\u007f]/g, '.');
}
