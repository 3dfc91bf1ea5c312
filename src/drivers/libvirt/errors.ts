import { ArgoError, type Phrase } from '../../kit/errors.js';
import { oneLine } from '../../kit/text.js';
import {
  AuthenticationError, ConnectionLostError, CrowdedError, ErrorCode, LibvirtError, NoWayError, ProtocolError, QueueFullError, UnsentError,
} from '../../protocols/libvirt/errors.js';
import { HostKeyError, SshAuthenticationError, SshConnectionError } from '../../protocols/ssh/errors.js';

/** Every error of libvirt and of the ways to it, as a user reads it. One table. */

const BY_CODE: Readonly<Record<number, Phrase>> = {
  [ErrorCode.NO_SUPPORT]: 'NOT SUPPORTED',
  [ErrorCode.CONFIG_UNSUPPORTED]: 'NOT SUPPORTED',
  [ErrorCode.ARGUMENT_UNSUPPORTED]: 'NOT SUPPORTED',
  [ErrorCode.OPERATION_UNSUPPORTED]: 'NOT SUPPORTED',
  [ErrorCode.NO_DOMAIN]: 'NO SUCH INSTANCE',
  [ErrorCode.NO_STORAGE_POOL]: 'NOT SUPPORTED',
  [ErrorCode.STORAGE_VOL_EXIST]: 'WRONG STATE',
  [ErrorCode.OPERATION_INVALID]: 'WRONG STATE',
  [ErrorCode.OPERATION_DENIED]: 'ACCESS DENIED',
  [ErrorCode.AUTH_FAILED]: 'ACCESS DENIED',
  [ErrorCode.AUTH_CANCELLED]: 'ACCESS DENIED',
  [ErrorCode.AUTH_UNAVAILABLE]: 'ACCESS DENIED',
  [ErrorCode.ACCESS_DENIED]: 'ACCESS DENIED',
};

/** Errors of connect(2), with what a person can do about them. */
const BY_ERRNO: Readonly<Record<string, readonly [Phrase, string]>> = {
  ENOENT: ['UNREACHABLE', 'there is no such socket; is libvirtd installed and running?'],
  ECONNREFUSED: ['UNREACHABLE', 'nobody listens there; is libvirtd running?'],
  EACCES: ['ACCESS DENIED', 'this user may not use the socket; is it in the group libvirt?'],
  EPERM: ['ACCESS DENIED', 'this user may not use the socket; is it in the group libvirt?'],
};

/** Whether a call that was cut off may have been carried out. */
export type Effect = 'reads' | 'acts';

/**
 * @param effect `acts`: a connection lost after sending is UNCERTAIN
 * @returns what is no error of libvirt's as it is: an abort's reason, an ArgoError, a fault of ours
 */
export function explain(error: unknown, effect: Effect): unknown {
  if (error instanceof LibvirtError) return new ArgoError(phraseOf(error), oneLine(error.message), { cause: error });
  if (error instanceof ConnectionLostError) {
    const phrase = error.sent && effect === 'acts' ? 'UNCERTAIN' : 'UNREACHABLE';
    return new ArgoError(phrase, oneLine(`the connection to libvirt was lost: ${error.message}`), { cause: error });
  }
  if (error instanceof ProtocolError) return new ArgoError('UNREACHABLE', 'what answers is not libvirt', { cause: error });
  if (error instanceof QueueFullError) return new ArgoError('BUSY', 'too many calls wait for libvirt', { cause: error });
  if (error instanceof UnsentError || error instanceof CrowdedError) return new ArgoError('UNREACHABLE', error.message, { cause: error });
  return explainConnecting(error) ?? error;
}

/** Whether an error of {@link explain}'s means that libvirt is not there, not that it refuses. */
export const isCutOff = (error: unknown): boolean => error instanceof ArgoError && (error.phrase === 'UNREACHABLE' || error.phrase === 'UNCERTAIN');

/** The number with which libvirt refused; undefined where an error is none of its refusals. */
export const refusalOf = (error: unknown): number | undefined => {
  const cause = error instanceof ArgoError ? error.cause : error;
  return cause instanceof LibvirtError ? cause.code : undefined;
};

/** libvirt gives up after half a minute where another call holds the domain: nothing was done then. */
function phraseOf({ code, message }: LibvirtError): Phrase {
  if (code === ErrorCode.OPERATION_TIMEOUT && message.includes('state change lock')) return 'BUSY';
  return BY_CODE[code] ?? 'FAILED';
}

function explainConnecting(error: unknown): ArgoError | undefined {
  if (error instanceof AuthenticationError || error instanceof SshAuthenticationError) {
    return new ArgoError('ACCESS DENIED', oneLine(error.message), { cause: error });
  }
  if (error instanceof NoWayError) return new ArgoError('UNREACHABLE', oneLine(error.message), { cause: error });
  if (error instanceof HostKeyError) return new ArgoError('HOST KEY CHANGED', oneLine(error.message), { cause: error });
  if (error instanceof SshConnectionError) return new ArgoError('UNREACHABLE', oneLine(`SSH: ${error.message}`), { cause: error });
  const { code, address, syscall } = error instanceof Error ? error as NodeJS.ErrnoException & { address?: string } : {};
  if (code === undefined || syscall !== 'connect') return undefined;
  const [phrase, words] = BY_ERRNO[code] ?? ['UNREACHABLE', code];
  return new ArgoError(phrase, address === undefined ? words : `${address}: ${words}`, { cause: error });
}
