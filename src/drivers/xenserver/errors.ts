import { ArgoError, type Phrase } from '../../kit/errors.js';
import { ForeignAnswerError, HttpStatusError, LoginRefusedError, TaskLostError, withoutHandles, XapiError } from '../../protocols/xapi/errors.js';
import { CertificateError, ConnectionLostError } from '../../protocols/tls/errors.js';
import type { Effect } from '../../protocols/xapi/pool.js';

/** Every error of XenAPI and of the way to it, as a user reads it. One table. */

/** @returns undefined where what belongs to the code is not there, or says that the code means something else */
type Words = (params: readonly string[]) => string | undefined;

const BY_CODE: Readonly<Record<string, readonly [Phrase, Words]>> = {
  VM_BAD_POWER_STATE: ['WRONG STATE', ([, expected, actual]) => expected && actual && `it is ${actual.toLowerCase()}; ${expected.toLowerCase()} is needed`],
  VM_LACKS_FEATURE: ['NOT SUPPORTED', () => 'the guest has no tools that could do it; --force does it the hard way'],
  VM_MISSING_PV_DRIVERS: ['NOT SUPPORTED', () => 'the guest has no tools that could do it; --force does it the hard way'],
  OTHER_OPERATION_IN_PROGRESS: ['BUSY', ([type, , operation]) => type && `the ${type} is occupied with ${operation ?? 'another operation'}`],
  SESSION_AUTHENTICATION_FAILED: ['ACCESS DENIED', () => 'the user or the password is wrong'],
  SESSION_INVALID: ['UNREACHABLE', () => 'the pool ends each session at once'],
  RBAC_PERMISSION_DENIED: ['ACCESS DENIED', ([right]) => right && `the user's role does not include ${right}`],
  HOST_IS_SLAVE: ['UNREACHABLE', ([master]) => master && `the host names ${master} as its master, which is not to be had`],
  HOST_STILL_BOOTING: ['UNREACHABLE', () => 'the host is still booting'],
  HOST_OFFLINE: ['UNREACHABLE', () => 'the host that it needs does not answer the pool'],
  HOST_NOT_DISABLED: ['FAILED', () => 'the host is not disabled, so it does not shut down'],
  HOST_IN_USE: ['FAILED', ([, type]) => type && `the host still carries a ${type}`],
  HANDLE_INVALID: ['NO SUCH INSTANCE', gone],
  UUID_INVALID: ['NO SUCH INSTANCE', gone],
  VM_IS_TEMPLATE: ['NO SUCH INSTANCE', () => 'it is a template now'],
  MESSAGE_METHOD_UNKNOWN: ['NOT SUPPORTED', ([method]) => method && `this version of XenAPI has no ${method}`],
  TASK_CANCELLED: ['FAILED', () => 'somebody has cancelled it'],
};

/** A disk or a network that is gone leaves the machine where it is. */
function gone([type = '']: readonly string[]): string | undefined {
  return /^(vm|host)$/i.test(type) ? `the pool no longer has that ${type}` : undefined;
}

/** The server's words for what is not in the table: a code, and what belongs to it. */
const othersWords = ({ code, params }: XapiError): string => [code, ...params].join(' ');

/** The master has lost the host that it was passing the order on to (xapi's message forwarding), so that it may have arrived. */
const LOST_ON_THE_WAY = 'CANNOT_CONTACT_HOST';

/** Whether what was ordered may have been carried out all the same. */
export function isInDoubt(error: unknown): boolean {
  if (error instanceof ConnectionLostError) return error.sent;
  if (error instanceof HttpStatusError) return !error.isRefusal;
  return error instanceof ForeignAnswerError || error instanceof TaskLostError || (error instanceof XapiError && error.code === LOST_ON_THE_WAY);
}

/**
 * @param effect `acts`: what leaves open whether it was carried out is UNCERTAIN
 * @returns what is no error of XenAPI's as it is: an abort's reason, an ArgoError, a fault of ours
 */
export function explain(error: unknown, effect: Effect): unknown {
  const inDoubt = effect === 'acts' && isInDoubt(error) ? 'UNCERTAIN' : 'UNREACHABLE';
  if (error instanceof XapiError && error.code === LOST_ON_THE_WAY) return new ArgoError(inDoubt, 'the pool has lost the host that has to do it', { cause: error });
  if (error instanceof XapiError) {
    const [phrase, words] = Object.hasOwn(BY_CODE, error.code) ? BY_CODE[error.code]! : ['FAILED' as const, () => undefined];
    const said = words(error.params);
    if (error instanceof LoginRefusedError) return new ArgoError(phrase, clean(`${said ?? othersWords(error)}; ${error.hint}`), { cause: error });
    if (said) return new ArgoError(phrase, clean(said), { cause: error });
    return new ArgoError(words === gone ? 'FAILED' : phrase, clean(othersWords(error)), { cause: error });
  }
  if (error instanceof TaskLostError) return new ArgoError(inDoubt, clean(error.message), { cause: error });
  if (error instanceof ConnectionLostError) return new ArgoError(inDoubt, clean(`the pool: ${error.message}`), { cause: error });
  if (error instanceof CertificateError) return new ArgoError('CERTIFICATE REJECTED', clean(error.message), { cause: error });
  if (error instanceof ForeignAnswerError) return new ArgoError(inDoubt, clean(`the pool: ${error.message}`), { cause: error });
  return error;
}

/** One line, in which no handle can be read. */
const clean = (words: string): string => withoutHandles(words).replace(/\s+/g, ' ').trim();
