import { ArgoError, type Phrase } from '../../kit/errors.js';
import type { PowerState } from '../driver.js';

/** What xl says when it fails, and what that means to a user. The first row that matches counts. */
const REFUSALS: readonly { readonly words: RegExp; readonly phrase: Phrase; readonly detail?: string }[] = [
  {
    words: /privileged command interface: Permission denied|xenstore\w*: Permission denied|(?:xs_open|contact XenStore|open \S+): Permission denied|must be run as root|Operation not permitted/i,
    phrase: 'ACCESS DENIED',
    detail: 'xl needs root: see docs/drivers/xen.md, "Rights"',
  },
  {
    words: /find hypervisor information|hypervisor is not xen|hypervisor type|privileged command interface|cannot open libxc handle|cannot init xl context|version .* of xen utils/i,
    phrase: 'UNREACHABLE',
    detail: 'this host has not been booted under Xen',
  },
  { words: /xs_open|contact XenStore/i, phrase: 'UNREACHABLE', detail: 'xenstored does not answer: has this host been booted under Xen?' },
  { words: /couldn't read path/, phrase: 'NOT SUPPORTED', detail: 'Xen has noted no such thing of it' },
  { words: /Could not lock .*xenconsole/, phrase: 'BUSY', detail: 'somebody has its console open, perhaps with xl console' },
  { words: /Could not (?:read|open) tty/, phrase: 'FAILED', detail: 'Xen has no terminal for it; does xenconsoled run?' },
  { words: /unrecognized option '--(?:interactive|start-notify-fd)'/, phrase: 'NOT SUPPORTED', detail: 'this xenconsole works with a terminal alone; a later Xen is needed' },
  {
    words: /PV control interface not available/,
    phrase: 'NOT SUPPORTED',
    detail: 'the guest has no PV drivers, so it cannot be asked; --force does not ask',
  },
  {
    words: /is an invalid domain identifier|Domain '\d+' does not exist|Non-existant domain|No such process/,
    phrase: 'WRONG STATE',
    detail: 'it is not running any more',
  },
  { words: /Domain with name ".*" already exists/, phrase: 'WRONG STATE', detail: 'a domain of that name runs already' },
];

/** Lines that xl prints whether or not anything is wrong, or that say nothing to a person. */
const CHATTER = /^(Parsing config from|Loading new save file|Saving to|Shutting down domain|Rebooting domain|Use "-F"|.*failed \(rc=-?\d+\)$|.*\bxl\.conf\b|\s*Savefile contains)/;

/** Enough for libxl's reason, short enough for one line. Characters. */
const MAX_WORDS = 300;

/**
 * xl's own words, for people: libxl's first complaint, since the later ones only repeat that it failed.
 * @returns one line without control characters; empty when xl said nothing
 */
export function complaint(stderr: string): string {
  const lines = stderr.split('\n').map((line) => line.trim()).filter((line) => line !== '');
  const telling = lines.find((line) => !CHATTER.test(line)) ?? lines[0] ?? '';
  return telling
    .replace(/^libxl: error: [\w.]+:\d+:\w+: /, '')
    .replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ')
    .trim()
    .slice(0, MAX_WORDS);
}

/** What a user is told when xl ended with an error. */
export function refusal(stderr: string, exitCode: number): ArgoError {
  const cause = new Error(`xl exited with ${exitCode}: ${stderr.slice(0, 2000)}`);
  const row = REFUSALS.find(({ words }) => words.test(stderr));
  if (row) return new ArgoError(row.phrase, row.detail ?? complaint(stderr), { cause });
  return new ArgoError('FAILED', complaint(stderr) || `xl exited with ${exitCode}`, { cause });
}

/** Why a domain has shut down (the fifth letter), and what it then is until its monitor has cleared it away. */
const AFTER_SHUTDOWN: Readonly<Record<string, PowerState>> = {
  '-': 'stopping', r: 'stopping', s: 'stopping', c: 'crashed', w: 'crashed', S: 'starting',
};

/**
 * The state behind xl's six letters. No letter at all means that no CPU runs it at this moment, which
 * is how a busy host shows a running guest: `on`.
 */
export function stateOf(flags: string): PowerState {
  const [, , paused, shutdown, reason = '', dying] = flags;
  if (dying === 'd') return 'stopping';
  if (shutdown === 's') return AFTER_SHUTDOWN[reason] ?? 'unknown';
  return paused === 'p' ? 'paused' : 'on';
}
