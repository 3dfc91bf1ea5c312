import { WmiAnswerError } from '../wmi/errors.js';

/**
 * Statuses below 500 after which a request may have been carried out all the same: a proxy that lost
 * patience (408), a state that has changed meanwhile (409), and one that counts requests behind it (425, 429).
 */
const DOUBTFUL: readonly number[] = [408, 409, 425, 429];

/**
 * What an answer without SOAP means for the request. Redirects and the other statuses of 4xx say that the
 * request was not taken (RFC 9110, section 15.5). All of 5xx is doubtful, 501 and 503 too: a proxy may have
 * passed the request on before it says so.
 * @param isLogin whether the request was a login, which orders nothing
 */
export function withoutSoap(status: number, isLogin = false): WmiAnswerError {
  const isRefused = status >= 300 && status < 500 && !DOUBTFUL.includes(status);
  const hint = isRefused ? ': is WinRM at this URL?' : '';
  return new WmiAnswerError(`it answers ${isLogin ? 'a login ' : ''}with HTTP status ${status}, and no SOAP${hint}`, { sent: !isRefused && !isLogin });
}

/** Whether a service that has let somebody in can say so by this status; WinRM says 200 to a login without a body. */
export const mayBeAdmission = (status: number): boolean => status < 300 || (status < 500 && ![404, 407].includes(status) && !DOUBTFUL.includes(status)) || status === 500;
