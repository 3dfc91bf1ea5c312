import type { Plugin } from './host/contract.js';

/** nop and exit. */
export default {
  commands: [
    {
      word: 'nop',
      usage: 'nop',
      help: 'Keep the connection open.',
      right: 'anyone',
      repeatable: true,
      run() {},
    },
    {
      word: 'exit',
      aliases: ['quit'],
      usage: 'exit',
      help: 'Disconnect.',
      right: 'anyone',
      run: (request) => request.close(),
    },
  ],
} satisfies Plugin;
