/** What the server says of a command, or of a verb of one; what an older one leaves out is empty. */
export interface VerbFacts {
  readonly word: string;
  readonly right: string;
  /** what its words are: `instances`, `instances-then`, `instance`, `provider`, or the command's own business */
  readonly on: string | undefined;
  /** as they are typed: `--wait`, `--timeout=` */
  readonly options: readonly string[];
  readonly words: readonly string[];
  /** on which it may be used, where it is on a provider */
  readonly providers: readonly string[];
}

/** What the server says of one of its commands (`help --json`). */
export interface CommandFacts extends VerbFacts {
  readonly aliases: readonly string[];
  readonly verbs: readonly VerbFacts[];
}

export const COMMANDS_LINE = 'help --json';

const textsOf = (value: unknown): string[] => (Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []);

function optionsOf(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  return (value as unknown[]).flatMap((one) => {
    const { name, value: kind } = (one ?? {}) as { name?: unknown; value?: unknown };
    return typeof name === 'string' ? [`--${name}${kind === 'required' ? '=' : ''}`] : [];
  });
}

function verbOf(row: unknown): VerbFacts | undefined {
  const { word, right, on, options, words, providers } = (row ?? {}) as Record<string, unknown>;
  if (typeof word !== 'string') return undefined;
  return {
    word, right: typeof right === 'string' ? right : '', on: typeof on === 'string' ? on : undefined,
    options: optionsOf(options), words: textsOf(words), providers: textsOf(providers),
  };
}

function factsOf(line: string): CommandFacts | undefined {
  try {
    const row = JSON.parse(line) as Record<string, unknown>;
    const facts = verbOf(row);
    return (
      facts && {
        ...facts,
        aliases: textsOf(row.aliases),
        verbs: Array.isArray(row.verbs) ? (row.verbs as unknown[]).flatMap((verb) => verbOf(verb) ?? []) : [],
      }
    );
  } catch {
    return undefined;
  }
}

/**
 * The commands by their words and aliases.
 * @param lines the body of `help --json`; lines of a server that does not know it are passed over
 */
export function readCommands(lines: readonly string[]): ReadonlyMap<string, CommandFacts> {
  const commands = new Map<string, CommandFacts>();
  for (const line of lines) {
    const facts = factsOf(line);
    if (facts) for (const word of [facts.word, ...facts.aliases]) commands.set(word, facts);
  }
  return commands;
}
