import { parseDuration } from '../../config/values.js';
import { CONDITION_DEPTH, CONDITION_SIZE } from '../../kit/trigger-limits.js';

/**
 * The small language in which a trigger's table says when something is due:
 * `on-line for 5m and (charge > 50% or runtime > 20m)`. `and` binds closer than `or`; `for` belongs to the
 * word, comparison or bracket before it.
 *
 * What is looked at may not be known, and then nothing follows from it: `and` is false where one side is,
 * `or` is true where one side is, and else what is not known on one side is not known on the whole.
 */

/** undefined: not known */
export type Truth = boolean | undefined;

/** What is known of a thing at one moment. */
export interface Facts {
  is(word: string): Truth;
  /** in the unit of the word: percent, or milliseconds. @param isBelow whether it is asked for being less than something */
  compare(word: string, isBelow: boolean, holds: (value: number) => boolean): Truth;
}

/** The words that may stand in a condition. */
export interface Vocabulary {
  readonly words: readonly string[];
  readonly numbers: Readonly<Record<string, '%' | 'duration'>>;
}

/** A condition of which it is followed how long its parts have held. */
export interface ConditionWatch {
  /**
   * @param facts those of now
   * @param elapsed milliseconds by a clock that nobody sets
   */
  look(facts: Facts, elapsed: number): Truth;
}

export interface Condition {
  /** as it was written */
  readonly source: string;
  /** the words that it asks for */
  readonly words: ReadonlySet<string>;
  /** @param longestGap milliseconds between two looks that may count as time in which nothing changed */
  watch(longestGap: number): ConditionWatch;
}

/** Where and why a text is no condition. */
export class ConditionError extends Error {
  override readonly name = 'ConditionError';

  /** @param at of the first character that is wrong, from 0 */
  constructor(message: string, readonly at: number) {
    super(`${message}, at character ${at + 1}`);
  }
}

/** What a part makes of a moment. */
type Look = (facts: Facts, elapsed: number) => Truth;
/** Makes one that begins to count anew. */
type Part = (longestGap: number) => Look;

/** @throws ConditionError */
export function parseCondition(source: string, vocabulary: Vocabulary): Condition {
  if (source.length > CONDITION_SIZE) throw new ConditionError(`a condition has at most ${CONDITION_SIZE} characters`, CONDITION_SIZE);
  const parser = new Parser(source, vocabulary);
  const part = parser.all();
  return { source, words: parser.words, watch: (longestGap) => ({ look: part(longestGap) }) };
}

const TOKEN = /\s*(<=|>=|<|>|\(|\)|[A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)?(?:%|[A-Za-z]+)?|\S)/y;

interface Token {
  readonly text: string;
  readonly at: number;
}

const RESERVED = ['and', 'or', 'for'];

const COMPARISONS: Readonly<Record<string, (value: number, limit: number) => boolean>> = {
  '<': (value, limit) => value < limit,
  '<=': (value, limit) => value <= limit,
  '>': (value, limit) => value > limit,
  '>=': (value, limit) => value >= limit,
};

class Parser {
  readonly words = new Set<string>();
  readonly #tokens: readonly Token[];
  readonly #vocabulary: Vocabulary;
  readonly #end: Token;
  #next = 0;
  #depth = 0;

  constructor(source: string, vocabulary: Vocabulary) {
    const tokens: Token[] = [];
    TOKEN.lastIndex = 0;
    for (let match = TOKEN.exec(source); match; match = TOKEN.exec(source))
      tokens.push({ text: match[1]!, at: match.index + match[0].length - match[1]!.length });
    this.#tokens = tokens;
    this.#vocabulary = vocabulary;
    this.#end = { text: '', at: source.trimEnd().length };
  }

  all(): Part {
    const part = this.#either();
    const rest = this.#token;
    if (rest.text === ')') throw new ConditionError('")" without a "("', rest.at);
    if (rest.text !== '') throw new ConditionError(`"and", "or" or "for" is expected before "${rest.text}"`, rest.at);
    return part;
  }

