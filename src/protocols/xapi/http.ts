import { request as send, type ClientRequest, type IncomingMessage } from 'node:http';
import { ForeignAnswerError } from './errors.js';
import { CertificateError, ConnectionLostError } from '../tls/errors.js';
import { TrustedAgent } from '../tls/agent.js';
import { describe, type Trust } from '../tls/connect.js';

/** Sockets to one server: its answers are quick, and one of them waits for events. */
const SOCKETS = 16;
/** Sockets that are kept open between calls. */
const IDLE_SOCKETS = 4;
/** The whole of one call where nothing else is said, ms. */
export const CALL_TIMEOUT_MS = 30_000;
/** Bytes of one answer where nothing else is said. */
export const ANSWER_LIMIT = 32 * 1024 * 1024;

export interface Exchange {
  readonly method: 'GET' | 'POST';
  /** with its query */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
  /** ms */
  readonly timeout?: number;
  /** bytes of the answer */
  readonly limit?: number;
  /** told before any of it may have reached the server */
  readonly onSend?: (() => void) | undefined;
}

export interface Answer {
  readonly status: number;
  /** without parameters */
  readonly type: string;
  readonly body: AsyncIterable<Buffer>;
}

/** HTTP with one server: trust, deadlines and limits in one place. Knows nothing of what is said. */
export class HttpLink {
  readonly #agent: TrustedAgent;

  constructor(readonly origin: URL, trust: Trust) {
    this.#agent = new TrustedAgent(origin, trust, { maxSockets: SOCKETS, maxFreeSockets: IDLE_SOCKETS });
  }

  /**
   * Sends a request and lets `read` take the answer, which must be done with it when it resolves.
   * @throws ConnectionLostError, CertificateError, ForeignAnswerError, the signal's reason, what `read` throws
   */
  async exchange<T>(exchange: Exchange, read: (answer: Answer) => Promise<T>): Promise<T> {
    const { signal, timeout = CALL_TIMEOUT_MS, limit = ANSWER_LIMIT } = exchange;
    signal.throwIfAborted();
    const stop = new AbortController();
    const giveUp = (): void => stop.abort();
    signal.addEventListener('abort', giveUp, { once: true });
    const timer = setTimeout(giveUp, timeout);
    const progress = { sent: false };
    let answer: IncomingMessage | undefined;
    try {
      answer = await this.#ask(exchange, stop.signal, progress);
      const type = (answer.headers['content-type'] ?? '').split(';')[0]?.trim() ?? '';
      return await read({ status: answer.statusCode ?? 0, type, body: limited(answer, limit) });
    } catch (error) {
      signal.throwIfAborted();
      if (stop.signal.aborted) throw new ConnectionLostError(`no answer within ${timeout / 1000} s`, progress.sent);
      throw isFromSocket(error) ? new ConnectionLostError(describe(error), progress.sent, { cause: error }) : error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
      if (answer?.complete !== true) answer?.destroy();
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #ask({ method, path, headers = {}, body, onSend }: Exchange, signal: AbortSignal, progress: { sent: boolean }): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const request: ClientRequest = send({
        agent: this.#agent, method, path, signal, host: this.origin.hostname,
        headers: { host: this.origin.host, ...headers, ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }) },
      });
      request.once('socket', () => {
        progress.sent = true;
        onSend?.();
      });
      // A request that waits for a connection is told of its end only when it gets one.
      signal.addEventListener('abort', () => { if (!progress.sent) reject(signal.reason as Error); }, { once: true });
      request.once('response', resolve);
      request.once('error', reject);
      request.end(body);
    });
  }
}

/** An error of Node's HTTP or sockets; those of ours and of `read` are not. */
const isFromSocket = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && typeof error.code === 'string'
  && !(error instanceof ConnectionLostError) && !(error instanceof CertificateError) && error.name !== 'XapiError';

async function* limited(answer: IncomingMessage, limit: number): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > limit) throw new ForeignAnswerError(`its answer is longer than ${limit} bytes`);
    yield chunk;
  }
}

/** The whole of a body. */
export async function collect(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}
