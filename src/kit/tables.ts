/** The entry of a table for a word that others chose: `constructor` is none, although every object has that. */
export const entryOf = <T>(table: Readonly<Record<string, T>>, word: string): T | undefined =>
  (Object.hasOwn(table, word) ? table[word] : undefined);
