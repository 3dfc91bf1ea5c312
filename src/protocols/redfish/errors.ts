import { oneLine } from '../../kit/text.js';
import { BoardError, type BoardFault } from '../board/errors.js';
import { ForeignAnswerError, isRefusal, meaningOf } from '../http/errors.js';
import { CertificateError, ConnectionLostError } from '../tls/errors.js';

/** Characters of a board's words that are told. */
const WORDS_TOLD = 300;

type Json = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The messages of an error (DSP0266, 8.6): their ids without registry and version, and their words. */
interface Told {
  readonly ids: readonly string[];
  readonly words: string;
}

/** @returns undefined where a body is no error of Redfish's, such as a proxy's */
function toldBy(body: unknown): Told | undefined {
  const error = isObject(body) ? body.error : undefined;
  if (!isObject(error)) return undefined;
  const list = error['@Message.ExtendedInfo'];
  const infos = (Array.isArray(list) ? list as unknown[] : [list]).filter(isObject);
  const ids = [error.code, ...infos.map(({ MessageId }) => MessageId)].filter((id) => typeof id === 'string').map((id) => id.split('.').at(-1) ?? '');
  const told = infos.map(({ Message }) => Message).filter((words) => typeof words === 'string');
  const words = oneLine((told.length > 0 ? told : [error.message].filter((each) => typeof each === 'string')).join(' '));
  return ids.length === 0 && words === '' ? undefined : { ids, words: (words || ids.join(', ')).slice(0, WORDS_TOLD) };
}

/** Messages of the Base registry (DSP8011) that say more than the status. */
const MESSAGES: readonly (readonly [RegExp, BoardFault])[] = [
  [/^(?:NoValidSession|InvalidUsernameOrPassword|UnauthorizedLoginAttempt|ResourceAtUriUnauthorized|AuthenticationTokenRequired)$/i, 'login refused'],
  [/^(?:InsufficientPrivilege\w*|AccessDenied)$/i, 'right missing'],
  [/^(?:SessionLimitExceeded|ServiceTemporarilyUnavailable|ResourceInUse|ServiceShuttingDown|CouldNotEstablishConnection|\w*InProgress)$/i, 'busy'],
  [/^(?:ActionNotSupported|ActionParameter\w*|PropertyValueNotInList|OperationNotAllowed|QueryNotSupported)$/i, 'unsupported'],
  [/^(?:ResourceInStandby|ResourceAlreadyExists|InvalidOperationForSystemState|ResourceStateChangeNotAllowed)$/i, 'wrong state'],
];

/** Where the board says nothing more of it. */
function faultOf(status: number): BoardFault {
  if (status === 401) return 'login refused';
  if (status === 403) return 'right missing';
  if (status === 405 || status === 501) return 'unsupported';
  if (status === 409) return 'wrong state';
  return status === 429 || status === 503 ? 'busy' : 'failed';
}

/**
 * What a status that is no success says. The service's own words prove that it has refused, except for
 * those by which it says that it failed on the way; without them it may be a proxy that speaks.
 */
export function explainStatus(status: number, body: unknown, isOrder: boolean): BoardError {
  const told = toldBy(body);
  if (told === undefined) {
    if (isOrder && !isRefusal(status)) return new BoardError('lost', `it answers with HTTP status ${status}`);
    const fault = meaningOf(status) === 'other' && status >= 500 && !isOrder ? 'silent' : faultOf(status);
    return new BoardError(fault, `it answers with HTTP status ${status}`);
  }
  const fault = MESSAGES.find(([pattern]) => told.ids.some((id) => pattern.test(id)))?.[1];
  if (isOrder && fault === undefined && status >= 500 && status !== 501 && status !== 503) return new BoardError('lost', `it says: ${told.words}`);
  return new BoardError(fault ?? faultOf(status), `it says: ${told.words}`);
}

/** What is thrown on the way to a board, as an error of Redfish's; anything else as it is. @param isSent an order may have reached it */
export function explainRedfish(error: unknown, isSent: boolean): unknown {
  if (error instanceof CertificateError) return new BoardError('certificate', error.message, { cause: error });
  if (error instanceof ConnectionLostError) return new BoardError(isSent && error.sent ? 'lost' : 'silent', error.message, { cause: error });
  if (error instanceof ForeignAnswerError) return new BoardError(isSent ? 'lost' : 'failed', error.message, { cause: error });
  return error;
}
