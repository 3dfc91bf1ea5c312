import { ZABBIX_STEP_VALUE } from '../../../kit/zabbix-limits.js';
import { parseJsonPath } from './json-path.js';
import { failed } from './number-steps.js';
import { Pattern } from './pattern.js';
import { plain, type MakeStep } from './step.js';
import { CannotPreprocess, StepError, textOf, typeName } from './variant.js';

/** Steps that make texts. */

const ESCAPED: Readonly<Record<string, string>> = { s: ' ', r: '\r', n: '\n', t: '\t' };

const unescaped = (text: string): string => text.replace(/\\([srnt])/g, (_, letter: string) => ESCAPED[letter]!);

/** The last character, by its code. */
const lastOf = (text: string): number | undefined => {
  const pair = text.codePointAt(text.length - 2);
  return pair !== undefined && pair > 0xffff ? pair : text.codePointAt(text.length - 1);
};

const trim = (sides: 'left' | 'right' | 'both'): MakeStep => (params) => {
  const away = new Set([...unescaped(params)].map((character) => character.codePointAt(0)!));
  return plain((value) => {
    let text = textOf(value);
    for (let first = text.codePointAt(0); sides !== 'right' && first !== undefined && away.has(first); first = text.codePointAt(0)) text = text.slice(first > 0xffff ? 2 : 1);
    for (let last = lastOf(text); sides !== 'left' && last !== undefined && away.has(last); last = lastOf(text)) text = text.slice(0, last > 0xffff ? -2 : -1);
    return text;
  });
};

/** An expression and what it is replaced with, on lines of their own. */
export function patternAndOutput(params: string): readonly [pattern: string, output: string | undefined] {
  const at = params.indexOf('\n');
  return at === -1 ? [params, undefined] : [params.slice(0, at), params.slice(at + 1)];
}

/**
 * `\0` is the whole match, `\1` to `\9` are groups; what did not take part is nothing. `\\` is one backslash.
 * @throws CannotPreprocess where it comes to more than a value may have
 */
export function filledIn(output: string, match: readonly (string | undefined)[]): string {
  let left = ZABBIX_STEP_VALUE - output.length;
  return output.replace(/\\([\d\\])/g, (_, sign: string) => {
    const part = sign === '\\' ? sign : match[Number(sign)] ?? '';
    left -= part.length;
    if (left < 0) throw tooLong();
    return part;
  });
}

const tooLong = (): CannotPreprocess => new CannotPreprocess(`what comes out is longer than ${ZABBIX_STEP_VALUE} characters`);

const replaceByPattern: MakeStep = (params) => {
  const [text, output] = patternAndOutput(params);
  const pattern = output === undefined ? undefined : new Pattern(text, { isMultiline: false });
  return plain((value) => {
    const match = pattern?.match(textOf(value));
    if (match) return filledIn(output!, match);
    throw new StepError(`cannot perform regular expression "${text}" match for value of type "${typeName(value)}": ${pattern === undefined ? 'cannot find second parameter' : 'pattern does not match'}`);
  });
};

const jsonPath: MakeStep = (params) => {
  const path = parseJsonPath(params);
  return plain((value) => {
    try {
      const found = path.find(textOf(value));
      if (found === undefined) throw new StepError('no data matches the specified path');
      return found;
    } catch (error) {
      throw failed(error, `cannot extract value from json by path "${params}"`);
    }
  });
};

const replace: MakeStep = (params) => {
  const [search, replacement] = patternAndOutput(params);
  const whole = (text: string): string => text.replace(/\\([srnt\\])/g, (_, letter: string) => ESCAPED[letter] ?? '\\');
  const [from, to] = [whole(search), whole(replacement ?? '')];
  return plain((value) => {
    if (search === '' || replacement === undefined) throw new StepError(replacement === undefined ? 'cannot find second parameter' : 'first parameter is expected');
    const text = textOf(value);
    const parts = text.split(from);
    if (text.length + (parts.length - 1) * (to.length - from.length) > ZABBIX_STEP_VALUE) throw tooLong();
    return parts.join(to);
  });
};

export const textSteps: readonly (readonly [number, MakeStep])[] = [
  [2, trim('right')], [3, trim('left')], [4, trim('both')], [5, replaceByPattern], [12, jsonPath], [25, replace],
];
