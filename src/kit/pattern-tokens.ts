/** The parts of a pattern, and how a name is held against them. */

/** No more digits than a number holds exactly. */
export const MAX_DIGITS = 15;

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;

export interface Token {
  /** how many texts it stands for; Infinity where they cannot be told */
  readonly count: number;
  /** Those texts, where they can be told. */
  texts(): Iterable<string>;
  /** positions after the token, given sorted positions before it */
  advance(subject: string, from: readonly number[]): number[];
}

/** A token that, from one position, leads to one other at most. */
interface Step extends Token {
  /** the position after the token, or -1; never smaller for a later start */
  after(subject: string, at: number): number;
}

const each = (step: Step, subject: string, from: readonly number[]): number[] =>
  from.map((at) => step.after(subject, at)).filter((to) => to !== -1);

export class Literal implements Step {
  readonly count = 1;
  constructor(readonly text: string) {}

  texts(): Iterable<string> {
    return [this.text];
  }

  after(subject: string, at: number): number {
    return subject.startsWith(this.text, at) ? at + this.text.length : -1;
  }

  advance(subject: string, from: readonly number[]): number[] {
    return each(this, subject, from);
  }
}

export class AnyText implements Token {
  readonly count = Infinity;

  texts(): Iterable<string> {
    return [];
  }

  advance(subject: string, from: readonly number[]): number[] {
    const first = from[0]!;
    return Array.from({ length: subject.length - first + 1 }, (_, step) => first + step);
  }
}

/** One character, a surrogate pair counting as one. */
export class OneOf implements Step {
  readonly count = Infinity;
  readonly #accepts: (code: number) => boolean;

  /** @param accepts says it of a code point */
  constructor(accepts: (code: number) => boolean) {
    this.#accepts = accepts;
  }

  texts(): Iterable<string> {
    return [];
  }

  after(subject: string, at: number): number {
    const code = subject.codePointAt(at);
    if (code === undefined || !this.#accepts(code)) return -1;
    return at + (code > 0xffff ? 2 : 1);
  }

  advance(subject: string, from: readonly number[]): number[] {
    return [...new Set(each(this, subject, from))];
  }
}

/** Numbers of at least `width` digits, filled with zeros. */
export interface NumberRange { readonly least: number; readonly most: number; readonly width: number }

/** A number out of some ranges. */
export class Numbers implements Token {
  readonly count: number;
  readonly #ranges: readonly NumberRange[];
  /** digits of the longest */
  readonly #longest: number;

  constructor(ranges: readonly NumberRange[]) {
    this.#ranges = ranges;
    this.#longest = Math.max(...ranges.map(({ most, width }) => Math.max(String(most).length, width)));
    this.count = ranges.reduce((sum, { least, most }) => sum + most - least + 1, 0);
  }

  *texts(): Generator<string> {
    for (const { least, most, width } of this.#ranges) {
      for (let value = least; value <= most; value += 1) yield String(value).padStart(width, '0');
    }
  }

  advance(subject: string, from: readonly number[]): number[] {
    const to = new Set<number>();
    for (const at of from) this.#ends(subject, at, (end) => { to.add(end); });
    return [...to].sort((a, b) => a - b);
  }

  /** Where all digits from here to the next other character are one of the numbers: its end, or -1. */
  afterAllDigits(subject: string, at: number): number {
    let value = 0;
    let zeros = 0;
    let length = 0;
    for (let code = subject.charCodeAt(at); isDigit(code); code = subject.charCodeAt(at + length)) {
      if (length === this.#longest) return -1;
      length += 1;
      value = value * 10 + (code - 0x30);
      if (value === 0) zeros = length;
    }
    return length > 0 && this.#holds(value, length, Math.max(1, length - zeros)) ? at + length : -1;
  }

  #ends(subject: string, at: number, found: (end: number) => void): void {
    let value = 0;
    let zeros = 0;
    for (let length = 1; length <= this.#longest; length += 1) {
      const code = subject.charCodeAt(at + length - 1);
      if (!isDigit(code)) return;
      value = value * 10 + (code - 0x30);
      if (value === 0) zeros = length;
      if (this.#holds(value, length, Math.max(1, length - zeros))) found(at + length);
    }
  }

  /** @param digits how many there are @param needed how many of them the value needs */
  #holds(value: number, digits: number, needed: number): boolean {
    for (const { least, most, width } of this.#ranges) {
      if (value >= least && value <= most && digits === Math.max(needed, width)) return true;
    }
    return false;
  }
}

/** Numbers behind which no digit can come: they take all there are. */
class WholeNumbers implements Step {
  readonly count: number;
  readonly #numbers: Numbers;

