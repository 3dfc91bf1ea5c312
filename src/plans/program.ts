import { spawn, type ChildProcess } from 'node:child_process';
import { PROGRAM_END, PROGRAM_OUTPUT } from '../kit/plan-limits.js';
import { pipesDrained, signalGroup } from '../kit/programs.js';
import { onAbort } from '../kit/within.js';

/** Programs that say something about plans: whether one is due, whether a stage is ready. */

/** What came of a program. */
export interface ProgramOutcome {
  /** undefined where it did not end by itself, or could not be begun */
  readonly code: number | undefined;
  /** why there is no code, for people */
  readonly reason: string;
  /** the end of what it wrote */
  readonly output: string;
}

export interface ProgramParts {
  /** milliseconds until it is killed */
  readonly timeout: number;
  /** beside the path, all that it gets to know of its environment */
  readonly env: Readonly<Record<string, string>>;
  /** kills it at once */
  readonly signal: AbortSignal;
}

/** Where programs are looked for where the server itself was not told. */
const USUAL_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Runs a program to its end, or to the end of its time: then it is killed with all that it began and that is still of its
 * process group. No shell is between, and nothing of the server's environment but the path, since secrets may be there.
 * Never rejects.
 * @param command program and arguments
 */
export function runProgram([program = '', ...args]: readonly string[], { timeout, env, signal }: ProgramParts): Promise<ProgramOutcome> {
  return new Promise((resolve) => {
    const child = begun([program, ...args], env);
    if (child instanceof Error) return resolve({ code: undefined, reason: reasonOf(child), output: '' });
    // where no file descriptor is left there are none
    const streams = [child.stdout, child.stderr].filter((stream) => stream !== null && stream !== undefined);
    let output = '';
    for (const stream of streams) stream.setEncoding('utf8').on('data', (text: string) => { output = (output + text).slice(-PROGRAM_OUTPUT); });
    let reason = '';
    let giveUp: NodeJS.Timeout | undefined;
    const kill = (why: string): void => {
      reason = why;
      signalGroup(child, 'SIGKILL');
      // One that hangs in the kernel does not even die.
      giveUp = setTimeout(() => {
        stopWaiting();
        end(undefined);
      }, PROGRAM_END);
    };
    const timer = setTimeout(() => kill('its time was over'), timeout);
    const end = (code: number | undefined): void => {
      streams.forEach((stream) => stream.destroy());
      resolve({ code: reason === '' ? code : undefined, reason, output });
    };
    const stopWaiting = (): void => {
      clearTimeout(timer);
      clearTimeout(giveUp);
      forget();
      signalGroup(child, 'SIGKILL');
    };
    child.once('error', (error: NodeJS.ErrnoException) => {
      reason ||= reasonOf(error);
      stopWaiting();
      end(undefined);
    });
    // Not `close`: what it leaves behind may hold its output open.
    child.once('exit', (code, killer) => {
      if (code === null) reason ||= `it was ended by ${killer}`;
      stopWaiting();
      void pipesDrained(child).then(() => end(code ?? undefined));
    });
    const forget = onAbort(signal, () => kill('it is not waited for any longer'));
  });
}

const reasonOf = (error: NodeJS.ErrnoException): string => error.code ?? error.message;

/** Some of what can go wrong is thrown, such as a path that leads through a file, or a NUL in an argument; the rest is told as an event. */
function begun([program = '', ...args]: readonly string[], env: ProgramParts['env']): ChildProcess | Error {
  try {
    return spawn(program, args, { env: { PATH: process.env.PATH ?? USUAL_PATH, ...env }, cwd: '/', stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  } catch (error) {
    return error as Error;
  }
}
