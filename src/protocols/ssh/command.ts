import type { ClientChannel } from 'ssh2';
import type { SshConnection } from './connection.js';
import { SshCommandError } from './errors.js';
import { KeptOutput } from '../../kit/kept-output.js';
import { onAbort, underAll } from '../../kit/within.js';

/** Milliseconds for a command where the caller does not say. */
export const COMMAND_TIMEOUT_MS = 30_000;

/** Bytes that are kept of each output of a command where the caller does not say. */
export const MAX_OUTPUT = 256 * 1024;

/** Bytes of stdout, beyond the last piece that came, in which {@link RunOptions.enough} can look. */
export const RECENT = 1024;

/** Whether a shell says by its exit code that a signal has ended its command (POSIX, 2.8.2): as a host does that goes down. */
export const wasKilled = (code: number): boolean => code > 128 && code <= 192;

/** How a command is run. */
export interface RunOptions {
  readonly signal: AbortSignal;
  /** given to the command's stdin, which is closed after it: the place for a secret */
  readonly stdin?: string;
  /** milliseconds, default {@link COMMAND_TIMEOUT_MS}; the time to connect does not count */
  readonly timeout?: number;
  /** bytes kept of each of stdout and stderr, default {@link MAX_OUTPUT}; what comes after is read and thrown away */
  readonly maxOutput?: number;
  /**
   * Looks at the latest of stdout (some {@link RECENT} bytes) whenever there is more: true ends the
   * waiting, while the command goes on. What it prints later is read all the same, so that it is not
   * stopped by a pipe that nobody reads.
   */
  readonly enough?: (recent: string) => boolean;
  /** told how a command has ended that went on after {@link enough}; not told of a lost connection */
  readonly afterwards?: (result: CommandResult) => void;
}

/** How a command ended. */
export interface CommandResult {
  /** exit status; undefined where a signal ended it, or where it goes on */
  readonly code: number | undefined;
  /** name of the signal that ended it, without SIG */
  readonly signal: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** whether an output was longer than what was kept */
  readonly truncated: boolean;
}

/**
 * Runs one command to its end on a connection, in the user's shell.
 * @throws SshCommandError, which says whether it may have begun; the signal's reason
 */
export async function runCommand(connection: SshConnection, command: string, options: RunOptions): Promise<CommandResult> {
  const { signal, timeout = COMMAND_TIMEOUT_MS } = options;
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(new SshCommandError('timeout', true, `the command took longer than ${timeout} ms`)), timeout);
  try {
    return await underAll([signal, stop.signal], async (either) => attend(await connection.startCommand(command, either), connection, either, options));
  } finally {
    clearTimeout(timer);
  }
}

function attend(channel: ClientChannel, connection: SshConnection, signal: AbortSignal, options: RunOptions): Promise<CommandResult> {
  const { stdin = '', timeout = COMMAND_TIMEOUT_MS, maxOutput = MAX_OUTPUT, enough, afterwards } = options;
  const stdout = new KeptOutput(maxOutput);
  const stderr = new KeptOutput(maxOutput);
  let code: number | undefined;
  let endedBy: string | undefined;
  let recent = '';
  const result = (): CommandResult =>
    ({ code, signal: endedBy, stdout: stdout.text(), stderr: stderr.text(), truncated: stdout.truncated || stderr.truncated });
  return new Promise((resolve, reject) => {
    let settled = false;
    const watches: (() => void)[] = [];
    const settle = (act: () => void): void => {
      settled = true;
      watches.forEach((end) => end());
      act();
    };
    const lost = (reason: Error): void => settle(() => reject(new SshCommandError('lost', true, reason.message, { cause: reason })));
    watches.push(connection.onEnd((reason) => { if (!settled) lost(reason); }));
    watches.push(onAbort(signal, (reason) => settle(() => {
      channel.close();
      reject(reason as Error);
    })));
    channel.on('data', (chunk: Buffer) => {
      stdout.add(chunk);
      if (settled || enough === undefined) return;
      recent += chunk.toString();
      const isEnough = enough(recent);
      recent = recent.slice(-RECENT);
      if (!isEnough) return;
      settle(() => {
        const leave = setTimeout(() => channel.close(), timeout).unref();
        channel.on('close', () => clearTimeout(leave));
        resolve(result());
      });
    });
    channel.stderr.on('data', (chunk: Buffer) => stderr.add(chunk));
    // Not `exit`: when the command's beginning and its end come in one piece, that is over before anybody could listen.
    channel.on('close', (status?: number | null, name?: string) => {
      code = status ?? undefined;
      endedBy = name;
      const ended = code !== undefined || endedBy !== undefined;
      if (settled) {
        if (ended) afterwards?.(result());
      } else if (ended) settle(() => resolve(result()));
      else lost(new Error('the command\'s end was not told'));
    });
    // What becomes of the channel is told by its close; a host that takes no input is no failure.
    channel.on('error', () => undefined);
    channel.end(stdin);
  });
}
