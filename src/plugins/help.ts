import { ArgoError } from '../kit/errors.js';
import { OPTION_VALUES, type Plugin, type UsableRow } from './host/contract.js';

/** What a command and a verb have in common, as programs read it. */
const shared = ({ usage, help, right, on, options, words, providers }: UsableRow | UsableRow['verbs'][number]): object => ({
  usage, help, right, on: on ?? null, options: options.map((name) => ({ name, value: OPTION_VALUES[name] })), words, ...(providers && { providers }),
});

/** A row as programs read it: what stands in docs/protocol.md under `help`. */
const asJson = (row: UsableRow): string => JSON.stringify({
  word: row.word, aliases: row.aliases, ...shared(row), rawWords: row.rawWords, verbs: row.verbs.map((verb) => ({ word: verb.word, ...shared(verb) })),
});

/** Characters: a form that is longer has its purpose right behind it, and does not push the others' off the screen. */
const WIDEST_FORM = 40;

export default {
  commands: [{
    word: 'help',
    usage: 'help [COMMAND] [--json]',
    help: 'Show the commands that you may use, or how one is used.',
    right: 'anyone',
    options: ['json'],
    run(request) {
      const [typed, ...rest] = request.args;
      if (rest.length > 0) request.usage();
      const word = typed?.toLowerCase();
      const usable = [...request.commands()];
      const chosen = word === undefined ? usable : usable.filter((command) => command.word === word || command.aliases.includes(word));
      if (chosen.length === 0) throw new ArgoError('UNKNOWN COMMAND', 'help lists the commands');
      if (request.options.json) return request.body.lines(chosen.map(asJson));
      const [only] = chosen;
      // whoever asks for one command wants to know what can be said behind its word
      const rows = word !== undefined && only && only.verbs.length > 0 ? only.verbs : chosen;
      const width = Math.max(...rows.map(({ usage }) => usage.length).filter((length) => length <= WIDEST_FORM), 0);
      return request.body.lines(rows.map(({ usage, help }) => `${usage.padEnd(width)}  ${help}`));
    },
  }],
} satisfies Plugin;
