import { ArgoError } from '../kit/errors.js';
import type { Plugin } from './host/contract.js';

export default {
  commands: [{
    word: 'help',
    usage: 'help [COMMAND]',
    help: 'Show the commands that you may use, or how one is used.',
    right: 'anyone',
    run(request) {
      const [typed, ...rest] = request.args;
      if (rest.length > 0) request.usage();
      const word = typed?.toLowerCase();
      const usable = [...request.commands()];
      const chosen = word === undefined ? usable : usable.filter((command) => command.word === word || command.aliases?.includes(word));
      if (chosen.length === 0) throw new ArgoError('UNKNOWN COMMAND', 'help lists the commands');
      const width = Math.max(...chosen.map(({ usage }) => usage.length));
      return request.body.lines(chosen.map(({ usage, help }) => `${usage.padEnd(width)}  ${help}`));
    },
  }],
} satisfies Plugin;
