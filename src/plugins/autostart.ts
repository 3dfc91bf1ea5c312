import type { Plugin } from './host/contract.js';

/** Whether machines are started together with their hosts. */
export default {
  commands: [{
    word: 'autostart',
    usage: 'autostart NAME... on|off [--timeout=SECONDS] [--dry-run]',
    help: 'Say whether an instance is started together with its host.',
    right: 'configure',
    on: 'instances',
    options: ['timeout', 'dry-run'],
    words: ['on', 'off'],
    run: (request) => request.each((target) => request.configure(target, { operation: 'autostart', value: request.args.at(-1)!.toLowerCase() === 'on' })),
  }],
} satisfies Plugin;
