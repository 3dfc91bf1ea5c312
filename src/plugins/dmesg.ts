import type { Plugin } from './host/contract.js';

export default {
  commands: [{
    word: 'dmesg',
    usage: 'dmesg [PROVIDER] [--timeout=SECONDS]',
    help: 'Show the log of a hypervisor.',
    right: 'read',
    on: 'provider',
    options: ['timeout'],
    async run(request) {
      if (request.args.length > 1) request.usage();
      const log = await request.dmesg();
      await request.body.lines(log.replace(/\r?\n$/, '').split(/\r?\n/));
    },
  }],
} satisfies Plugin;
