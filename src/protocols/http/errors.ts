import { CertificateError, ConnectionLostError } from '../tls/errors.js';

/** What an HTTP status, or a connection that broke, says about what was asked. One table for all drivers. */

/** What answers is not what is spoken there, or answers more than we take. The request was sent. */
export class ForeignAnswerError extends Error {
  override readonly name: string = 'ForeignAnswerError';
}

/** The answer is HTTP's own, by the server or a proxy before it. The request was sent. */
export class HttpStatusError extends ForeignAnswerError {
  constructor(readonly status: number) {
    super(`it answers with HTTP status ${status}`);
  }

  /** It proves that the request was not carried out. */
  get isRefusal(): boolean {
    return isRefusal(this.status);
  }
}

/**
 * Statuses by which HTTP refuses a request before it is carried out: it is elsewhere, there is no such
 * resource, it is not taken in this form or from this client (RFC 9110, 15.4 and 15.5; RFC 6585 for
 * 428 and 431). Every other one leaves it open, and these are the ones that look like refusals:
 *
 * - 300, 302, 303: programs answer so to a POST that they have carried out ("see there what came of it")
 * - 403: filters put it in the place of an answer that they hold back
 * - 406: frameworks find out when the work is done that nobody takes its answer in this form
 * - 408, 409, 425, 429: of a server behind another, they may count or contradict what has been begun
 * - 500 to 599, 501 and 503 as well: proxies that have passed a request on and lost the server after it
 *
 * A protocol whose service proves its refusals in the body (a SOAP fault, an error of Redfish's) goes by
 * that; the table is for answers without such a proof.
 */
const REFUSALS: ReadonlySet<number> = new Set([301, 305, 307, 308, 400, 401, 404, 405, 407, 410, 411, 412, 413, 414, 415, 417, 421, 426, 428, 431]);

/** Whether a status proves that the request was not carried out. */
export const isRefusal = (status: number): boolean => REFUSALS.has(status);

/** What a status says of the account or of what was asked, for the right word to a person. */
export type Meaning = 'done' | 'login' | 'not-found' | 'busy' | 'moved' | 'other';

/** Says nothing about whether the request was carried out: that is {@link isRefusal}. */
export function meaningOf(status: number): Meaning {
  if (status >= 200 && status < 300) return 'done';
  if (status >= 300 && status < 400) return 'moved';
  if (status === 401 || status === 403) return 'login';
  if (status === 404 || status === 410) return 'not-found';
  return status === 429 ? 'busy' : 'other';
}

/**
 * Whether what was asked may have been carried out although this came of it: an order in doubt is
 * UNCERTAIN. False for what is no error of HTTP's: the protocol above has its own.
 */
export function mayBeDone(error: unknown): boolean {
  if (error instanceof ConnectionLostError) return error.sent;
  if (error instanceof CertificateError) return false;
  if (error instanceof HttpStatusError) return !error.isRefusal;
  return error instanceof ForeignAnswerError;
}
