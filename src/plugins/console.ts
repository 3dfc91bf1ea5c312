import type { Command, Context, Plugin } from './host/contract.js';

async function open(request: Context, kind: 'text' | 'shell'): Promise<void> {
  const [target, second] = request.targets;
  if (target === undefined || second !== undefined) request.usage();
  await request.console(target, kind);
}

const command = (word: 'console' | 'shell', help: string): Command => ({
  word, usage: `${word} NAME [--force]`, help, right: word, on: 'instances', options: ['force'],
  run: (request) => open(request, word === 'shell' ? 'shell' : 'text'),
});

export default {
  commands: [
    command('console', 'Work at the text console of an instance; Ctrl-] or Enter ~ . leaves it.'),
    command('shell', 'Work in a shell on a host; Ctrl-] or Enter ~ . leaves it.'),
  ],
} satisfies Plugin;
