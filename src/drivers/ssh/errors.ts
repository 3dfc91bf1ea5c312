import { ArgoError } from '../../kit/errors.js';
import { oneLine } from '../../kit/text.js';
import { HostKeyError, SshAuthenticationError, SshCommandError, SshConnectionError } from '../../protocols/ssh/errors.js';
import type { Effect } from '../../protocols/ssh/session.js';

/**
 * Every error of SSH as a user reads it.
 * @param effect `acts`: what may have begun and was cut off is UNCERTAIN
 * @returns what is no error of SSH's as it is: an abort's reason, an ArgoError, a fault of ours
 */
export function explainSsh(error: unknown, effect: Effect): unknown {
  if (error instanceof SshCommandError) return new ArgoError(phraseOf(error, effect), oneLine(`SSH: ${error.message}`), { cause: error });
  if (error instanceof HostKeyError) return new ArgoError('HOST KEY CHANGED', oneLine(error.message), { cause: error });
  if (error instanceof SshAuthenticationError) return new ArgoError('ACCESS DENIED', oneLine(`SSH: ${error.message}`), { cause: error });
  if (error instanceof SshConnectionError) return new ArgoError('UNREACHABLE', oneLine(`SSH: ${error.message}`), { cause: error });
  return error;
}

function phraseOf({ kind, mayHaveStarted }: SshCommandError, effect: Effect): 'UNCERTAIN' | 'TIMEOUT' | 'UNREACHABLE' {
  if (effect === 'acts' && mayHaveStarted) return 'UNCERTAIN';
  return kind === 'timeout' ? 'TIMEOUT' : 'UNREACHABLE';
}