  constructor(numbers: Numbers) {
    this.#numbers = numbers;
    this.count = numbers.count;
  }

  texts(): Iterable<string> {
    return this.#numbers.texts();
  }

  after(subject: string, at: number): number {
    return this.#numbers.afterAllDigits(subject, at);
  }

  advance(subject: string, from: readonly number[]): number[] {
    return this.#numbers.advance(subject, from);
  }
}

const startsWithDigit = (token: Token | undefined): boolean => token instanceof Literal && isDigit(token.text.charCodeAt(0));

/** The tokens as steps between `*`, or undefined where a number may end in several places. */
function stepsBetweenStars(tokens: readonly Token[]): Step[][] | undefined {
  const parts: Step[][] = [[]];
  for (const [index, token] of tokens.entries()) {
    const part = parts.at(-1)!;
    if (token instanceof AnyText) {
      parts.push([]);
    } else if (token instanceof Numbers) {
      const next = tokens[index + 1];
      if (next !== undefined && (!(next instanceof Literal) || startsWithDigit(next))) return undefined;
      part.push(new WholeNumbers(token));
    } else {
      part.push(token as Step);
    }
  }
  return parts;
}

function run(steps: readonly Step[], subject: string, at: number): number {
  let position = at;
  for (const step of steps) {
    position = step.after(subject, position);
    if (position === -1) return -1;
  }
  return position;
}

/**
 * Holds names against tokens. Nearly all patterns are parts between `*` each of which has one end for
 * one start, and no earlier end for a later start: the first place where a part fits is then the best
 * one. For the others a set of positions is moved through the name.
 */
export class MatchProgram {
  readonly #tokens: readonly Token[];
  readonly #parts: readonly (readonly Step[])[] | undefined;
  readonly #isAll: boolean;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
    this.#parts = stepsBetweenStars(tokens);
    this.#isAll = tokens.length === 1 && tokens[0] instanceof AnyText;
  }

  matches(name: string): boolean {
    if (this.#isAll) return true;
    const parts = this.#parts;
    if (parts === undefined) return this.#moveAll(name);
    let at = run(parts[0]!, name, 0);
    const last = parts.length - 1;
    if (last === 0) return at === name.length;
    for (let index = 1; index < last && at !== -1; index += 1) at = this.#find(parts[index]!, name, at);
    return at !== -1 && endsWith(parts[last]!, name, at);
  }

  /** The end of the first place from here on where the steps fit, or -1. */
  #find(steps: readonly Step[], name: string, from: number): number {
    for (let start = from; start <= name.length; start += 1) {
      const end = run(steps, name, start);
      if (end !== -1) return end;
    }
    return -1;
  }

  #moveAll(name: string): boolean {
    let positions: number[] = [0];
    for (const token of this.#tokens) {
      positions = token.advance(name, positions);
      if (positions.length === 0) return false;
    }
    return positions.at(-1) === name.length;
  }
}

/** Whether the steps fit somewhere from here on such that the name ends with them. */
function endsWith(steps: readonly Step[], name: string, from: number): boolean {
  if (steps.length === 0) return true;
  for (let start = name.length; start >= from; start -= 1) {
    if (run(steps, name, start) === name.length) return true;
  }
  return false;
}
