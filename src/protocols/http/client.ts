import { request as send, type Agent, type ClientRequest, type IncomingMessage } from 'node:http';
import { Places } from '../../kit/places.js';
import { beginSlice, giveWay } from '../../kit/slices.js';
import { onAbort, within } from '../../kit/within.js';
import { describe } from '../tls/connect.js';
import { CertificateError, ConnectionLostError } from '../tls/errors.js';
import { ForeignAnswerError } from './errors.js';

/** The whole of one exchange where nothing else is said, ms. */
export const EXCHANGE_TIMEOUT_MS = 30_000;
/** Bytes of one answer where nothing else is said. */
export const ANSWER_LIMIT = 32 * 1024 * 1024;

/** Requests that wait for a connection; one more is BUSY at once. */
const REQUESTS_WAITING = 100_000;

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  /** with its query */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly signal: AbortSignal;
  /** bytes of the answer */
  readonly limit?: number;
  /** told before any of it may have reached the server */
  readonly onSend?: (() => void) | undefined;
}

/** An answer, whose body comes as it arrives. */
export class HttpAnswer {
  readonly #incoming: IncomingMessage;
  readonly #signal: AbortSignal;
  readonly #limit: number;

  constructor(incoming: IncomingMessage, signal: AbortSignal, limit: number) {
    this.#incoming = incoming;
    this.#signal = signal;
    this.#limit = limit;
  }

  get status(): number {
    return this.#incoming.statusCode ?? 0;
  }

  /** Content-Type without parameters, in lower case; may be empty. */
  get type(): string {
    return (this.#incoming.headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase();
  }

  /** All values of a header, each as it came. @param name in lower case */
  header(name: string): readonly string[] {
    return this.#incoming.headersDistinct[name] ?? [];
  }

  /** Can be read once. Throws ForeignAnswerError beyond the limit, ConnectionLostError, or the signal's reason. */
  get body(): AsyncIterable<Buffer> {
    return this.#read();
  }

  /** Ends an answer that nobody reads any further: its connection is closed where more of it was to come. */
  discard(): void {
    if (!this.#incoming.complete) this.#incoming.destroy();
  }

  async*#read(): AsyncGenerator<Buffer> {
    let bytes = 0;
    try {
      for await (const chunk of this.#incoming as AsyncIterable<Buffer>) {
        beginSlice();
        bytes += chunk.length;
        if (bytes > this.#limit) throw new ForeignAnswerError(`its answer is longer than ${this.#limit} bytes`);
        yield chunk;
      }
    } catch (error) {
      this.#signal.throwIfAborted();
      throw asOurs(error, true, false);
    }
  }
}

/**
 * HTTP/1.1 with one server, for all who speak it. Whom to trust and how many connections there may be
 * is the agent's; what is said is the protocol's. Redirects are answers like others: nobody is followed
 * to where the configuration does not say, with a password least of all.
 */
export class HttpClient {
  readonly #agent: Agent;
  readonly #places: Places;

  constructor(readonly origin: URL, agent: Agent) {
    this.#agent = agent;
    // An agent that makes its connections in its own time counts only those that are made.
    this.#places = new Places(agent.maxSockets, REQUESTS_WAITING);
  }

  /**
   * Sends a request and lets `read` take the answer, which must be done with it when it resolves.
   * @param request with `timeout`, ms, for all of it
   * @throws ConnectionLostError, CertificateError, ForeignAnswerError, ArgoError BUSY, the signal's reason, what `read` throws
   */
  async exchange<T>(request: HttpRequest & { readonly timeout?: number }, read: (answer: HttpAnswer) => Promise<T>): Promise<T> {
    const { signal, timeout = EXCHANGE_TIMEOUT_MS } = request;
    signal.throwIfAborted();
    let sent = false;
    const onSend = (): void => {
      sent = true;
      request.onSend?.();
    };
    let ends: AbortSignal | undefined;
    try {
      return await within(timeout, [signal], async (both) => {
        ends = both;
        const answer = await this.open({ ...request, signal: both, onSend });
        try {
          return await read(answer);
        } finally {
          answer.discard();
        }
      });
    } catch (error) {
      signal.throwIfAborted();
      throw ends?.aborted ? new ConnectionLostError(`no answer within ${timeout / 1000} s`, sent) : error;
    }
  }

  /**
   * Sends a request, for those who read the answer at their own pace. They must read all of it, or
   * discard it, or abort the signal, which is the only end that it has.
   * @throws as {@link exchange}
   */
  async open(request: HttpRequest): Promise<HttpAnswer> {
    await giveWay();
    const leave = await this.#places.take(request.signal);
    let outgoing: ClientRequest;
    try {
      outgoing = this.#begin(request);
    } catch (error) {
      leave();
      throw error;
    }
    return answerOf(outgoing.once('close', leave), request);
  }

  /** @throws TypeError for what can be no header or path */
  #begin({ method, path, headers = {}, body, signal }: HttpRequest): ClientRequest {
    return send({
      agent: this.#agent, method, path, signal, host: this.origin.hostname, port: this.origin.port || undefined,
      headers: { host: this.origin.host, ...headers, ...(body !== undefined && { 'content-length': String(Buffer.byteLength(body)) }) },
    });
  }

  /** What is under way ends with ConnectionLostError. */
  close(): void {
    this.#agent.destroy();
  }
}

/** Sends the body, and waits for the head of the answer. */
function answerOf(outgoing: ClientRequest, { body, signal, onSend, limit = ANSWER_LIMIT }: HttpRequest): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    let sent = false;
    // While its connection is being made, a request does not say that it was given up.
    const forget = onAbort(signal, reject);
    outgoing.once('socket', () => {
      forget();
      sent = true;
      onSend?.();
    });
    outgoing.once('response', (incoming) => {
      beginSlice();
      resolve(new HttpAnswer(incoming, signal, limit));
    });
    // Nobody asked for it, and without this there would be neither an answer nor an error.
    outgoing.once('upgrade', (_incoming, socket) => {
      socket.destroy();
      reject(new ForeignAnswerError('it goes on with another protocol'));
    });
    outgoing.on('error', (error) => {
      forget();
      reject(signal.aborted ? signal.reason as Error : asOurs(error, sent, sent && outgoing.reusedSocket) as Error);
    });
    outgoing.end(body);
  });
}

/**
 * An error of Node's HTTP or sockets as one of ours.
 * @param sent whether the server may have had the request
 * @param wasIdle whether the connection had been kept from an earlier request
 */
function asOurs(error: unknown, sent: boolean, wasIdle: boolean): unknown {
  if (error instanceof ConnectionLostError || error instanceof CertificateError || error instanceof ForeignAnswerError) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (typeof code !== 'string') return error;
  if (code.startsWith('HPE_')) return new ForeignAnswerError('its answer is no HTTP', { cause: error });
  return new ConnectionLostError(describe(error), sent, { cause: error, wasIdle });
}

/** The whole of a body. @throws as {@link HttpAnswer.body} */
export async function collect(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}
