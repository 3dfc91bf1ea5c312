/**
 * Patterns over the names of instances: `*`, `?`, `[abc]`, `[!a-f]` as in a shell, and ranges of
 * numbers `[1-20]`, `[01-08,12]`. A pattern is matched by moving a set of positions through the name,
 * so its cost grows with the lengths alone: no pattern can make the server slow.
 */

/** What is wrong with a pattern, for people. */
export class PatternError extends Error {}

interface Token {
  /** positions after the token, given sorted positions before it */
  advance(subject: string, from: readonly number[]): number[];
}

/** No more digits than a number holds exactly. */
const MAX_DIGITS = 15;

class Literal implements Token {
  constructor(readonly text: string) {}
  advance(subject: string, from: readonly number[]): number[] {
    return from.filter((at) => subject.startsWith(this.text, at)).map((at) => at + this.text.length);
  }
}

class AnyText implements Token {
  advance(subject: string, from: readonly number[]): number[] {
    const first = from[0]!;
    return Array.from({ length: subject.length - first + 1 }, (_, step) => first + step);
  }
}

/** One character, a surrogate pair counting as one. */
class OneOf implements Token {
  readonly #accepts: (character: string) => boolean;

  constructor(accepts: (character: string) => boolean) {
    this.#accepts = accepts;
  }
  advance(subject: string, from: readonly number[]): number[] {
    const to: number[] = [];
    for (const at of from) {
      const code = subject.codePointAt(at);
      if (code === undefined) continue;
      const character = String.fromCodePoint(code);
      if (this.#accepts(character)) to.push(at + character.length);
    }
    return to;
  }
}

interface NumberRange { least: number; most: number; width: number }

/** A number out of some ranges; with a leading zero in the range's start, at least of that width. */
class Numbers implements Token {
  readonly #ranges: readonly NumberRange[];

