/** One line of `watch`, taken apart (docs/protocol.md, "watch"). */
export interface WatchEvent {
  /** where to go on behind it */
  readonly cursor: string;
  /** ISO 8601, UTC */
  readonly time: string;
  readonly type: string;
  /** what the type tells, by the names that docs/client.md gives; numbers are numbers */
  readonly facts: Readonly<Record<string, string | number>>;
}

/** What stands behind a type, in this order; `key=value` pairs may follow. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  is: ['instance', 'now'],
  state: ['instance', 'now', 'before'],
  added: ['instance', 'now'],
  removed: ['instance', 'now'],
  action: ['instance', 'command', 'outcome'],
  provider: ['provider', 'now'],
  plan: ['plan', 'outcome'],
  server: ['now'],
};

const NUMBERS = new Set(['audit', 'ms']);

/** A word: in quotes, bare, or a pair whose value may be in quotes. */
const WORD = /(?:([A-Za-z][\w-]*)=)?(?:"((?:[^"\\]|\\["\\])*)"|([^ ]*))(?= |$)/y;

export interface Word {
  /** of a pair */
  readonly key: string | undefined;
  readonly text: string;
}

/** The words of a line of `watch` or `plan`. */
export function splitWords(line: string): Word[] {
  const words: Word[] = [];
  for (let at = 0; at < line.length; at = WORD.lastIndex + 1) {
    WORD.lastIndex = at;
    const [, key, quoted, bare = ''] = WORD.exec(line) ?? [];
    if (WORD.lastIndex === 0) break;
    words.push({ key, text: quoted === undefined ? bare : quoted.replace(/\\(["\\])/g, '$1') });
  }
  return words;
}

/** @returns undefined for a line that has no cursor, time and type */
export function parseEvent(line: string): WatchEvent | undefined {
  const [cursor, time, type, ...rest] = splitWords(line);
  if (cursor === undefined || time === undefined || type === undefined) return undefined;
  const names = VALUES[type.text] ?? [];
  const facts: Record<string, string | number> = {};
  rest.forEach(({ key, text }, at) => {
    const name = names[at] ?? key;
    if (name === undefined) return;
    // a name or a reason may look like a pair where a value is expected
    const value = names[at] !== undefined && key !== undefined ? `${key}=${text}` : text;
    facts[name] = NUMBERS.has(name) && /^\d+$/.test(value) ? Number(value) : value;
  });
  return { cursor: cursor.text, time: time.text, type: type.text, facts };
}
