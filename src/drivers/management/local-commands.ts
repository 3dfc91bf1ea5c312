import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { ArgoError } from '../../kit/errors.js';
import { KeptOutput } from '../../kit/kept-output.js';
import { Places } from '../../kit/places.js';
import { bareEnvironment, endGroup, pipesDrained, signalGroup } from '../../kit/programs.js';
import { beforeSending, onAbort } from '../../kit/within.js';
import { COMMAND_TIMEOUT_MS, MAX_OUTPUT, type CommandResult } from '../../protocols/ssh/command.js';
import { behindSudo, checkWords, NOT_EXECUTABLE, NOT_FOUND, SYSTEM_FOLDERS, type HostCommandOptions, type HostCommands, type Words } from './host-commands.js';

/** Commands at a time, further ones that act, and how many of each kind may wait. Some unpack and copy for minutes. */
const COMMANDS = { atATime: 12, spare: 6, waiting: 256 };

/** Milliseconds from SIGKILL until one that hangs in the kernel is left to it. */
const GIVEN_UP = 2000;

const places = new Places(COMMANDS.atATime, COMMANDS.waiting, COMMANDS.spare);

/** Commands on this host: a process group each, which ends as a whole at the deadline. */
export const localCommands: HostCommands = {
  run: runHere,
  runAnew: runHere,
  way: () => Promise.resolve(undefined),
};

async function runHere(words: Words, options: HostCommandOptions): Promise<CommandResult> {
  checkWords(words);
  const { signal, effect } = options;
  const leave = await beforeSending(signal, () => places.take(signal, effect === 'acts'));
  try {
    const isRoot = process.getuid?.() === 0;
    if (options.root !== true || isRoot) return await toEnd(words, options);
    return behindSudo(await toEnd(['sudo', '-n', '--', ...words], options));
  } finally {
    leave();
  }
}

async function toEnd(words: Words, options: HostCommandOptions): Promise<CommandResult> {
  try {
    const child = begin(words);
    if (child.pid !== undefined) return await outcome(child, words, options);
    throw await new Promise<Error>((resolve) => { child.once('error', resolve); });
  } catch (error) {
    return unbegun(error, words);
  }
}

/** A session of its own: ^C at our terminal must not cut it short. */
function begin([program, ...args]: Words): ChildProcessWithoutNullStreams {
  const bare = bareEnvironment();
  const env = { ...bare, PATH: `${bare.PATH}:${SYSTEM_FOLDERS}` };
  return spawn(program, args, { cwd: '/', detached: true, stdio: 'pipe', env });
}

/** As a shell has it, so that it is the same over SSH. */
const UNBEGUN: Readonly<Record<string, readonly [code: number, complaint: string]>> = {
  ENOENT: [NOT_FOUND, 'not found'],
  ENOTDIR: [NOT_FOUND, 'not found'],
  EACCES: [NOT_EXECUTABLE, 'Permission denied'],
};

/** What of spawn's own errors the end of a command is. @throws the others */
function unbegun(error: unknown, [program]: Words): CommandResult {
  const { code: errno, syscall } = error instanceof Error ? error as NodeJS.ErrnoException : {};
  if (errno === undefined || !syscall?.startsWith('spawn')) throw error;
  const [code, complaint] = UNBEGUN[errno] ?? [];
  if (code === undefined) throw new ArgoError('UNREACHABLE', `${program} cannot be started (${errno})`, { cause: error });
  return { code, signal: undefined, stdout: '', stderr: `${program}: ${complaint}\n`, truncated: false };
}

function outcome(child: ChildProcessWithoutNullStreams, words: Words, options: HostCommandOptions): Promise<CommandResult> {
  const { stdin = '', maxOutput = MAX_OUTPUT, timeout = COMMAND_TIMEOUT_MS, signal, effect } = options;
  const [stdout, stderr] = [new KeptOutput(maxOutput), new KeptOutput(maxOutput)];
  child.stdout.on('data', (chunk: Buffer) => {
    stdout.add(chunk);
    options.heard?.(chunk.toString());
  });
  child.stderr.on('data', (chunk: Buffer) => stderr.add(chunk));
  // One that reads nothing is no failure: what becomes of it, its end says.
  child.stdin.on('error', () => undefined);
  child.stdin.end(stdin);
  return new Promise((resolve, reject) => {
    /** why it is not waited for any longer */
    let stopped: Error | undefined;
    let killedNoMore = (): void => undefined;
    let giveUp: NodeJS.Timeout | undefined;
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      killedNoMore();
      clearTimeout(giveUp);
      forget();
      act();
    };
    const stop = (why: Error): void => {
      if (stopped) return;
      stopped = why;
      killedNoMore = endGroup(child, () => { giveUp = setTimeout(() => settle(() => reject(why)), GIVEN_UP); });
    };
    const late = `${words[0]} took longer than ${timeout} ms`;
    const timer = setTimeout(() => stop(new ArgoError(effect === 'acts' ? 'UNCERTAIN' : 'TIMEOUT', late)), timeout);
    child.on('error', () => undefined);
    child.once('exit', (code, endedBy) => {
      if (stopped) signalGroup(child, 'SIGKILL');
      void pipesDrained(child).then(() => settle(() => {
        const truncated = stdout.truncated || stderr.truncated;
        if (stopped) reject(stopped);
        else resolve({ code: code ?? undefined, signal: endedBy?.replace(/^SIG/, ''), stdout: stdout.text(), stderr: stderr.text(), truncated });
      }));
    });
    const forget = onAbort(signal, (reason) => stop(reason as Error));
  });
}