  constructor(ranges: readonly NumberRange[]) {
    this.#ranges = ranges;
  }
  advance(subject: string, from: readonly number[]): number[] {
    const to = new Set<number>();
    for (const at of from) {
      for (let length = 1; length <= MAX_DIGITS; length += 1) {
        const code = subject.charCodeAt(at + length - 1);
        if (!(code >= 0x30 && code <= 0x39)) break;
        if (this.#holds(subject.slice(at, at + length))) to.add(at + length);
      }
    }
    return [...to].sort((a, b) => a - b);
  }

  #holds(digits: string): boolean {
    const value = Number(digits);
    const plain = String(value);
    return this.#ranges.some(({ least, most, width }) => value >= least && value <= most && digits === plain.padStart(width, '0'));
  }
}

const NUMBER_LIST = /^\d+(-\d+)?(,\d+(-\d+)?)*$/;

function parseNumbers(inside: string): Numbers {
  return new Numbers(inside.split(',').map((part) => {
    const [start = '', end = start] = part.split('-');
    if (start.length > MAX_DIGITS || end.length > MAX_DIGITS) throw new PatternError(`the number in [${inside}] is too long`);
    if (Number(start) > Number(end)) throw new PatternError(`[${inside}] runs backwards`);
    return { least: Number(start), most: Number(end), width: start.length > 1 && start.startsWith('0') ? start.length : 1 };
  }));
}

const codePoint = (character: string): number => character.codePointAt(0)!;

function parseClass(inside: string): OneOf {
  const negated = inside.startsWith('!') || inside.startsWith('^');
  const characters = [...(negated ? inside.slice(1) : inside)];
  const singles = new Set<string>();
  const spans: [number, number][] = [];
  for (let at = 0; at < characters.length; at += 1) {
    const end = characters[at + 2];
    if (characters[at + 1] === '-' && end !== undefined) {
      if (codePoint(characters[at]!) > codePoint(end)) throw new PatternError(`[${inside}] runs backwards`);
      spans.push([codePoint(characters[at]!), codePoint(end)]);
      at += 2;
    } else {
      singles.add(characters[at]!);
    }
  }
  return new OneOf((character) =>
    (singles.has(character) || spans.some(([first, last]) => codePoint(character) >= first && codePoint(character) <= last)) !== negated);
}

function parseTokens(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < source.length) {
    const character = source[at]!;
    if (character === '*') {
      if (!(tokens.at(-1) instanceof AnyText)) tokens.push(new AnyText());
      at += 1;
    } else if (character === '?') {
      tokens.push(new OneOf(() => true));
      at += 1;
    } else if (character === '[') {
      // a ] that comes first stands for itself, as in a shell
      const end = source.indexOf(']', at + (/[!^]/.test(source[at + 1] ?? '') ? 3 : 2));
      if (end === -1) throw new PatternError(`[ without ] in ${source}`);
      const inside = source.slice(at + 1, end);
      tokens.push(NUMBER_LIST.test(inside) ? parseNumbers(inside) : parseClass(inside));
      at = end + 1;
    } else {
      const rest = source.slice(at).search(/[*?[]/);
      const end = rest === -1 ? source.length : at + rest;
      tokens.push(new Literal(source.slice(at, end)));
      at = end;
    }
  }
  return tokens;
}

/** Whether a word needs matching at all, or is a plain name. */
export const isPattern = (word: string): boolean => /[*?[]/.test(word);

/** A pattern over one name. */
export class NamePattern {
  readonly #tokens: readonly Token[];
  /** what every match starts with: most names are ruled out by this alone */
  readonly #prefix: string;
  readonly matchesAll: boolean;

  /** @throws PatternError */
  constructor(readonly source: string) {
    this.#tokens = parseTokens(source);
    const [first] = this.#tokens;
    this.#prefix = first instanceof Literal ? first.text : '';
    this.matchesAll = this.#tokens.length === 1 && first instanceof AnyText;
  }

  matches(name: string): boolean {
    if (this.matchesAll) return true;
    if (!name.startsWith(this.#prefix)) return false;
    let positions: number[] = [0];
    for (const token of this.#tokens) {
      positions = token.advance(name, positions);
      if (positions.length === 0) return false;
    }
    return positions.at(-1) === name.length;
  }
}

/** What a pattern looks at: the provider's name and the instance's short name. */
export interface Named {
  readonly provider: string;
  readonly name: string;
}

/**
 * A pattern over instances. Without `/` it is matched against the short name; with one, what stands
 * before the first `/` against the provider and the rest against the short name. So `lab*` never
 * reaches into a provider called `lab2`.
 */
export class InstancePattern {
  readonly #provider: NamePattern | undefined;
  readonly #name: NamePattern;

  /** @throws PatternError */
  constructor(readonly source: string) {
    const slash = source.indexOf('/');
    this.#provider = slash === -1 ? undefined : new NamePattern(source.slice(0, slash));
    this.#name = new NamePattern(source.slice(slash + 1));
  }

  matches(instance: Named): boolean {
    return (this.#provider === undefined || this.#provider.matches(instance.provider)) && this.#name.matches(instance.name);
  }

  /** Whether every instance that a provider has or will have is matched. */
  coversProvider(provider: string): boolean {
    return this.#name.matchesAll && (this.#provider === undefined || this.#provider.matches(provider));
  }

  /** Whether it could match something of a provider, whatever that has. */
  reaches(provider: string): boolean {
    return this.#provider === undefined || this.#provider.matches(provider);
  }

  /** Whether an instance typed as this word, short or full name, would be matched if there were one. */
  coversName(word: string): boolean {
    if (this.#provider === undefined && this.#name.matches(word)) return true;
    const slash = word.indexOf('/');
    return slash !== -1 && this.matches({ provider: word.slice(0, slash), name: word.slice(slash + 1) });
  }
}

/** The named groups of argo-server.conf: name → patterns, which may name further groups as `@name`. */
export type Groups = ReadonlyMap<string, readonly string[]>;

/**
 * The patterns that a list of words stands for, groups resolved. A group that is not there stands for
 * nothing: the configuration is checked for such names when it is read.
 * @throws PatternError
 */
export function resolvePatterns(words: readonly string[], groups: Groups): InstancePattern[] {
  const patterns = new Map<string, InstancePattern>();
  const visited = new Set<string>();
  const visit = (word: string): void => {
    if (!word.startsWith('@')) {
      patterns.set(word, new InstancePattern(word));
    } else if (!visited.has(word)) {
      visited.add(word);
      groups.get(word.slice(1))?.forEach(visit);
    }
  };
  words.forEach(visit);
  return [...patterns.values()];
}
