import { TrustedAgent } from '../../protocols/http/agents.js';
import { HttpClient, type HttpAnswer } from '../../protocols/http/client.js';
import { tlsTrust } from '../../drivers/tls/options.js';
import { ConnectionLostError } from '../../protocols/tls/errors.js';
import { afterFailures } from '../../kit/backoff.js';
import { WEBHOOK_ANSWER, WEBHOOK_AT_A_TIME, WEBHOOK_RETRY_AFTER, WEBHOOK_RETRY_FIRST, WEBHOOK_RETRY_JITTER, WEBHOOK_RETRY_LONGEST } from '../../kit/webhook-limits.js';
import { CONTENT_TYPE } from './envelope.js';
import { sign, type Keys } from './keys.js';
import type { WebhookOptions } from './options.js';

/** What came of one attempt. */
export type Verdict =
  | { readonly result: 'delivered' | 'gone' }
  | {
    readonly result: 'failed';
    /** for the log: without the URL's path and without what the receiver says */
    readonly reason: string;
    /** how long it asks to be left alone, within bounds. Milliseconds */
    readonly retryAfter?: number;
  };

/** Whoever gets the events of one webhook: one address, to which its messages go and to no other. */
export class Receiver {
  /** scheme and host: all that may be told of the URL */
  readonly place: string;
  readonly #client: HttpClient;
  readonly #path: string;
  readonly #timeout: number;
  readonly #keys: Keys;
  #underWay = 0;
  #isRetired = false;

  /** @throws ArgoError where a file with authorities cannot be read */
  constructor(options: WebhookOptions, keys: Keys) {
    const { url, timeout, order } = options;
    const origin = new URL(url.origin);
    this.place = url.origin;
    this.#path = `${url.pathname}${url.search}`;
    this.#timeout = timeout;
    this.#keys = keys;
    const most = order ? 1 : WEBHOOK_AT_A_TIME;
    // A connection that is given up while it is made keeps its place until the attempt at it ends.
    this.#client = new HttpClient(origin, new TrustedAgent(origin, tlsTrust(options), { maxSockets: 2 * most, maxFreeSockets: most, timeout }));
  }

  /** One attempt, signed anew. Never rejects but where the signal is aborted. */
  async post(id: string, body: string, signal: AbortSignal): Promise<Verdict> {
    const keys = await this.#keys.current();
    const seconds = Math.floor(Date.now() / 1000);
    const headers = {
      'content-type': CONTENT_TYPE, 'webhook-id': id, 'webhook-timestamp': String(seconds),
      ...(keys.length > 0 && { 'webhook-signature': sign(keys, id, seconds, body) }),
    };
    const once = (): Promise<Verdict> => this.#client.exchange({ method: 'POST', path: this.#path, headers, body, signal, timeout: this.#timeout, limit: WEBHOOK_ANSWER }, judge);
    this.#underWay += 1;
    try {
      // A connection that the receiver ended while it was idle says nothing of the receiver.
      return await once().catch((error: unknown) => {
        if (error instanceof ConnectionLostError && error.wasIdle && !signal.aborted) return once();
        throw error;
      });
    } catch (error) {
      signal.throwIfAborted();
      return { result: 'failed', reason: (error as Error).message };
    } finally {
      this.#underWay -= 1;
      if (this.#isRetired) this.retire();
    }
  }

  /** Another one takes its place. What is under way ends first: it may have arrived. */
  retire(): void {
    this.#isRetired = true;
    if (this.#underWay === 0) this.#client.close();
  }
}

/** Only what says plainly that the message has arrived counts as that. Redirects are not followed: the message is for this address alone. */
async function judge(answer: HttpAnswer): Promise<Verdict> {
  const { status } = answer;
  await skip(answer);
  if (status >= 200 && status < 300) return { result: 'delivered' };
  if (status === 410) return { result: 'gone' };
  const reason = `HTTP status ${status}${status >= 300 && status < 400 ? ', and redirects are not followed' : ''}`;
  const retryAfter = parseRetryAfter(answer.header('retry-after')[0], Date.now());
  return { result: 'failed', reason, ...(retryAfter !== undefined && { retryAfter }) };
}

/** The body is worth nothing but a connection that can be used again: where it is long, slow or broken, that is given up. */
async function skip(answer: HttpAnswer): Promise<void> {
  try {
    for await (const chunk of answer.body) void chunk;
  } catch {
    answer.discard();
  }
}

/** How long a receiver asks to be left alone: seconds or a date (RFC 9110, 10.2.3). @returns milliseconds within bounds; undefined where it does not say */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  const ms = /^\d{1,9}$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), WEBHOOK_RETRY_AFTER);
}

/**
 * The pause before the next attempt, in milliseconds.
 * @param failures in a row, at least one
 * @param chance from 0 to 1
 */
export function pauseAfter(failures: number, retryAfter = 0, chance = Math.random()): number {
  const plain = afterFailures(failures, WEBHOOK_RETRY_FIRST, WEBHOOK_RETRY_LONGEST);
  return Math.max(plain * (1 + WEBHOOK_RETRY_JITTER * (2 * chance - 1)), retryAfter);
}
