import { ArgoError } from '../kit/errors.js';
import { OPTION_VALUES, type CommandRow, type Plugin } from './host/contract.js';

/** A row as programs read it: what stands in docs/protocol.md under `help`. */
const asJson = ({ word, aliases, usage, help, right, on, options, words, rawWords }: CommandRow): string => JSON.stringify({
  word, aliases, usage, help, right, on: on ?? null, options: options.map((name) => ({ name, value: OPTION_VALUES[name] })), words, rawWords,
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
      const width = Math.max(...chosen.map(({ usage }) => usage.length).filter((length) => length <= WIDEST_FORM), 0);
      return request.body.lines(chosen.map(({ usage, help }) => `${usage.padEnd(width)}  ${help}`));
    },
  }],
} satisfies Plugin;
