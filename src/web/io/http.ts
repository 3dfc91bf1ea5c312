import type { Failure } from '../../gateways/web/messages.js';

/** Requests to the server that the page came from. */

/** Longer than the server takes for any of them, ms. */
const TIMEOUT_MS = 30_000;

/** An answer that is not 2xx, or none at all. */
export class RequestError extends Error {
  /** @param status 0 where there was no answer */
  constructor(readonly status: number, readonly failure: Failure) {
    super(failure.detail === '' ? failure.error : `${failure.error}: ${failure.detail}`);
  }
}

const NO_ANSWER: Failure = { error: 'NO ANSWER', detail: 'the server could not be reached' };

async function failureOf(response: Response): Promise<Failure> {
  try {
    const { error, detail } = await response.json() as Partial<Failure>;
    return { error: String(error ?? `HTTP ${response.status}`), detail: String(detail ?? '') };
  } catch {
    return { error: `HTTP ${response.status}`, detail: '' };
  }
}

/** What is done when the session is found to be over. */
let onLoggedOut = (): void => undefined;
export const whenLoggedOut = (then: () => void): void => { onLoggedOut = then; };

/** @throws RequestError */
export async function request<T>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const late = AbortSignal.timeout(TIMEOUT_MS);
  let response: Response;
  try {
    response = await fetch(`/api/${path}`, {
      method, credentials: 'same-origin', signal: signal === undefined ? late : AbortSignal.any([signal, late]),
      headers: method === 'GET' ? { accept: 'application/json' } : { accept: 'application/json', 'content-type': 'application/json', 'x-argo': '1' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch (error) {
    if (signal?.aborted === true) throw error;
    throw new RequestError(0, NO_ANSWER);
  }
  if (!response.ok) {
    if (response.status === 401 && path !== 'session') onLoggedOut();
    throw new RequestError(response.status, await failureOf(response));
  }
  return (response.status === 204 ? undefined : await response.json()) as T;
}

export const get = <T>(path: string, signal?: AbortSignal): Promise<T> => request<T>('GET', path, undefined, signal);
export const post = <T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> => request<T>('POST', path, body, signal);

/** A name as one segment of a path. */
export const segment = encodeURIComponent;

/** A word for an error, for people. */
export const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** A key that nobody else makes. `randomUUID` is missing where the page came without TLS. */
export const onceKey = (): string => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
