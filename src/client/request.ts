import { isPattern } from '../kit/patterns.js';
import { ArgoError } from '../kit/errors.js';
import { isTag, isTagWord, QUOTED_TAG, TAG_PREFIX, tagWord } from '../kit/tags.js';
import { inQuotes, trimmed } from '../kit/text.js';
import type { CommandFacts, VerbFacts } from './commands.js';

/** One word of a request. A quoted one is a literal name: globs and ranges mean nothing in it. */
export interface Word {
  readonly text: string;
  readonly quoted: boolean;
}

/** One request, ready for the wire. */
export interface Request {
  /** the line as it is sent, without its end */
  readonly line: string;
  /** the command word in lower case, as the server compares it */
  readonly command: string;
  /** what follows it */
  readonly words: readonly Word[];
  /** of these the names, patterns and groups of instances */
  readonly targets: readonly Word[];
  readonly options: readonly string[];
  /** whether the server answers with one line a target instead of the plain body */
  readonly many: boolean;
  /** whether it answers `done` or a reason, never with values, as power commands do */
  readonly acts: boolean;
}

const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
const CONTROL_BUT_TAB = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/;

/** A quote begins a quoted word only where a word begins. */
const QUOTED = /^"((?:[^"\\]|\\["\\])*)"(?=[ \t]|$)/;
const BARE = /^[^ \t]+/;
const OWN_QUOTES = /^"(?:[^"\\]|\\["\\])+"$/;

const isSelection = (word: Word): boolean => !word.quoted && (word.text.startsWith('@') || isPattern(word.text));

function request(line: string, words: readonly Word[]): Request {
  const [first, ...rest] = words;
  const end = rest.findIndex(({ text, quoted }) => text === '--' && !quoted);
  const isOption = (word: Word, at: number) => !word.quoted && word.text.startsWith('--') && (end === -1 || at <= end);
  const command = (first?.text ?? '').toLowerCase();
  const targets = command === 'auth' ? [] : rest.filter((word, at) => !isOption(word, at));
  return {
    line,
    command,
    words: rest,
    targets,
    options: rest.filter(isOption).map(({ text }) => text),
    many: isMany(targets),
    acts: false,
  };
}

const isMany = (targets: readonly Word[]): boolean => targets.length > 1 || targets.some(isSelection);

/** A request with what the server says of its command. Without that, words are taken for instances. */
export function withFacts(request: Request, facts: CommandFacts | undefined): Request {
  if (facts === undefined) return request;
  const [verb, ...behind] = request.targets;
  if (facts.verbs.length === 0) return withTargets(request, request.targets, facts);
  const known = facts.verbs.find(({ word }) => word === verb?.text.toLowerCase());
  return withTargets(request, known === undefined ? [] : behind, known ?? facts);
}

function withTargets(request: Request, words: readonly Word[], { on, words: own, right }: VerbFacts): Request {
  const isOnMany = on === 'instances' || on === 'instances-then';
  const targets = on === 'instance' ? words.slice(0, 1) : !isOnMany ? [] : own.length > 0 || on === 'instances-then' ? words.slice(0, -1) : words;
  return { ...request, targets, many: isOnMany && isMany(targets), acts: right === 'power' || right === 'configure' };
}

/**
 * A word as it stands on the wire. Only what would fall apart there is quoted, because quotes make
 * a glob literal: `web[1-3]` has to stay bare.
 * @throws ArgoError BAD REQUEST when it holds a control character, which no request may
 */
export function quoteWord(text: string): string {
  if (CONTROL.test(text)) throw new ArgoError('BAD REQUEST', 'an argument holds a control character');
  if (isTagWord(text) && isTag(text.slice(TAG_PREFIX.length))) return tagWord(text.slice(TAG_PREFIX.length));
  return text === '' || /^"|\s/.test(text) ? inQuotes(text) : text;
}

/**
 * The request for words that a shell has taken apart. One that came in quotes of its own, as
 * `'"web[1]"'`, is sent as it is: that is how a name with brackets is said literally.
 * @throws ArgoError BAD REQUEST
 */
export function requestFromArguments(words: readonly string[]): Request {
  return requestFromLine(words.map((word) => (OWN_QUOTES.test(word) && !CONTROL.test(word) ? word : quoteWord(word))).join(' '));
}

/**
 * The request for a line that a person or a script has written in the protocol's own form.
 * @throws ArgoError BAD REQUEST for control characters and open quotes
 */
export function requestFromLine(line: string): Request {
  if (CONTROL_BUT_TAB.test(line)) throw new ArgoError('BAD REQUEST', 'the line holds a control character');
  const words = splitLine(line);
  if (words === undefined) throw new ArgoError('BAD REQUEST', 'an open quote');
  return request(trimmed(line), words);
}

/**
 * The words of a line: blanks and tabs part them, and `"…"` with `\"` and `\\` keeps them together
 * where it begins a word. In the middle of a word a quote is a character like any other.
 * @returns undefined for a quote that is left open
 */
export function splitLine(line: string): Word[] | undefined {
  const words: Word[] = [];
  for (let rest = trimmed(line); rest !== '';) {
    const quoted = QUOTED.exec(rest);
    if (!quoted && rest.startsWith('"')) return undefined;
    const tag = QUOTED_TAG.exec(rest);
    const whole = quoted?.[0] ?? tag?.[0] ?? BARE.exec(rest)![0];
    words.push(quoted ? { text: quoted[1]!.replace(/\\(["\\])/g, '$1'), quoted: true } : { text: tag ? TAG_PREFIX + tag[1]! : whole, quoted: false });
    rest = rest.slice(whole.length).replace(/^[ \t]+/, '');
  }
  return words;
}

/** Words behind which a password comes, in whatever quotes and case. */
const BEFORE_PASSWORD = /^[\s"]*(auth|enrol-me|enrol[\s"]+approve)(?=["\s]|$)/i;

/** Whether a line may carry a password, even one that is not well-formed: such lines are kept nowhere. */
export const isAuthLine = (line: string): boolean => BEFORE_PASSWORD.test(line);

/** A line as it may be shown: of one with a password its first words. */
export const shownLine = (line: string): string => BEFORE_PASSWORD.exec(line)?.[1]?.toLowerCase().replace(/[\s"]+/g, ' ') ?? line;
