import { MatchProgram, Literal, AnyText, OneOf, Numbers, MAX_DIGITS, type Token } from './pattern-tokens.js';
import { isTag, isTagWord, TAG_PREFIX, TAG_RULE } from './tags.js';
import { idFromWord, idWord } from './text.js';

/**
 * Patterns over the names of instances: `*`, `?`, `[abc]`, `[!a-f]` as in a shell, and ranges of
 * numbers `[1-20]`, `[01-08,12]`. Matching costs no more than the lengths multiplied: no pattern can
 * make the server slow.
 */

/** What is wrong with a pattern, for people. */
export class PatternError extends Error {}

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
  const singles = new Set<number>();
  const spans: [number, number][] = [];
  for (let at = 0; at < characters.length; at += 1) {
    const end = characters[at + 2];
    if (characters[at + 1] === '-' && end !== undefined) {
      if (codePoint(characters[at]!) > codePoint(end)) throw new PatternError(`[${inside}] runs backwards`);
      spans.push([codePoint(characters[at]!), codePoint(end)]);
      at += 2;
    } else {
      singles.add(codePoint(characters[at]!));
    }
  }
  return new OneOf((code) => (singles.has(code) || spans.some(([first, last]) => code >= first && code <= last)) !== negated);
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
  readonly #program: MatchProgram;
  readonly #tokens: readonly Token[];

  /** @throws PatternError */
  constructor(readonly source: string) {
    this.#tokens = parseTokens(source);
    this.#program = new MatchProgram(this.#tokens);
  }

  get matchesAll(): boolean {
    return this.#tokens.length === 1 && this.isOpen;
  }

  /** Whether it ends in `*`: whatever may follow a name is then matched, too. */
  get isOpen(): boolean {
    return this.#tokens.at(-1) instanceof AnyText;
  }

  matches(name: string): boolean {
    return this.#program.matches(name);
  }

  /** How many names it stands for: Infinity where it has signs other than ranges of numbers. */
  get count(): number {
    return this.#tokens.reduce((product, token) => product * token.count, 1);
  }

  /** The names that it stands for, where their {@link count} is finite; one may come twice. */
  *names(): Generator<string> {
    yield* written(this.#tokens, 0, '');
  }
}

function* written(tokens: readonly Token[], at: number, before: string): Generator<string> {
  const token = tokens[at];
  if (token === undefined) yield before;
  else for (const text of token.texts()) yield* written(tokens, at + 1, before + text);
}

/** What a pattern looks at. */
export interface Named {
  readonly provider: string;
  /** short name */
  readonly name: string;
  /** as its manager has it */
  readonly id?: string;
  /** whether its provider has another one of this name */
  readonly isTwin?: boolean;
}

/**
 * A pattern over instances. Without `/` it is matched against the short name; with one, what stands
 * before the first `/` against the provider and the rest against the short name, or, where it begins
 * with `#`, against the id. So `lab*` never reaches into a provider called `lab2`, and `lab/*` never to a
 * machine of another provider whose name is `lab/x`.
 *
 * Instances that share a name within their provider are not matched by it, but by patterns that end
 * in `*`, and by their ids: who was given `web` must not come upon a second `web` made later.
 */
export class InstancePattern {
  readonly #provider: NamePattern | undefined;
  readonly #name: NamePattern;
  readonly #isOfIds: boolean;

  /** @throws PatternError */
  constructor(readonly source: string) {
    const slash = source.indexOf('/');
    this.#provider = slash === -1 ? undefined : new NamePattern(source.slice(0, slash));
    this.#isOfIds = slash !== -1 && source[slash + 1] === '#';
    this.#name = new NamePattern(source.slice(slash + (this.#isOfIds ? 2 : 1)));
  }

