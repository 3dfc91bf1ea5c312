/** Text that comes from machines and goes to terminals. */

/** Printable ASCII, which nearly all of it is. */
const PLAIN = /^[\x20-\x7e]*$/;

/**
 * Controls, line separators, halves of surrogate pairs, and what Unicode has for being not seen
 * (Default_Ignorable_Code_Point: zero-width characters, marks that turn the direction of writing, tags,
 * variation selectors; and the interlinear marks): two names that look alike would not be the same.
 * And what is no character at all (Noncharacter_Code_Point), two of which XML cannot carry.
 */
const HARMFUL = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\ufff9-\ufffb]/u;
const ALL_HARMFUL = new RegExp(HARMFUL, 'gu');

function withReplaced(line: string, sign: string): string {
  if (PLAIN.test(line) || !HARMFUL.test(line)) return line;
  return line.replaceAll('\t', ' ').replace(ALL_HARMFUL, sign);
}

/** One line of text with everything that could steer a terminal or hide in it replaced by `?`; tabs become blanks. */
export const harmless = (line: string): string => withReplaced(line, '?');

/** What cannot stand in an id as it is typed without quotes: what is harmful, blanks, signs of patterns and quotes, and the escape itself. */
const NOT_IN_A_WORD = /[\p{Cc}\p{Cs}\p{Z}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\ufff9-\ufffb%"*?[\\]/gu;
const WORD = /^[\w.:/@+=,-]*$/;
const ESCAPED = /%(?:u([0-9a-f]{4})|([0-9a-f]{2}))/gi;

const hex = (unit: string, width: number): string => unit.charCodeAt(0).toString(16).padStart(width, '0');

/**
 * An id that a manager gave as one word that can be sent to any terminal and typed without quotes: what
 * cannot stand in it is written as `%20` or `%u200b`, a UTF-16 unit each. No two ids become one word.
 */
export function idWord(id: string): string {
  if (WORD.test(id)) return id;
  return id.replace(NOT_IN_A_WORD, (character) =>
    character.split('').map((unit) => (unit < '\u0100' ? `%${hex(unit, 2)}` : `%u${hex(unit, 4)}`)).join(''));
}

/** The id that {@link idWord} made a word of; ids with blanks and the like may be typed as they are, too. */
export function idFromWord(word: string): string {
  return word.replace(ESCAPED, (_, long?: string, short?: string) => String.fromCharCode(Number.parseInt(long ?? short!, 16)));
}

/** A word in the quotes of the line protocol, in which it stands for nothing but itself. */
export const inQuotes = (word: string): string => `"${word.replace(/["\\]/g, '\\$&')}"`;

/** A name as it is typed in a request: in quotes where it holds blanks or would be taken for a pattern, a group or an option. */
export function typed(name: string): string {
  return /[\s"*?[]|^@|^--/.test(name) ? inQuotes(name) : name;
}

const ENDS = /^[ \t\r\n]+|(?<![ \t\r\n])[ \t\r\n]+$/g;

/**
 * A line without what parts words in front and behind: blanks, tabs and line ends. String's own `trim` takes other blanks of
 * Unicode, too, which are parts of names: `web` with a no-break space behind it is another machine than `web`.
 */
export const trimmed = (line: string): string => (line.trim() === line ? line : line.replace(ENDS, ''));

/**
 * In a name, what stands for a blank that nobody would see, and for what is harmful. They are no signs of patterns: typed as
 * it is shown, a name means itself and no other.
 */
const OPEN_BOX = '\u2423';
const REPLACEMENT = '\ufffd';

/** A {@link trimmed} line with what blanks of Unicode are left at its ends made visible. */
const withVisibleEnds = (line: string): string => (line.trim() === line ? line : line.replace(/^\s+|\s+$/g, (blanks) => OPEN_BOX.repeat(blanks.length)));

/** Nearly all names, which are shown as they are: printable ASCII without blanks at its ends. */
const PLAIN_NAME = /^[!-~](?:[ -~]*[!-~])?$/;

/** A text of whole characters: half of one, which UTF-8 cannot carry, becomes U+FFFD. */
export const wholeCharacters = (text: string): string => text.replace(/\p{Surrogate}/gu, REPLACEMENT);

/** A name that came from elsewhere, harmless and as people can type it. May be empty. */
export const harmlessName = (name: string): string => (PLAIN_NAME.test(name) ? name : withVisibleEnds(trimmed(withReplaced(name, REPLACEMENT))));

/** A word of a body line that programs take apart: in quotes where it holds blanks or quotes, or nothing. */
export const quoted = (word: string): string => (/^[^\s"'\\]+$/.test(word) ? word : inQuotes(word));

/** Words of others, which may have many lines, as a part of one. @param most characters; what is cut off shows as `…` */
export function oneLine(words: string, most = Infinity): string {
  const line = words.replace(/\s+/g, ' ').trim();
  return line.length > most ? `${line.slice(0, most)}…` : line;
}

const SIZE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

/** Bytes for people: `120.6 KiB`. */
export function formatBytes(bytes: bigint): string {
  let size = Number(bytes);
  let unit = 0;
  while (size >= 1024 && unit < SIZE_UNITS.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${SIZE_UNITS[unit]}`;
}

const TYPED_SIZE = /^([1-9]\d{0,14})([KMGTP])(?:iB)?$/i;

/**
 * A size as people type it, `512M`, `10G`, `2TiB`, in bytes; each unit is 1024 of the one before. Without a unit it is
 * none: some tools mean bytes, others MiB.
 * @returns undefined for anything else
 */
export function parseSize(text: string): bigint | undefined {
  const [, digits = '', unit = ''] = TYPED_SIZE.exec(text) ?? [];
  return digits === '' ? undefined : BigInt(digits) << BigInt(10 * ('KMGTP'.indexOf(unit.toUpperCase()) + 1));
}

/** Seconds for people, as uptime(1) writes them: `3 days, 3:52:09`. */
export function formatUptime(seconds: number): string {
  const whole = Math.floor(seconds);
  const days = Math.floor(whole / 86_400);
  const two = (value: number) => String(value).padStart(2, '0');
  const clock = `${Math.floor((whole % 86_400) / 3600)}:${two(Math.floor((whole % 3600) / 60))}:${two(whole % 60)}`;
  if (days === 0) return clock;
  return `${days} ${days === 1 ? 'day' : 'days'}, ${clock}`;
}

/** Units of durations, in milliseconds. */
export const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * A duration such as `500ms`, `30s`, `10m`, in milliseconds.
 * @returns undefined for anything else
 */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text);
  return match ? Number(match[1]) * (UNIT_MS[match[2]!] ?? 0) : undefined;
}

let [lastMs, lastWords] = [NaN, ''];

/**
 * Now, ISO 8601 in UTC. Many ask within a millisecond, and to write a time costs ten looks at the clock: an
 * action has three of them, which were 3 % of what it costs the event loop.
 */
export function isoNow(): string {
  const now = Date.now();
  if (now !== lastMs) [lastMs, lastWords] = [now, new Date(now).toISOString()];
  return lastWords;
}

/** Milliseconds as people write durations: `500 ms`, `30 s`, `10 min`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 600_000) return `${Number((ms / 1000).toFixed(1))} s`;
  return `${Math.round(ms / 60_000)} min`;
}

/** Nearly all names: they are compared as they are. */
const SIMPLE = /^[ -@[-~]*$/;
const [ZERO, NINE] = [0x30, 0x39];
const isDigit = (unit: number): boolean => unit >= ZERO && unit <= NINE;

/** What a name is compared by, to stand as people expect it: by {@link compareWords}. Of nearly all names it is the name itself, so that a million of them make no million of texts. */
export const orderWord = (name: string): string => (SIMPLE.test(name) ? name : name.normalize('NFKD').toLowerCase());

/** Which of two {@link orderWord}s stands first: below 0 the one, above 0 the other; web2 before web10. A collator takes ms for a thousand of them. */
export function compareWords(one: string, other: string): number {
  let at = 0;
  let to = 0;
  while (at < one.length && to < other.length) {
    const unit = one.charCodeAt(at);
    const against = other.charCodeAt(to);
    if (isDigit(unit) && isDigit(against)) {
      // numbers: zeros in front do not count, then the one of more digits is greater
      const first = behindZeros(one, at);
      const second = behindZeros(other, to);
      at = behindDigits(one, first);
      to = behindDigits(other, second);
      const longer = at - first - (to - second);
      if (longer !== 0) return longer;
      for (let digit = 0; first + digit < at; digit += 1) {
        const more = one.charCodeAt(first + digit) - other.charCodeAt(second + digit);
        if (more !== 0) return more;
      }
    } else {
      if (unit !== against) return unit - against;
      at += 1;
      to += 1;
    }
  }
  return one.length - at - (other.length - to);
}

function behindZeros(word: string, from: number): number {
  let at = from;
  while (at < word.length && word.charCodeAt(at) === ZERO) at += 1;
  return at;
}

function behindDigits(word: string, from: number): number {
  let at = from;
  while (at < word.length && isDigit(word.charCodeAt(at))) at += 1;
  return at;
}

/** As people expect names: web2 before web10. */
export function inOrder<T>(items: readonly T[], nameOf: (item: T) => string): T[] {
  const named = items.map((item) => ({ item, word: orderWord(nameOf(item)) }));
  named.sort((one, other) => compareWords(one.word, other.word));
  return named.map(({ item }) => item);
}

/** `127.0.0.1:20203`, `[::1]:20203`, `host.example:20203` */
export function formatEndpoint({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
