import { InstancePattern, NamePattern, PatternError, isPattern } from '../../kit/patterns.js';
import type { Fleet } from './fleet.js';

/**
 * The filter language: words that all must hold. `web` is looked for in names, providers and types; `web*`,
 * `web[01-20]`, `kvm1/*` are patterns as in the line protocol; `@group`; `state:on,off`, `type:vm`,
 * `provider:kvm*`; `-` before a word turns it round; `sort:name`, `sort:-since`.
 */

export const SORTS = ['name', 'state', 'since', 'provider', 'type'] as const;
export interface Sort { readonly by: (typeof SORTS)[number]; readonly isDown: boolean }

type Test = (fleet: Fleet, at: number) => boolean;

export interface Filter {
  readonly tests: readonly Test[];
  readonly sort: Sort | undefined;
  /** whether a machine that changes its state may come or go, or move */
  readonly isOfStates: boolean;
  /** what is wrong with it, in words for people; the rest is applied all the same */
  readonly problem: string | undefined;
}

const VALUES: Readonly<Record<string, (fleet: Fleet, at: number) => string>> = {
  state: (fleet, at) => fleet.stateOf(at),
  type: (fleet, at) => fleet.typeOf(at),
  provider: (fleet, at) => fleet.providerOf(at).name,
};

/** Whether a text is one of some words, which may be patterns. */
function anyOf(words: readonly string[]): (text: string) => boolean {
  const plain = new Set(words.filter((word) => !isPattern(word)));
  const patterns = words.filter(isPattern).map((word) => new NamePattern(word));
  return (text) => plain.has(text) || patterns.some((pattern) => pattern.matches(text));
}

/** @throws PatternError */
function test(word: string): Test {
  const colon = word.indexOf(':');
  const value = colon > 0 ? VALUES[word.slice(0, colon)] : undefined;
  if (value !== undefined) {
    const wanted = anyOf(word.slice(colon + 1).split(',').filter((one) => one !== ''));
    return colon === word.length - 1 ? () => true : (fleet, at) => wanted(value(fleet, at));
  }
  if (word.startsWith('@')) {
    const wanted = anyOf([word.slice(1)]);
    return (fleet, at) => fleet.groupsOf[at]!.some(wanted);
  }
  if (isPattern(word)) {
    const pattern = new InstancePattern(word);
    return (fleet, at) => pattern.matches({ provider: fleet.providerOf(at).name, name: fleet.shortName(at), id: fleet.idOf(at) });
  }
  const text = word.toLowerCase();
  return (fleet, at) => fleet.texts[at]!.includes(text);
}

function sortOf(word: string): Sort | undefined {
  const [, down, by] = /^sort:(-?)(\w+)$/.exec(word) ?? [];
  return SORTS.includes(by as Sort['by']) ? { by: by as Sort['by'], isDown: down === '-' } : undefined;
}

export function parseFilter(text: string): Filter {
  const tests: Test[] = [];
  let [sort, problem, isOfStates]: [Sort | undefined, string | undefined, boolean] = [undefined, undefined, false];
  for (const word of text.split(/\s+/).filter((one) => one !== '' && one !== '-')) {
    if (word.startsWith('sort:')) {
      sort = sortOf(word);
      if (sort === undefined && word !== 'sort:' && word !== 'sort:-') problem = `sort: takes ${SORTS.join(', ')}`;
      isOfStates ||= sort?.by === 'state' || sort?.by === 'since';
      continue;
    }
    const isNot = word.startsWith('-');
    const positive = isNot ? word.slice(1) : word;
    isOfStates ||= positive.startsWith('state:');
    try {
      const holds = test(positive);
      tests.push(isNot ? (fleet, at) => !holds(fleet, at) : holds);
    } catch (error) {
      if (!(error instanceof PatternError)) throw error;
      problem = error.message;
    }
  }
  return { tests, sort, isOfStates, problem };
}

const { compare: inWords } = new Intl.Collator('en', { numeric: true });

/** Comparing ten thousand names as people do takes long, and they stay as they are. */
const nameRanks = new WeakMap<Fleet, readonly number[]>();

function ranksOfNames(fleet: Fleet): readonly number[] {
  let ranks = nameRanks.get(fleet);
  if (ranks === undefined) {
    const places = new Map(fleet.names.map((_, at) => at).sort((one, other) => inWords(fleet.names[one]!, fleet.names[other]!)).map((at, rank) => [at, rank]));
    ranks = fleet.names.map((_, at) => places.get(at)!);
    nameRanks.set(fleet, ranks);
  }
  return ranks;
}

/** What is sorted by, as a number. */
function rankOf(fleet: Fleet, by: Sort['by']): (at: number) => number {
  if (by === 'since') return (at) => -fleet.since[at]!;
  if (by === 'name') {
    const ranks = ranksOfNames(fleet);
    return (at) => ranks[at]!;
  }
  const value = VALUES[by]!;
  const ranks = new Map([...new Set(fleet.names.map((_, at) => value(fleet, at)))].sort(inWords).map((text, rank) => [text, rank]));
  return (at) => ranks.get(value(fleet, at))!;
}

/** Positions of the machines that a filter lets through, in the order of the view or as it says. */
export function filtered(fleet: Fleet, { tests, sort }: Filter): number[] {
  const found: number[] = [];
  for (let at = 0; at < fleet.size; at += 1) {
    let holds = true;
    for (let index = 0; holds && index < tests.length; index += 1) holds = tests[index]!(fleet, at);
    if (holds) found.push(at);
  }
  if (sort === undefined) return found;
  const rank = rankOf(fleet, sort.by);
  const direction = sort.isDown ? -1 : 1;
  return found.sort((one, other) => direction * (rank(one) - rank(other)) || one - other);
}