  matches(instance: Named): boolean {
    return (this.#provider === undefined || this.#provider.matches(instance.provider)) && this.#matchesWithin(instance);
  }

  #matchesWithin(instance: Named): boolean {
    if (this.#isOfIds) return instance.id !== undefined && this.#name.matches(idWord(instance.id));
    return (instance.isTwin !== true || this.#name.isOpen) && this.#name.matches(instance.name);
  }

  /** Whether every instance that a provider has or will have is matched. */
  coversProvider(provider: string): boolean {
    return !this.#isOfIds && this.#name.matchesAll && this.reaches(provider);
  }

  /** Whether it could match something of a provider, whatever that has. */
  reaches(provider: string): boolean {
    return this.#provider === undefined || this.#provider.matches(provider);
  }

  /** Whether it was written for this provider, and not just for any. */
  namesProvider(provider: string): boolean {
    return this.#provider !== undefined && !this.#provider.matchesAll && this.#provider.matches(provider);
  }

  /** Whether an instance typed as this word, `name`, `provider/name` or `provider/#id`, would be matched if there were one. */
  coversName(word: string): boolean {
    const slash = word.indexOf('/');
    if (slash === -1) return this.#provider === undefined && this.#name.matches(word);
    const provider = word.slice(0, slash);
    const name = word.slice(slash + 1);
    if (!name.startsWith('#')) return !this.#isOfIds && this.reaches(provider) && this.#name.matches(name);
    return this.coversProvider(provider) || (this.#isOfIds && this.reaches(provider) && this.#name.matches(idWord(idFromWord(name.slice(1)))));
  }

  /** How many short names it stands for, Infinity where they cannot be told. */
  get count(): number {
    return this.#isOfIds ? Infinity : this.#name.count;
  }

  /** The short names that it stands for, where their {@link count} is finite; one may come twice. */
  names(): Iterable<string> {
    return this.#name.names();
  }

  /** Whether it is nothing but a short name. */
  get isPlainName(): boolean {
    return !isPattern(this.source) && !this.source.includes('/');
  }
}

/** Whether an instance has a tag at this moment; with an empty id, whether its provider itself has it. */
export type TagTest = (subject: Pick<Named, 'provider' | 'id'>, tag: string) => boolean;

/** What has a tag at the moment at which it is looked at: that cannot be told of a name. */
class TagPattern extends InstancePattern {
  readonly #tag: string;
  readonly #test: TagTest;

  /** @param word `@tag:web` @throws PatternError */
  constructor(override readonly source: string, test: TagTest) {
    super('*');
    this.#tag = source.slice(TAG_PREFIX.length);
    this.#test = test;
    if (!isTag(this.#tag)) throw new PatternError(`"${this.#tag}" is no tag: ${TAG_RULE}`);
  }

  override matches(instance: Named): boolean {
    return this.#test(instance, this.#tag);
  }

  override coversProvider(provider: string): boolean {
    return this.#test({ provider, id: '' }, this.#tag);
  }

  override reaches(): boolean {
    return true;
  }

  override namesProvider(): boolean {
    return false;
  }

  override coversName(): boolean {
    return false;
  }

  override get count(): number {
    return Infinity;
  }

  override get isPlainName(): boolean {
    return false;
  }
}

/** Several patterns as one. However many plain names are among them, they cost one look. */
export class InstancePatterns {
  readonly #names: ReadonlySet<string>;
  readonly #others: readonly InstancePattern[];

  constructor(readonly all: readonly InstancePattern[]) {
    this.#names = new Set(all.filter(({ isPlainName }) => isPlainName).map(({ source }) => source));
    this.#others = all.filter(({ isPlainName }) => !isPlainName);
  }

  matches(instance: Named): boolean {
    if (this.#names.size > 0 && instance.isTwin !== true && this.#names.has(instance.name)) return true;
    for (const pattern of this.#others) if (pattern.matches(instance)) return true;
    return false;
  }

  /** Whether one of them is on all that a provider has or will have. */
  coverProvider(provider: string): boolean {
    return this.#others.some((pattern) => pattern.coversProvider(provider));
  }

  /** Whether one of them was written for this provider, and not just for any. */
  nameProvider(provider: string): boolean {
    return this.#others.some((pattern) => pattern.namesProvider(provider));
  }

  /** {@link InstancePattern.coversName} of one of them. */
  coverName(word: string): boolean {
    return this.all.some((pattern) => pattern.coversName(word));
  }
}

/** The named groups of argo-server.conf: name → patterns, which may name further groups as `@name`. */
export type Groups = ReadonlyMap<string, readonly string[]>;

/**
 * The patterns that a list of words stands for, groups and tags resolved: `@tag:web` is what has the tag, and the group
 * `web`, which counts as a tag. A group that is not there stands for
 * nothing: the configuration is checked for such names when it is read.
 * @param tags left out: nothing has tags
 * @throws PatternError
 */
export function resolvePatterns(words: readonly string[], groups: Groups, tags?: TagTest): InstancePattern[] {
  const patterns = new Map<string, InstancePattern>();
  const visited = new Set<string>();
  const visit = (word: string): void => {
    if (!word.startsWith('@')) {
      patterns.set(word, new InstancePattern(word));
    } else if (isTagWord(word)) {
      if (tags !== undefined) patterns.set(word, new TagPattern(word, tags));
      visit(`@${word.slice(TAG_PREFIX.length)}`);
    } else if (!visited.has(word)) {
      visited.add(word);
      groups.get(word.slice(1))?.forEach(visit);
    }
  };
  words.forEach(visit);
  return [...patterns.values()];
}
