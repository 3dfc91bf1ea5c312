import type { IncomingMessage, ServerResponse } from 'node:http';
import { ArgoError, toArgoError, type Phrase } from '../../../kit/errors.js';
import { COMPRESSED_FROM, RETRY_AFTER_S, STREAM_STALL } from '../../../kit/web-limits.js';
import { HttpError, type Visit } from '../../../listening/http.js';
import type { ApiAnswer } from '../api.js';
import { JsonText } from '../json-text.js';
import type { Failure } from '../messages.js';
import { failureFor } from '../refusals.js';

/** How answers are written: JSON, lines of JSON, and refusals. */

/** What each phrase of the protocol is in HTTP (RFC 9110, 15; 429 is RFC 6585). */
export const STATUSES = {
  'NOT AUTHENTICATED': 401, 'NOT ALLOWED': 403, 'UNKNOWN COMMAND': 400, USAGE: 400, 'BAD REQUEST': 400, 'LINE TOO LONG': 413,
  'NO MATCH': 404, 'NO SUCH INSTANCE': 404, AMBIGUOUS: 409, 'NO SUCH PROVIDER': 404, 'NO SUCH TASK': 404, 'NO SUCH PLAN': 404, 'NO SUCH REQUEST': 404, 'NO SUCH RUN': 404,
  'NOT SUPPORTED': 501, 'WRONG STATE': 409, BUSY: 429, TIMEOUT: 504, UNREACHABLE: 503, 'ACCESS DENIED': 502, 'HOST KEY CHANGED': 502,
  'CERTIFICATE REJECTED': 502, 'NEEDS ANSWER': 409, FAILED: 502, 'CURSOR EXPIRED': 410, UNCERTAIN: 502, 'AUDIT UNAVAILABLE': 503,
  'TOO MANY CONNECTIONS': 503, 'SHUTTING DOWN': 503, 'INTERNAL ERROR': 500,
} as const satisfies Record<Phrase, number>;

const JSON_TYPE = 'application/json; charset=utf-8';
const LINES_TYPE = 'application/x-ndjson; charset=utf-8';
/** What is told is of this moment, and of this account. */
const OWN: readonly string[] = ['cache-control', 'no-store', 'x-content-type-options', 'nosniff'];

/** Whether a client takes an encoding (RFC 9110, 12.5.3), as far as browsers and curl say it. */
export const accepts = ({ headers: { 'accept-encoding': accepted = '' } }: IncomingMessage, encoding: string): boolean =>
  accepted.split(',').some((one) => {
    const [name = '', ...parameters] = one.split(';').map((part) => part.trim());
    return name.toLowerCase() === encoding && !parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter));
  });

/**
 * Sends JSON, compressed where it is long and the client takes that.
 * @param headers further ones: names and values in turn
 */
export async function sendJson(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  json: string | JsonText,
  headers: readonly string[] = [],
): Promise<void> {
  const text = typeof json === 'string' ? new JsonText(json) : json;
  const isShort = text.plain.length < COMPRESSED_FROM || !accepts(request, 'gzip');
  const body = isShort ? text.plain : await text.compressed();
  response.writeHead(status, [
    'content-type',
    JSON_TYPE,
    'content-length',
    String(body.length),
    ...OWN,
    'vary',
    'accept-encoding',
    ...(isShort ? [] : ['content-encoding', 'gzip']),
    ...headers,
  ]);
  response.end(body);
}

/** GET too where only its head is asked for: node:http leaves the body out (RFC 9110, 9.3.2). */
export const methodOf = ({ method = '' }: IncomingMessage): string => (method === 'HEAD' ? 'GET' : method);

/** What comes in place of a cookie or a token that is missing or wrong (RFC 9110, 15.5.2). */
const CHALLENGE: readonly string[] = ['www-authenticate', 'Bearer realm="argo-server"'];

