import { spawn } from 'node:child_process';
import { ArgoError } from '../../../kit/errors.js';
import { KeptOutput } from '../../../kit/kept-output.js';
import { PROGRAM_GIVEN_UP, PROGRAM_WORDS } from '../../../kit/vmserverd-files-limits.js';
import { onAbort } from '../../../kit/within.js';
import { CODES, OperationError } from '../../../protocols/vmserverd/codes.js';

/** Programs that work on files which are handed to them open: they are told no path of ours, and ours are not held up by them. */

/** How a program names what it is handed, the first being 3. */
export const handed = (index: number): string => `/proc/self/fd/${3 + index}`;

/** Nothing of our environment but the path, since it may hold passwords. */
const environment = (): NodeJS.ProcessEnv => ({ PATH: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C' });

/**
 * Runs a program to its end; it is killed when the signal is aborted.
 * @param files descriptors that it gets as 3, 4 and so on
 * @throws OperationError NOT_SUPPORTED where it is not installed; FILE with its words where it fails; the signal's reason
 */
export function runOn(files: readonly number[], [program, ...args]: readonly [string, ...string[]], signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const child = spawn(program, args, { cwd: '/', detached: true, env: environment(), stdio: ['ignore', 'ignore', 'pipe', ...files] });
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
      else reject(new OperationError(CODES.FILE, `${program} failed: ${wordsOf(complaint.text())}`));
    }));
  });
}

const unbegun = (error: NodeJS.ErrnoException, program: string): Error =>
  (error.code === 'ENOENT' ? new OperationError(CODES.NOT_SUPPORTED, `${program} is not installed on this host`) : new ArgoError('FAILED', `${program} cannot be started`, { cause: error }));

/** What it says at the end of its first line, which begins with names of ours. */
function wordsOf(complaint: string): string {
  const [line = ''] = complaint.split('\n');
  return line.slice(line.lastIndexOf(': ') + 1).trim() || 'it does not say why';
}