  get #token(): Token {
    return this.#tokens[this.#next] ?? this.#end;
  }

  #accept(text: string): boolean {
    if (this.#token.text !== text) return false;
    this.#next += 1;
    return true;
  }

  #either(): Part {
    const parts = [this.#both()];
    while (this.#accept('or')) parts.push(this.#both());
    return parts.length === 1 ? parts[0]! : joined(parts, true);
  }

  #both(): Part {
    const parts = [this.#lasting()];
    while (this.#accept('and')) parts.push(this.#lasting());
    return parts.length === 1 ? parts[0]! : joined(parts, false);
  }

  #lasting(): Part {
    const part = this.#single();
    if (!this.#accept('for')) return part;
    const { text, at } = this.#token;
    const least = parseDuration(text);
    if (least === undefined) throw new ConditionError('a duration is expected behind "for", such as 2m', at);
    this.#next += 1;
    return lasting(part, least);
  }

  #single(): Part {
    const { text, at } = this.#token;
    if (this.#accept('(')) {
      if (this.#depth === CONDITION_DEPTH) throw new ConditionError('too many brackets within each other', at);
      this.#depth += 1;
      const inner = this.#either();
      if (!this.#accept(')')) throw new ConditionError('a ")" is missing', this.#token.at);
      this.#depth -= 1;
      return inner;
    }
    const { words, numbers } = this.#vocabulary;
    const known = [...words, ...Object.keys(numbers)];
    if (!known.includes(text)) {
      if (text === '' || RESERVED.includes(text)) throw new ConditionError(`one of ${known.join(', ')} is expected`, at);
      throw new ConditionError(`"${text}" is not one of ${known.join(', ')}`, at);
    }
    this.#next += 1;
    this.words.add(text);
    return words.includes(text) ? () => (facts) => facts.is(text) : this.#comparison(text, numbers[text]!);
  }

  #comparison(word: string, unit: '%' | 'duration'): Part {
    const { text: sign, at: atSign } = this.#token;
    if (!Object.hasOwn(COMPARISONS, sign)) throw new ConditionError(`one of <, <=, >, >= is expected behind "${word}"`, atSign);
    this.#next += 1;
    const { text, at } = this.#token;
    const limit = unit === 'duration' ? parseDuration(text) : /^\d+(\.\d+)?%$/.test(text) ? Number.parseFloat(text) : undefined;
    if (limit === undefined) throw new ConditionError(unit === 'duration' ? `"${word}" is compared with a duration, such as 10m` : `"${word}" is compared with percents, such as 40%`, at);
    if (unit === '%' && limit > 100) throw new ConditionError(`"${word}" is never more than 100%`, at);
    this.#next += 1;
    const holds = (value: number): boolean => COMPARISONS[sign]!(value, limit);
    return () => (facts) => facts.compare(word, sign.startsWith('<'), holds);
  }
}

/** @param decides the truth of one part that settles the whole: true for `or`, false for `and` */
const joined = (parts: readonly Part[], decides: boolean): Part => (longestGap) => {
  const looks = parts.map((part) => part(longestGap));
  return (facts, elapsed) => {
    // each is asked each time: what lasts has to be followed
    const truths = looks.map((look) => look(facts, elapsed));
    if (truths.includes(decides)) return decides;
    return truths.includes(undefined) ? undefined : !decides;
  };
};

/**
 * Holds once the inner part has been known to hold for so long. Time in which it is not known counts for
 * nothing and against nothing: what was counted before is kept, since nobody has seen it end, and
 * what passes meanwhile is not added, since nobody has seen it last. With such a time behind it, and with that
 * before the first look, it may have held long enough: until it has, or is seen to end, that is not known.
 * A gap between two looks that is too long is such a time too, for example that of a process that was stopped.
 */
const lasting = (part: Part, least: number): Part => (longestGap) => {
  const look = part(longestGap);
  let held = 0;
  let last: { readonly truth: Truth; readonly at: number } = { truth: undefined, at: 0 };
  let hasGap = true;
  return (facts, elapsed) => {
    const truth = look(facts, elapsed);
    const passed = elapsed - last.at;
    if (truth === false) held = 0;
    else if (truth === true && last.truth === true && passed <= longestGap) held += passed;
    hasGap = truth !== false && (hasGap || truth === undefined || passed > longestGap);
    last = { truth, at: elapsed };
    if (truth !== true) return truth;
    return held >= least || (hasGap ? undefined : false);
  };
};
