import { ArgoError, type Phrase } from '../../kit/errors.js';
import { entryOf } from '../../kit/tables.js';
import { oneLine } from '../../kit/text.js';
import { wasKilled } from '../../protocols/ssh/command.js';
import type { Effect } from '../../protocols/ssh/session.js';
import { DataObjectError, parseDataObject, type DataObject } from './data-object.js';

/** What vim-cmd, esxcli and the shell say when they fail, and what that means to a user. */

/** Enough for ESXi's reason, short enough for one line. Characters. */
const MOST_WORDS = 300;

/** Faults of the vSphere API, by the last part of their type. Others are FAILED, in their own words. */
const FAULTS: Readonly<Record<string, readonly [Phrase, string?]>> = {
  InvalidPowerState: ['WRONG STATE'],
  InvalidState: ['WRONG STATE'],
  ToolsUnavailable: ['NOT SUPPORTED', 'VMware Tools does not run in it, so it cannot be asked; --force does not ask'],
  NotSupported: ['NOT SUPPORTED'],
  RestrictedVersion: ['NOT SUPPORTED', 'the licence of this ESXi does not allow it'],
  NotFound: ['NO SUCH INSTANCE', 'ESXi does not know it any more'],
  ManagedObjectNotFound: ['NO SUCH INSTANCE', 'ESXi does not know it any more'],
  NoPermission: ['ACCESS DENIED', 'the account lacks the right: see docs/drivers/esxi-free.md, "Rights"'],
  Timedout: ['UNCERTAIN', 'ESXi gave up waiting for it'],
  HostCommunication: ['UNCERTAIN', 'ESXi lost sight of it'],
  NotAuthenticated: ['ACCESS DENIED', 'the account lacks the right: see docs/drivers/esxi-free.md, "Rights"'],
  TaskInProgress: ['BUSY', 'ESXi is doing something else with it'],
  QuestionPending: ['NEEDS ANSWER'],
};

interface Words {
  readonly words: RegExp;
  readonly phrase: Phrase;
  readonly detail: string;
}

/** Said before anything reached ESXi's management agent, or by the agent to a question. */
const TROUBLES: readonly Words[] = [
  {
    words: /^Failed to login: .*(?:permission|incorrect user ?name or password|Cannot complete login|NoPermission)/mi,
    phrase: 'ACCESS DENIED', detail: 'the account may log in by SSH, but not use vim-cmd: see docs/drivers/esxi-free.md, "Rights"',
  },
  {
    words: /^Failed to login: |^Connect to \S+ failed|^Unable to connect to the host/m,
    phrase: 'UNREACHABLE', detail: 'hostd, the management agent of ESXi, does not answer',
  },
  {
    words: /(?:vim-cmd|esxcli)['"]?: (?:command )?not found|not found: (?:vim-cmd|esxcli)/,
    phrase: 'NOT SUPPORTED', detail: 'there is no vim-cmd or esxcli on this host: is it ESXi?',
  },
  {
    words: /(?:vim-cmd|esxcli)['"]?: Permission denied|Operation not permitted|must be run as root|^Not authorized/m,
    phrase: 'ACCESS DENIED', detail: 'the account may not run this on the host: see docs/drivers/esxi-free.md, "Rights"',
  },
];

/** vim-cmd ended in the middle of its work: whether the order got through, it can no longer say. */
const CRASHED = /^terminate called after throwing|std::bad_alloc|^(?:Segmentation fault|Aborted|Killed|Connection failure)\b/m;

/** A program's end as the shell tells it: output, and undefined for the code where it was cut off. */
export interface Ended {
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** whether it printed more than was kept */
  readonly truncated: boolean;
}

/** Everything that was said: which of its words go to which stream differs between versions. */
export const allWords = ({ stdout, stderr }: Ended): string => [stderr, stdout].filter((text) => text !== '').join('\n');

/** Whether an order that ended with this was refused, or may have been. */
export function hasFailed(ended: Ended): boolean {
  return ended.code !== 0 || /\bfailed\b|\((?:vim|vmodl)\.fault\./i.test(allWords(ended)) || CRASHED.test(allWords(ended));
}

/**
 * What a user is told of a command that failed.
 * @param effect `acts`: one that was cut off or that crashed may have been carried out
 */
export function refusal(ended: Ended, effect: Effect): ArgoError {
  const said = allWords(ended);
  const cause = new Error(`exit ${ended.code ?? 'by a signal or a cut connection'}: ${said.slice(0, 2000)}`);
  const trouble = TROUBLES.find(({ words }) => words.test(said));
  if (trouble) return new ArgoError(trouble.phrase, trouble.detail, { cause });
  if (ended.code === undefined || CRASHED.test(said) || (effect === 'acts' && wasKilled(ended.code))) {
    return effect === 'acts'
      ? new ArgoError('UNCERTAIN', 'ESXi did not say how it ended', { cause })
      : new ArgoError('UNREACHABLE', 'ESXi stopped in the middle of its answer', { cause });
  }
  const fault = faultIn(said);
  if (fault) {
    const [phrase, detail] = entryOf(FAULTS, fault.kind) ?? ['FAILED' as const];
    return new ArgoError(phrase, detail ?? detailOf(fault.words), { cause });
  }
  return new ArgoError('FAILED', detailOf(telling(said)) || `the command exited with ${ended.code}`, { cause });
}

interface Fault {
  /** such as `InvalidPowerState` */
  readonly kind: string;
  readonly words: string;
}

function faultIn(said: string): Fault | undefined {
  const type = /\((?:vim|vmodl)\.fault\.(\w+)\)/.exec(said)?.[1];
  if (type === undefined) return undefined;
  let fault: DataObject | undefined;
  try {
    fault = parseDataObject(said);
  } catch (error) {
    if (!(error instanceof DataObjectError)) throw error;
  }
  const words = fault?.text('msg') ?? /\bmsg = "([^\r\n]*)"/.exec(said)?.[1];
  return { kind: type, words: words || type };
}

/** The line that says most: of `Powering on VM:` and `Power on failed`, the second. */
function telling(said: string): string {
  const lines = said.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== '');
  return lines.find((line) => /fail|error|unable|cannot|not |denied/i.test(line)) ?? lines.at(-1) ?? '';
}

const CONTROLS = /[\u0000-\u001f\u007f-\u009f]+/g;

/** Words of ESXi as one line without control characters. */
export const detailOf = (words: string): string => oneLine(words.replace(CONTROLS, ' '), MOST_WORDS);
