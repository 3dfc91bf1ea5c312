import { ArgoError } from '../../kit/errors.js';
import { oneLine } from '../../kit/text.js';
import type { CommandResult } from '../../protocols/ssh/command.js';

/** A program and its arguments. */
export type Words = readonly [string, ...string[]];

export interface HostCommandOptions {
  readonly signal: AbortSignal;
  /** given to its standard input, which is closed after it: the place for a secret */
  readonly stdin?: string;
  /** milliseconds; left out: the usual time of a command */
  readonly timeout?: number;
  /** bytes kept of each output; what comes after is read and thrown away */
  readonly maxOutput?: number;
  /** what only reads may be run once more where the connection was lost under it */
  readonly effect: 'reads' | 'acts';
  /** told of the latest of its standard output whenever there is more: of how far it is */
  readonly heard?: (recent: string) => void;
  /** needs root: by `sudo -n` where the account is another, which has to be allowed there without a password */
  readonly root?: true;
}

/**
 * Commands on a provider's host: on this one, or over SSH. Never through a shell's eyes: each word arrives as it is.
 * The C locale, no terminal, and the system's folders in PATH.
 */
export interface HostCommands {
  /**
   * @returns how it ended: an exit code is no error, and a program that is not there is {@link NOT_FOUND} in both forms
   * @throws ArgoError UNREACHABLE where it was certainly not run, UNCERTAIN where it acts and nobody knows, TIMEOUT where
   *   it reads, ACCESS DENIED where sudo refuses; the signal's reason where that was aborted when it may have begun. What
   *   ran on this host has ended then; what runs over SSH may go on there until it writes.
   */
  run(words: Words, options: HostCommandOptions): Promise<CommandResult>;
  /**
   * The same over a connection that is made for it and closed after it: the proof that the host can still be reached.
   * On this host: just another process.
   */
  runAnew(words: Words, options: HostCommandOptions): Promise<CommandResult>;
  /** The addresses of both ends of the connection as the host sees them; undefined where the commands run on this host. */
  way(signal: AbortSignal): Promise<{ readonly client: string; readonly host: string } | undefined>;
}

/** Exit status for a program that is not there, and for one that may not be executed (POSIX, 2.8.2). */
export const NOT_FOUND = 127;
export const NOT_EXECUTABLE = 126;

/** Where a system keeps what root needs: not in the PATH of everybody's login. */
export const SYSTEM_FOLDERS = '/usr/local/sbin:/usr/sbin:/sbin';

/** Characters of a host's words that are told. */
const WORDS_TOLD = 200;

/** What LVM says on standard error of whoever runs it, whether or not something failed. */
const NOISE = /^\s*File descriptor \d+ .*leaked|^sudo: unable to resolve host/;

/** A host's last words in one line: why a command failed. */
export function lastWords({ stderr, stdout, code, signal }: CommandResult): string {
  const lines = (stderr.trim() || stdout).split('\n').filter((line) => line.trim() !== '' && !NOISE.test(line));
  const end = signal === undefined ? `exit status ${code}` : `ended by SIG${signal}`;
  return oneLine(lines.slice(-2).join('; '), WORDS_TOLD) || end;
}

/**
 * What a command prints that has to end with 0.
 * @throws as {@link HostCommands.run}; ArgoError NOT SUPPORTED where the host has no such program, FAILED with its last words
 */
export async function outputOf(commands: Pick<HostCommands, 'run'>, words: Words, options: HostCommandOptions): Promise<string> {
  const result = await commands.run(words, options);
  if (result.code === NOT_FOUND) throw new ArgoError('NOT SUPPORTED', `the host has no program ${words[0]}`);
  if (result.code !== 0) throw new ArgoError('FAILED', `${words[0]}: ${lastWords(result)}`);
  if (result.truncated) throw new ArgoError('FAILED', `${words[0]} prints far more than was asked for`);
  return result.stdout;
}

/** @throws ArgoError where a word cannot be one of a command */
export function checkWords(words: Words): void {
  if (words.some((word) => word.includes('\0'))) throw new ArgoError('BAD REQUEST', 'a word of a command holds a NUL');
}

const REFUSED = /^sudo: (?!unable to resolve host)|is not in the sudoers file|^Sorry, user /m;
const NO_PROGRAM = /^sudo: .*: command not found$/m;
const NO_SUDO = /\bsudo: not found$/m;

/** What came of a command that was run by `sudo -n`, as if it had been run without. @throws ArgoError ACCESS DENIED where sudo did not run it */
export function behindSudo(result: CommandResult): CommandResult {
  const { code, stderr } = result;
  if (code === NOT_FOUND && NO_SUDO.test(stderr)) throw new ArgoError('ACCESS DENIED', 'that needs root, and the host has no sudo');
  if (code !== 1 || !REFUSED.test(stderr)) return result;
  if (NO_PROGRAM.test(stderr)) return { ...result, code: NOT_FOUND };
  throw new ArgoError('ACCESS DENIED', `that needs root: ${lastWords(result)}`);
}
