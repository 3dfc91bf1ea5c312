import type { PowerAction } from '../instances/operation-table.js';
import type { Command, Plugin } from './host/contract.js';

const power = (action: PowerAction, options: string, help: string): Command => ({
  word: action,
  usage: `${action} NAME... ${options}`,
  help,
  right: 'power',
  on: 'instances',
  options: ['wait', 'timeout', 'dry-run', ...(options.includes('--force') ? ['force' as const] : [])],
  run: (request) => request.each((target) => request.power(target, action)),
});

const COMMON = '[--wait[=SECONDS]] [--timeout=SECONDS] [--dry-run]';

/** The power actions: what each means for which state is in instances/actions. */
export default {
  commands: [
    power('start', `[--force] ${COMMON}`, 'Start an instance, resume a suspended or unpause a paused one; --force also where it is on elsewhere.'),
    power('stop', `[--force] ${COMMON}`, 'Shut an instance down; --force pulls the plug.'),
    power('reboot', `[--force] ${COMMON}`, 'Restart a running instance; --force resets it.'),
    power('pause', COMMON, 'Pause an instance.'),
    power('unpause', COMMON, 'Unpause a paused instance.'),
    power('suspend', COMMON, 'Save an instance to disk; let a host sleep.'),
    power('resume', `[--force] ${COMMON}`, 'Bring a suspended instance back; --force also where it is on elsewhere.'),
  ],
} satisfies Plugin;
