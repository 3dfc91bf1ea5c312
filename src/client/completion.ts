import { isPattern } from '../kit/patterns.js';
import { tagWord } from '../kit/tags.js';
import { inQuotes } from '../kit/text.js';
import { COMMANDS_LINE, readCommands, type VerbFacts } from './commands.js';
import { bodyOf } from './replies.js';
import { requestFromLine, splitLine } from './request.js';
import type { Session } from './session.js';

/** How long names and commands that the server has told are offered without asking again, in milliseconds. */
const FRESH = 10_000;

/** How long a person who pressed Tab waits for the server, in milliseconds. */
const PATIENCE = 2000;

/** Names kept for completion; nobody picks one out of more. */
export const MAX_NAMES = 20_000;

const NAMES_LINE = 'list';
const FULL_NAMES_LINE = 'list --full';
const TAGS_LINE = 'tag list';
/** For a server that does not know {@link COMMANDS_LINE}. */
const OLDER_COMMANDS_LINE = 'help';
/** All that may be asked: whoever keeps the answers asks for them at once. */
export const COMPLETION_LINES = [COMMANDS_LINE, OLDER_COMMANDS_LINE, NAMES_LINE, FULL_NAMES_LINE, TAGS_LINE];

/** The lines of the answer to a request; [] when there is none in time. */
export type Ask = (line: string) => Promise<readonly string[]>;

/** Asks over a session. The request waits for its turn like any other. */
export function askSession(session: Session): Ask {
  return async (line) => {
    const lines: string[] = [];
    try {
      for await (const batch of session.run(requestFromLine(line), AbortSignal.timeout(PATIENCE))) {
        for (const text of bodyOf(batch)) if (lines.length < MAX_NAMES) lines.push(text);
      }
    } catch {
      // Completion is a help; what is wrong with the server is said when a command is sent.
      return [];
    }
    return lines;
  };
}

/** Completes command words, their options and words from `help --json` (an older server: words from `help`), and names from `list`. */
export class Completer {
  readonly #known = new Map<string, { at: number; lines: readonly string[] }>();
  readonly #ask: Ask;

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  /**
   * What the last word of a line can be completed to.
   * @returns the candidates, and the part of the line that they replace
   */
  async complete(line: string): Promise<[candidates: string[], replaced: string]> {
    const start = /(?:^|[ \t])("(?:[^"\\]|\\.)*|[^ \t"]*)$/.exec(line);
    const replaced = start?.[1] ?? '';
    const before = (splitLine(line.slice(0, line.length - replaced.length)) ?? []).map(({ text }) => text);
    const candidates = await this.candidates(before, replaced);
    const typed = replaced.replace(/^"/, '');
    return [candidates.filter((candidate) => unquoted(candidate).startsWith(typed)), replaced];
  }

  /**
   * What may follow some words, as it stands in a line of the protocol.
   * @param word what is typed of it: options are offered behind a `-`, groups and tags behind an `@`, full names behind a `/`; it is not looked at otherwise
   */
  async candidates(before: readonly string[], word: string): Promise<string[]> {
    const command = before[0]?.toLowerCase();
    if (command === undefined) return (await this.#commands()).map((name) => `${name} `);
    if (command === 'auth') return [];
    if (command === 'help') return this.#commands();
    const known = readCommands(await this.#lines(COMMANDS_LINE));
    const facts = known.get(command);
    const typed = before.slice(1).filter((one) => !one.startsWith('--'));
    if (facts === undefined || facts.verbs.length === 0) return this.#wordsOf(facts, typed, word, known.size > 0);
    const [verb, ...rest] = typed;
    if (verb === undefined) return facts.verbs.map((one) => `${one.word} `);
    return this.#wordsOf(facts.verbs.find((one) => one.word === verb.toLowerCase()), rest, word, true);
  }

  /**
   * What may follow what has been typed behind a command, or behind its verb.
   * @param isKnown whether the server tells of commands at all: else its words may be names
   */
  async #wordsOf(facts: VerbFacts | undefined, typed: readonly string[], word: string, isKnown: boolean): Promise<string[]> {
    if (word.startsWith('-')) return [...facts?.options ?? []];
    const { on, words = [], providers = [] } = facts ?? {};
    if (on === 'provider' && typed.length === 0 && providers.length > 0) return [...providers];
    if (isKnown && on !== 'instances' && on !== 'instances-then' && (on !== 'instance' || typed.length > 0)) return [...words];
    if (word.startsWith('@')) return (await this.#lines(TAGS_LINE)).flatMap(selections);
    return [...typed.length > 0 ? words : [], ...(await this.#names(word)).map(literal)];
  }

  /** Short names; full ones, which an older server does not tell, behind a provider's name. */
  async #names(word: string): Promise<readonly string[]> {
    const full = word.includes('/') ? await this.#lines(FULL_NAMES_LINE) : [];
    return full.length > 0 ? full : this.#lines(NAMES_LINE);
  }

  async #commands(): Promise<string[]> {
    const known = readCommands(await this.#lines(COMMANDS_LINE));
    if (known.size > 0) return [...known.keys()];
    const words = (await this.#lines(OLDER_COMMANDS_LINE)).map((line) => /^[a-z][\w-]*(?= |$)/.exec(line)?.[0] ?? '');
    return [...new Set(words.filter((word) => word !== ''))];
  }

  async #lines(line: string): Promise<readonly string[]> {
    const kept = this.#known.get(line);
    if (kept && performance.now() - kept.at < FRESH) return kept.lines;
    const lines = await this.#ask(line);
    if (lines.length > 0) this.#known.set(line, { at: performance.now(), lines });
    return lines.length > 0 ? lines : kept?.lines ?? [];
  }
}

/** A name as it has to be typed: in quotes where it would fall apart or be taken for a pattern. */
const literal = (name: string): string =>
  (isPattern(name) || /^["@-]|\s/.test(name) ? inQuotes(name) : name);

/** How what has a tag is named, from a line of `tag list`: its level, the tag. Those of level 2 are groups. */
function selections(line: string): string[] {
  const [level, tag] = splitLine(line) ?? [];
  if (level === undefined || tag === undefined) return [];
  return [level.text === '2' ? `@${tag.text}` : tagWord(tag.text)];
}

const unquoted = (candidate: string): string => candidate.replace(/^"/, '');
