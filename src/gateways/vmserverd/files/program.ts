import { execFile, spawn } from 'node:child_process';
import type { BigIntStats } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { ArgoError } from '../../../kit/errors.js';
import { KeptOutput } from '../../../kit/kept-output.js';
import { bareEnvironment } from '../../../kit/programs.js';
import { PROGRAM_GIVEN_UP, PROGRAM_WORDS, SETPRIV_TIMEOUT } from '../../../kit/vmserverd-files-limits.js';
import { onAbort } from '../../../kit/within.js';
import { CODES, OperationError } from '../../../protocols/vmserverd/codes.js';

/** Programs that work on files which are handed to them open: they are told no path of ours, and ours are not held up by them. */

/** How a program names what it is handed, the first being 3. */
export const handed = (index: number): string => `/proc/self/fd/${3 + index}`;

/** Copies the first of two files into the second, as the file system knows best. */
export const COPY: readonly [string, ...string[]] = ['cp', '--', handed(0), handed(1)];

/** Ends a program with the process that began it, also where that is killed (setpriv(1) of util-linux; prctl(2), PR_SET_PDEATHSIG). */
const BOUND = ['setpriv', '--pdeathsig', 'KILL', '--'] as const;
/** What setpriv ends with where that which it was to begin is not there. */
const NOT_FOUND = 127;

let bound: Promise<readonly string[]> | undefined;

/** What is put before a program's words: nothing where this host has no setpriv, or one that cannot do that, as BusyBox's. */
const boundToUs = (): Promise<readonly string[]> => bound ??= new Promise<readonly string[]>((resolve) => {
  const [setpriv, ...args] = BOUND;
  execFile(setpriv, [...args, 'true'], { cwd: '/', env: bareEnvironment(), timeout: SETPRIV_TIMEOUT, killSignal: 'SIGKILL' }, (error) => resolve(error === null ? BOUND : []));
}).catch(() => []);

/**
 * Ends a copy that a killed server has left at work, where nothing has bound it to that. It is known by our words and by the very
 * file into which it copies: whoever else has that open, such as a backup, is left alone.
 */
export async function endCopyInto({ dev, ino }: BigIntStats): Promise<void> {
  const words = COPY.map((word) => `${word}\0`).join('');
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid) || await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '') !== words) continue;
    const file = await stat(handed(1).replace('self', pid), { bigint: true }).catch(() => undefined);
    if (file?.dev === dev && file.ino === ino) kill(Number(pid));
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/**
 * Runs a program to its end; it is killed when the signal is aborted.
 * @param files descriptors that it gets as 3, 4 and so on
 * @throws OperationError NOT_SUPPORTED where it is not installed; FILE with its words where it fails; the signal's reason
 */
export async function runOn(files: readonly number[], words: readonly [string, ...string[]], signal: AbortSignal): Promise<void> {
  const [program] = words;
  const [first, ...args] = [...await boundToUs(), ...words] as [string, ...string[]];
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const child = spawn(first, args, { cwd: '/', detached: true, env: bareEnvironment(), stdio: ['ignore', 'ignore', 'pipe', ...files] });
    const complaint = new KeptOutput(PROGRAM_WORDS);
    let givenUp: NodeJS.Timeout | undefined;
    const settle = (act: () => void): void => {
      forget();
      clearTimeout(givenUp);
      act();
    };
    const forget = onAbort(signal, (reason) => {
      child.kill('SIGKILL');
      // one that hangs in the kernel is left to it
      givenUp = setTimeout(() => reject(reason as Error), PROGRAM_GIVEN_UP);
    });
    child.stderr!.on('data', (chunk: Buffer) => complaint.add(chunk));
    child.once('error', (error: NodeJS.ErrnoException) => settle(() => reject(unbegun(error, program))));
    child.once('close', (code) => settle(() => {
      if (signal.aborted) reject(signal.reason as Error);
      else if (code === 0) resolve();
      else if (code === NOT_FOUND) reject(notInstalled(program));
      else reject(new OperationError(CODES.FILE, `${program} failed: ${wordsOf(complaint.text())}`));
    }));
  });
}

const notInstalled = (program: string): OperationError => new OperationError(CODES.NOT_SUPPORTED, `${program} is not installed on this host`);

const unbegun = (error: NodeJS.ErrnoException, program: string): Error =>
  (error.code === 'ENOENT' ? notInstalled(program) : new ArgoError('FAILED', `${program} cannot be started`, { cause: error }));

/** What it says at the end of its last line, which begins with names of ours. Before that qemu-img tells of what came of it, such as a file that it could not take away. */
function wordsOf(complaint: string): string {
  const line = complaint.trim().split('\n').at(-1)!;
  return line.slice(line.lastIndexOf(': ') + 1).trim() || 'it does not say why';
}
