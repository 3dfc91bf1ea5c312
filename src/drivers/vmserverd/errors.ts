import { ArgoError, PHRASES, type Phrase } from '../../kit/errors.js';
import { harmless, oneLine } from '../../kit/text.js';
import { CODES, OperationError } from '../../protocols/vmserverd/codes.js';
import { AuthdRefusal, PlainTextError, VmserverdAnswerError } from '../../protocols/vmserverd/errors.js';
import { CertificateError, ConnectionLostError } from '../../protocols/tls/errors.js';
import { PLAIN_PASSWORD } from '../tls/options.js';

/** Every error of vmserverd and of the way to it, as a user reads it. One table. */

/** Whether what was asked for changes anything: then what leaves open whether it was carried out is UNCERTAIN. */
export type Effect = 'reads' | 'acts';

const BY_CODE: Readonly<Record<number, Phrase>> = {
  [CODES.NO_PERMISSION]: 'ACCESS DENIED',
  [CODES.WRONG_STATE]: 'WRONG STATE',
  [CODES.NO_SUCH_MACHINE]: 'NO SUCH INSTANCE',
  [CODES.UNKNOWN_OPERATION]: 'NOT SUPPORTED',
  [CODES.NOT_SUPPORTED]: 'NOT SUPPORTED',
  [CODES.BUSY]: 'BUSY',
};

/** Phrases of an argo-server behind it that have no number of their own; it says them at the beginning of its words. */
const PASSED_ON: ReadonlySet<string> = new Set<Phrase>(['UNCERTAIN', 'UNREACHABLE', 'NEEDS ANSWER', 'ACCESS DENIED', 'TIMEOUT', 'WRONG STATE', 'NOT SUPPORTED', 'BUSY']);

/** Characters of a server's words that are told on. */
const MOST_WORDS = 500;

const clean = (words: string): string => harmless(oneLine(words, MOST_WORDS));

/** The login was refused; the same credentials are held back for a while. */
export class LoginRefused extends AuthdRefusal {
  /** @param hint until when they are held back */
  constructor({ message }: AuthdRefusal, readonly hint: string) {
    super(message, true);
  }
}

export const refusal = (error: unknown, hint: string): LoginRefused | undefined =>
  error instanceof AuthdRefusal && error.isLogin ? new LoginRefused(error, hint) : undefined;

/** @returns what is no error of vmserverd's as it is: an abort's reason, an ArgoError, a fault of ours */
export function explain(error: unknown, effect: Effect): unknown {
  if (error instanceof OperationError) return ofServer(error, effect);
  if (error instanceof ConnectionLostError || error instanceof VmserverdAnswerError) return new ArgoError(effect === 'acts' && error.sent ? 'UNCERTAIN' : 'UNREACHABLE', clean(`the server: ${error.message}`), { cause: error });
  if (error instanceof LoginRefused) return new ArgoError('ACCESS DENIED', clean([error.message, error.hint].filter((one) => one !== '').join('; ')), { cause: error });
  if (error instanceof AuthdRefusal) return new ArgoError('UNREACHABLE', clean(error.message), { cause: error });
  if (error instanceof PlainTextError) return new ArgoError('UNREACHABLE', `the server speaks in the clear: ${PLAIN_PASSWORD.replace('use https', 'have it speak TLS')}`, { cause: error });
  if (error instanceof CertificateError) return new ArgoError('CERTIFICATE REJECTED', clean(error.message), { cause: error });
  if (error instanceof RangeError) return new ArgoError('ACCESS DENIED', clean(error.message), { cause: error });
  return error;
}

function ofServer(error: OperationError, effect: Effect): ArgoError {
  const { code, message } = error;
  const options = { cause: error };
  if (code === CODES.TIMEOUT) return new ArgoError(effect === 'acts' ? 'UNCERTAIN' : 'TIMEOUT', clean(message), options);
  if (code === CODES.UNEXPECTED_RESPONSE) return new ArgoError(effect === 'acts' ? 'UNCERTAIN' : 'UNREACHABLE', clean(message), options);
  if (code === CODES.UNSPECIFIED) return inWords(message, options);
  const phrase = Object.hasOwn(BY_CODE, code) ? BY_CODE[code]! : 'FAILED';
  return new ArgoError(phrase, clean(phrase === 'FAILED' ? `${message} (error ${code})` : withoutPhrase(message)), options);
}

/** What a server says in words alone: in those of an argo-server they begin with a phrase. */
export function inWords(words: string, options?: { readonly cause?: unknown }): ArgoError {
  const [, phrase = '', rest = ''] = /^([A-Z]{2,}(?: [A-Z]+)*)(?:: (.*))?$/s.exec(words) ?? [];
  return PASSED_ON.has(phrase) ? new ArgoError(phrase as Phrase, clean(rest), options) : new ArgoError('FAILED', clean(words), options);
}

/** Words without a phrase of ours in front, which will be said anew. */
const withoutPhrase = (words: string): string => {
  const [, phrase = '', rest = ''] = /^([A-Z]{2,}(?: [A-Z]+)*)(?:: (.*))?$/s.exec(words) ?? [];
  return Object.hasOwn(PHRASES, phrase) ? rest : words;
};
