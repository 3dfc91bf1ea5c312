import type { Config } from '../config/config.js';
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

/** How providers can be called here, in names and patterns: as those of the configuration, and at a front as those of sites. */
export function providerNames({ providers, fleet }: Pick<Config, 'providers' | 'fleet'>): string[] {
  if (fleet?.roles.has('front') !== true) return [...providers.keys()];
  const sites = [...fleet.sites?.keys() ?? ['*']].filter((site) => site !== fleet.name || !fleet.roles.has('site'));
  return [...providers.keys(), ...sites.map((site) => `${site}.*`)];
}

/** Those of names, patterns and groups that no provider could ever have. @param providers as {@link providerNames} has them */
export function namesNowhere(words: readonly string[], providers: Iterable<string>, groups: Groups): string[] {
  const known = [...providers];
  return resolvePatterns(words, groups).map(({ source }) => source)
    .filter((source) => source.includes('/') && !known.some((provider) => namesMeet(source.slice(0, source.indexOf('/')), provider)));
}
