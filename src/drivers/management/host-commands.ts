import type { CommandResult } from '../../protocols/ssh/command.js';

export interface HostCommandOptions {
  readonly signal: AbortSignal;
  /** given to its standard input, which is closed after it: the place for a secret */
  readonly stdin?: string;
  /** milliseconds; left out: the usual time of a command */
  readonly timeout?: number;
  /** bytes kept of each output */
  readonly maxOutput?: number;
  /** what only reads may be run once more where the connection was lost under it */
  readonly effect: 'reads' | 'acts';
}

/**
 * Commands on a provider's host: on this one, or over SSH. Never through a shell's eyes: each word arrives as it is.
 * The C locale, no terminal.
 */
export interface HostCommands {
  /**
   * @param words program and arguments
   * @throws ArgoError UNREACHABLE where it was certainly not run, UNCERTAIN where nobody knows; an exit code is no error
   */
  run(words: readonly [string, ...string[]], options: HostCommandOptions): Promise<CommandResult>;
  /**
   * The same over a connection that is made for it and closed after it: the proof that the host can still be reached.
   * On this host: just another process.
   */
  runAnew(words: readonly [string, ...string[]], options: HostCommandOptions): Promise<CommandResult>;
  /** Address and port of both ends of the connection as the host sees them; undefined where the commands run on this host. */
  way(signal: AbortSignal): Promise<{ readonly client: string; readonly host: string } | undefined>;
}
