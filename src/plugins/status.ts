import type { Plugin } from './host/contract.js';

export default {
  commands: [{
    word: 'status',
    usage: 'status NAME... [--timeout=SECONDS]',
    help: 'Show the state of an instance, asked of the machine now.',
    right: 'read',
    on: 'instances',
    options: ['timeout'],
    run: (request) => request.each((target) => request.status(target)),
  }],
} satisfies Plugin;
