import { isTagWord } from '../kit/tags.js';

/**
 * What is wrong with a word of the configuration that names a group, undefined where nothing is. Rights and whatever else
 * belongs to those who write the configuration never go by tags: whoever may set one could widen them.
 */
export function groupFault(word: string, groups: { has(name: string): boolean }): string | undefined {
  if (!word.startsWith('@') || groups.has(word.slice(1))) return undefined;
  return isTagWord(word) ? `${word}: a tag cannot stand here, since whoever may tag machines would decide what it means` : `there is no group ${word}`;
}
