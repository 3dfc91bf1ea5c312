import { isPattern, NamePattern, resolvePatterns, type Groups } from '../kit/patterns.js';

/** What `argo-server check` can say of names without asking a provider: which can never be meant. */

/** Whether some name could fit both: where both are patterns, by what they begin and end with. */
export function namesMeet(one: string, other: string): boolean {
  if (!isPattern(one)) return new NamePattern(other).matches(one);
  if (!isPattern(other)) return new NamePattern(one).matches(other);
  const [start, otherStart] = [one, other].map((pattern) => /^[^*?[]*/.exec(pattern)![0]) as [string, string];
  const [end, otherEnd] = [one, other].map((pattern) => /[^*?\]]*$/.exec(pattern)![0]) as [string, string];
  return (start.startsWith(otherStart) || otherStart.startsWith(start)) && (end.endsWith(otherEnd) || otherEnd.endsWith(end));
}

/** Those of names, patterns and groups that no configured provider could ever have. */
export function namesNowhere(words: readonly string[], providers: Iterable<string>, groups: Groups): string[] {
  const known = [...providers];
  return resolvePatterns(words, groups).map(({ source }) => source)
    .filter((source) => source.includes('/') && !known.some((provider) => namesMeet(source.slice(0, source.indexOf('/')), provider)));
}
