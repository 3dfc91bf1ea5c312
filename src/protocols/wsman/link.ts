import type { Socket } from 'node:net';
import { OneSocketAgent } from '../http/agents.js';
import { collect, HttpClient } from '../http/client.js';
import { ForeignAnswerError, isRefusal } from '../http/errors.js';
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

/** HTTP/1.1 over one socket that is connected: when the socket ends, so does the link. One exchange at a time. */
export class HttpLink {
  readonly #client: HttpClient;
  #isOpen = true;
  #wasCut = false;
  #answered = false;
  readonly #path: string;
  readonly #limit: number;

  /** @param limit bytes of an answer's body */
  constructor(readonly socket: Socket, url: URL, limit: number) {
    this.#path = `${url.pathname}${url.search}`;
    this.#limit = limit;
    this.#client = new HttpClient(url, new OneSocketAgent(socket));
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
    this.#client.close();
    this.socket.destroy();
  }

  /** @throws ConnectionLostError, WmiAnswerError, the signal's reason; after any of them the link is closed */
  async exchange({ headers, body, signal, timeout }: Post): Promise<Reply> {
    signal.throwIfAborted();
    if (!this.isOpen) throw new ConnectionLostError('the connection was cut off', false);
    this.#answered = false;
    try {
      return await this.#client.exchange({ method: 'POST', path: this.#path, headers, body, signal, timeout, limit: this.#limit }, async (answer) => {
        this.#answered = true;
        return { status: answer.status, type: answer.type, challenges: answer.header('www-authenticate'), body: await collect(answer.body) };
      });
    } catch (error) {
      this.close();
      throw error instanceof ForeignAnswerError ? new WmiAnswerError(error.message, { cause: error }) : error;
    }
  }
}

/**
 * What an answer without SOAP means for the request.
 * @param isLogin whether the request was a login, which orders nothing
 */
export function withoutSoap(status: number, isLogin = false): WmiAnswerError {
  const hint = isRefusal(status) ? ': is WinRM at this URL?' : '';
  return new WmiAnswerError(`it answers ${isLogin ? 'a login ' : ''}with HTTP status ${status}, and no SOAP${hint}`, { sent: !isRefusal(status) && !isLogin });
}

/** Statuses below 500 by which no service says that it has let somebody in: it is not there, or a proxy speaks. */
const NO_ADMISSION: readonly number[] = [404, 407, 408, 409, 425, 429];

/** Whether a service that has let somebody in can say so by this status; WinRM says 200 to a login without a body. */
export const mayBeAdmission = (status: number): boolean =>
  status < 300 || status === 500 || (status >= 400 && status < 500 && !NO_ADMISSION.includes(status));
