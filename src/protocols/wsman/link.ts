import { Agent, request as send, type ClientRequestArgs, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { describe } from '../tls/connect.js';
import { ConnectionLostError } from '../tls/errors.js';
import { WmiAnswerError } from '../wmi/errors.js';

/** What is posted. */
export interface Post {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly signal: AbortSignal;
  /** ms */
  readonly timeout: number;
}

export interface Reply {
  readonly status: number;
  /** Content-Type, without parameters, in lower case */
  readonly type: string;
  /** WWW-Authenticate, each as it came */
  readonly challenges: readonly string[];
  readonly body: Buffer;
}

/** An agent with one socket, which it was given. */
class OneSocketAgent extends Agent {
  #used = false;
  readonly #socket: Socket;

  constructor(socket: Socket) {
    super({ keepAlive: true, maxSockets: 1 });
    this.#socket = socket;
  }

  override createConnection(_options: ClientRequestArgs, callback?: (error: Error | null, stream: Duplex) => void): Duplex | undefined {
    if (!this.#used) {
      this.#used = true;
      return this.#socket;
    }
    const fail = callback as (error: Error) => void;
    process.nextTick(() => fail(new ConnectionLostError('the connection was cut off', false)));
    return undefined;
  }
}

/** HTTP/1.1 over one socket that is connected: when the socket ends, so does the link. One exchange at a time. */
export class HttpLink {
  readonly #agent: OneSocketAgent;
  #isOpen = true;
  #wasCut = false;
  #answered = false;
  readonly #url: URL;
  readonly #limit: number;

  /** @param limit bytes of an answer's body */
  constructor(readonly socket: Socket, url: URL, limit: number) {
    this.#url = url;
    this.#limit = limit;
    this.#agent = new OneSocketAgent(socket);
    const end = (): void => {
      if (this.#isOpen) this.#wasCut = true;
      this.#isOpen = false;
    };
    // An error is followed by `close`; whoever waits for an answer hears of it through the request.
    socket.once('end', end).once('close', end).on('error', end);
  }

  get isOpen(): boolean {
    return this.#isOpen && !this.socket.destroyed;
  }

  /** Whether it ended without our doing. */
  get wasCut(): boolean {
    return this.#wasCut;
  }

  /** Whether any of an answer to the last request has come. */
  get answered(): boolean {
    return this.#answered;
  }

  close(): void {
    this.#isOpen = false;
    this.#agent.destroy();
    this.socket.destroy();
  }

  /** @throws ConnectionLostError, WmiAnswerError, the signal's reason; after any of them the link is closed */
  async exchange({ headers, body, signal, timeout }: Post): Promise<Reply> {
    signal.throwIfAborted();
    if (!this.isOpen) throw new ConnectionLostError('the connection was cut off', false);
    this.#answered = false;
    const late = new ConnectionLostError(`no answer within ${timeout / 1000} s`, true);
    const stop = new AbortController();
    const giveUp = (): void => stop.abort();
    const timer = setTimeout(giveUp, timeout);
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      const answer = await this.#post(headers, body, stop.signal);
      this.#answered = true;
      return {
        status: answer.statusCode ?? 0,
        type: (answer.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '',
        challenges: answer.headersDistinct['www-authenticate'] ?? [],
        body: await this.#collect(answer),
      };
    } catch (error) {
      this.close();
      signal.throwIfAborted();
      throw stop.signal.aborted ? late : translate(error);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
    }
  }

  #post(headers: Readonly<Record<string, string>>, body: Buffer, signal: AbortSignal): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const request = send({
        agent: this.#agent, method: 'POST', signal, host: this.#url.hostname, path: `${this.#url.pathname}${this.#url.search}`,
        headers: { host: this.#url.host, ...headers, 'content-length': body.length },
      });
      request.once('response', resolve).once('error', reject);
      request.end(body);
    });
  }

  async #collect(answer: IncomingMessage): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > this.#limit) throw new WmiAnswerError(`its answer is longer than ${this.#limit} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks, bytes);
  }
}

/** An error of Node's HTTP as one of ours. Once a request was given to its socket, it may have gone out. */
function translate(error: unknown): Error {
  if (error instanceof ConnectionLostError || error instanceof WmiAnswerError) return error;
  const { code = '' } = error as NodeJS.ErrnoException;
  if (code.startsWith('HPE_')) return new WmiAnswerError('its answer is no HTTP', { cause: error });
  return new ConnectionLostError(describe(error), true, { cause: error });
}
