import type { Effect, SshSession } from '../../protocols/ssh/session.js';
import { explainSsh } from '../ssh/errors.js';
import type { Ended } from './errors.js';

/** How a command is to be run. */
export interface RunOptions {
  readonly signal: AbortSignal;
  /** bytes that are kept of each of its outputs */
  readonly maxOutput: number;
  /** milliseconds for the command itself */
  readonly timeout: number;
}

/** The shell of an ESXi host: one login, commands side by side on channels of their own. */
export interface Shell {
  /**
   * Runs a command to its end.
   * @throws ArgoError UNREACHABLE where it certainly was not started; ACCESS DENIED, HOST KEY CHANGED;
   *   UNCERTAIN where one that acts was started and its end was not seen; the signal's reason
   */
  run(effect: Effect, command: string, options: RunOptions): Promise<Ended>;
}

/** The shell at the other end of an SSH session. */
export function shellOver(session: SshSession): Shell {
  return {
    run: async (effect, command, options) => {
      try {
        return await session.run(effect, command, options);
      } catch (error) {
        throw explainSsh(error, effect);
      }
    },
  };
}
