import { ArgoError, type Phrase } from '../../kit/errors.js';
import { oneLine } from '../../kit/text.js';
import { CertificateError, ConnectionLostError } from '../../protocols/tls/errors.js';
import { isGeneralFailure, WmiAccessError, WmiAnswerError, WmiFault, type WmiFaultKind } from '../../protocols/wmi/errors.js';

/** Every error of WMI and of the ways to it, as a user reads it. One table. */

/** Whether a call that was cut off may have been carried out. */
export type Effect = 'reads' | 'acts';

/** Enough for the reason of a machine, short enough for one line. Characters. */
const MOST_WORDS = 300;

const BY_KIND: Readonly<Record<Exclude<WmiFaultKind, 'timed-out' | 'interrupted' | 'other'>, readonly [Phrase, string]>> = {
  'no-such-instance': ['NO SUCH INSTANCE', 'the machine no longer has it'],
  'no-such-class': ['NOT SUPPORTED', 'this Windows has no such WMI class: is the role or feature installed?'],
  'no-such-method': ['NOT SUPPORTED', 'this version of Windows cannot do that'],
  'access-denied': ['ACCESS DENIED', 'the account has logged in, but lacks the right: see "Rights" in the documentation of the driver'],
  'privilege-not-held': ['ACCESS DENIED', 'the account lacks a privilege; to shut a host down it needs "Force shutdown from a remote system" (SeRemoteShutdownPrivilege)'],
  quota: ['BUSY', 'the machine takes no more requests of this account for now'],
};

/**
 * @param effect `acts`: what was cut off after sending, or timed out or broken off over there, is UNCERTAIN
 * @returns what is no error of WMI's as it is: an abort's reason, an ArgoError, a fault of ours
 */
export function explain(error: unknown, effect: Effect): unknown {
  const inDoubt = effect === 'acts' ? 'UNCERTAIN' : 'UNREACHABLE';
  if (error instanceof WmiFault) return explainFault(error, effect);
  if (error instanceof WmiAccessError) return new ArgoError('ACCESS DENIED', detailOf(error.message), { cause: error });
  if (error instanceof CertificateError) return new ArgoError('CERTIFICATE REJECTED', detailOf(error.message), { cause: error });
  if (error instanceof ConnectionLostError) return new ArgoError(error.sent ? inDoubt : 'UNREACHABLE', detailOf(`WMI: ${error.message}`), { cause: error });
  if (error instanceof WmiAnswerError) return new ArgoError(error.sent ? inDoubt : 'UNREACHABLE', detailOf(`WMI: ${error.message}`), { cause: error });
  return error;
}

function explainFault(fault: WmiFault, effect: Effect): ArgoError {
  const { kind, code, message } = fault;
  // The service has given up waiting for the provider, which may be at work all the same.
  if (kind === 'timed-out') return new ArgoError(effect === 'acts' ? 'UNCERTAIN' : 'TIMEOUT', 'the WMI service did not answer in time', { cause: fault });
  if (kind === 'interrupted') return new ArgoError(effect === 'acts' ? 'UNCERTAIN' : 'UNREACHABLE', detailOf(`the WMI service broke it off: ${message}`), { cause: fault });
  if (kind === 'other' && effect === 'acts' && isGeneralFailure(code)) return new ArgoError('UNCERTAIN', detailOf(`the WMI service failed somewhere: ${message}`), { cause: fault });
  if (kind === 'other') return new ArgoError('FAILED', detailOf(message) || `the WMI service refuses it with error ${code}`, { cause: fault });
  const [phrase, words] = BY_KIND[kind];
  return new ArgoError(phrase, words, { cause: fault });
}

/** A machine's words as the detail of an error. */
export const detailOf = (words: string): string => oneLine(words, MOST_WORDS);
