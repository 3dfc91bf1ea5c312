/** What the server says of one of its commands (`help --json`); what an older one leaves out is empty. */
export interface CommandFacts {
  readonly word: string;
  readonly aliases: readonly string[];
  readonly right: string;
  /** what its words are: `instances`, `provider`, or the command's own business */
  readonly on: string | undefined;
  /** as they are typed: `--wait`, `--timeout=` */
  readonly options: readonly string[];
  readonly words: readonly string[];
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

function factsOf(line: string): CommandFacts | undefined {
  try {
    const { word, aliases, right, on, options, words } = JSON.parse(line) as Record<string, unknown>;
    if (typeof word !== 'string') return undefined;
    return {
      word, aliases: textsOf(aliases), right: typeof right === 'string' ? right : '', on: typeof on === 'string' ? on : undefined,
      options: optionsOf(options), words: textsOf(words),
    };
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
