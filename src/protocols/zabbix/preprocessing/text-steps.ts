import { parseJsonPath } from './json-path.js';
import { failed } from './number-steps.js';
import { Pattern } from './pattern.js';
import { plain, type MakeStep } from './step.js';
import { StepError, textOf, typeName } from './variant.js';

/** Steps that make texts. */

const ESCAPED: Readonly<Record<string, string>> = { s: ' ', r: '\r', n: '\n', t: '\t' };

const unescaped = (text: string): string => text.replace(/\\([srnt])/g, (_, letter: string) => ESCAPED[letter]!);

const trim = (sides: 'left' | 'right' | 'both'): MakeStep => (params) => {
  const away = new Set(unescaped(params));
  return plain((value) => {
    const characters = [...textOf(value)];
    let [begin, end] = [0, characters.length];
    if (sides !== 'right') while (begin < end && away.has(characters[begin]!)) begin += 1;
    if (sides !== 'left') while (end > begin && away.has(characters[end - 1]!)) end -= 1;
    return characters.slice(begin, end).join('');
  });
};

/** An expression and what it is replaced with, on lines of their own. */
export function patternAndOutput(params: string): readonly [pattern: string, output: string | undefined] {
  const at = params.indexOf('\n');
  return at === -1 ? [params, undefined] : [params.slice(0, at), params.slice(at + 1)];
}

/** `\0` is the whole match, `\1` to `\9` are groups; what did not take part is nothing. `\\` is one backslash. */
export const filledIn = (output: string, match: readonly (string | undefined)[]): string =>
  output.replace(/\\([\d\\])/g, (_, sign: string) => (sign === '\\' ? sign : match[Number(sign)] ?? ''));

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
  return plain((value) => {
    if (search === '' || replacement === undefined) throw new StepError(replacement === undefined ? 'cannot find second parameter' : 'first parameter is expected');
    return textOf(value).replaceAll(whole(search), () => whole(replacement));
  });
};

export const textSteps: readonly (readonly [number, MakeStep])[] = [
  [2, trim('right')], [3, trim('left')], [4, trim('both')], [5, replaceByPattern], [12, jsonPath], [25, replace],
];