/** What an answer says that is none of the protocol's, by its status. */
const phraseOf = (status: number): Phrase => (status === 401 ? 'NOT AUTHENTICATED' : status === 403 ? 'NOT ALLOWED' : status === 503 ? 'SHUTTING DOWN' : status === 504 ? 'TIMEOUT' : status >= 500 ? 'INTERNAL ERROR' : 'BAD REQUEST');

/** What a client is told of a fault; what is nobody's business is in the log, by whoever calls. */
export function failureOf(error: unknown): { readonly status: number; readonly failure: Failure; readonly headers: readonly string[] } {
  if (error instanceof HttpError) {
    return {
      status: error.status,
      failure: { error: phraseOf(error.status), detail: error.message },
      headers: [...Object.entries(error.headers).flat(), ...challengeOf(error.status)],
    };
  }
  const status = STATUSES[toArgoError(error).phrase];
  return { status, failure: failureFor(error), headers: status === 429 ? ['retry-after', String(RETRY_AFTER_S)] : challengeOf(status) };
}

const challengeOf = (status: number): readonly string[] => (status === 401 ? CHALLENGE : []);

/** Sends why not. With a body that was not read to its end there is no next request on the connection. */
export async function sendFailure(request: IncomingMessage, response: ServerResponse, error: unknown): Promise<void> {
  if (response.headersSent || response.destroyed) return void response.destroy();
  const { status, failure, headers } = failureOf(error);
  await sendJson(request, response, status, JSON.stringify(failure), [...headers, ...(request.complete ? [] : ['connection', 'close'])]);
}

/** A fault as it refuses an upgrade: with the same statuses. */
export function upgradeFailure(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  const { phrase, message } = toArgoError(error);
  return new HttpError(STATUSES[phrase], message);
}

/** Sends what is no JSON in one piece. */
export async function sendAnswer(
  request: IncomingMessage,
  response: ServerResponse,
  visit: Visit,
  answer: Exclude<ApiAnswer, { json: unknown }>,
): Promise<void> {
  if (!('stream' in answer)) return void response.writeHead(answer.status, [...OWN]).end();
  if (request.method !== 'HEAD') return sendLines(response, visit, answer.stream);
  await answer.stream[Symbol.asyncIterator]().return?.();
  response.writeHead(200, ['content-type', LINES_TYPE, ...OWN]).end();
}

/** A document a line, no faster than they are read. A client that does not read for long is cut off. */
async function sendLines(response: ServerResponse, { lasting }: Visit, documents: AsyncIterable<unknown>): Promise<void> {
  lasting();
  response.writeHead(200, ['content-type', LINES_TYPE, ...OWN]);
  response.flushHeaders();
  for await (const document of documents) {
    if (response.destroyed) return;
    if (!response.write(`${JSON.stringify(document)}\n`) && !await isDrained(response)) return void response.destroy();
  }
  response.end();
}

/** @returns false where it is not read, or closed */
const isDrained = (response: ServerResponse): Promise<boolean> => new Promise((resolve) => {
  const end = (is: boolean) => (): void => {
    clearTimeout(timer);
    response.off('drain', drained).off('close', closed);
    resolve(is);
  };
  const [drained, closed] = [end(true), end(false)];
  const timer = setTimeout(closed, STREAM_STALL);
  response.on('drain', drained).on('close', closed);
});

/** The body as JSON. @param most bytes @throws HttpError 400, 413, 415 */
export async function readJson({ headers }: IncomingMessage, { body }: Visit, most?: number): Promise<unknown> {
  // a form of another site could send anything else without that we are asked first
  if (!/^application\/json(?:\s*;|$)/i.test(headers['content-type'] ?? '')) throw new HttpError(415, 'content-type: application/json is expected');
  const text = (await body(most)).toString('utf8');
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new HttpError(400, 'the body is no JSON');
  }
}

/** Whether its cause belongs into the log: it is neither a refusal nor the client's going away. */
export const isFault = (error: unknown, { signal }: Visit): boolean =>
  !(error instanceof HttpError) && (!(error instanceof ArgoError) || error.phrase === 'INTERNAL ERROR') && !signal.aborted;
