import { askSession, Completer } from './completion.js';
import { OWN_COMMAND, partWords, readCommandLine } from './command-line.js';
import type { Output } from './output.js';
import { quoteWord } from './request.js';
import type { Session } from './session.js';
import type { ClientOptions } from './settings.js';

/** What candidates are taken from. */
export interface CompletionSources {
  open(options: ClientOptions): Promise<Session>;
  /** names of tables in config.toml */
  servers(options: ClientOptions): Promise<readonly string[]>;
}

/**
 * Answers the completion script of bash and zsh (yargs' own: `argo --get-yargs-completions argo …`)
 * with a candidate a line. Nobody looks at errors there, so there are none: no server, no candidates.
 * @param args the words of the line so far, the last one being completed
 */
export async function printCompletions(args: readonly string[], stdout: Output, { open, servers }: CompletionSources): Promise<void> {
  const current = args.at(-1) ?? '';
  const before = partWords(args.slice(1, -1));
  try {
    const { options } = await readCommandLine(before.own);
    const [command, ...words] = before.words;
    if (command?.toLowerCase() === OWN_COMMAND) {
      const { vmserverdWords } = await import('./vmserverd.js');
      await stdout.lines(vmserverdWords(words, await servers(options)).filter((word) => word.startsWith(current)));
      return;
    }
    const own = command === undefined && OWN_COMMAND.startsWith(current) ? [OWN_COMMAND] : [];
    const session = await open(options);
    const line = [...before.words.map(quoteWord), current].join(' ');
    const [candidates] = await new Completer(askSession(session)).complete(line);
    session.close();
    await stdout.lines([...candidates.map((candidate) => candidate.trim()), ...own]);
  } catch {
    return;
  }
}
