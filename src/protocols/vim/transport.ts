import { setImmediate as turn } from 'node:timers/promises';
import { TrustedAgent } from '../http/agents.js';
import { collect, HttpClient, type HttpAnswer, type HttpRequest } from '../http/client.js';
import { ForeignAnswerError, HttpStatusError, mayBeDone } from '../http/errors.js';
import type { Trust } from '../tls/connect.js';
import { ConnectionLostError } from '../tls/errors.js';
import { VimTransportError } from './errors.js';

/**
 * Bytes of one answer. A page of updates is far below; but a server that ignores the size of pages sends
 * 5,000 machines in one, with some 3 KiB and 130 tags each.
 */
const ANSWER_LIMIT = 48 * 1024 * 1024;
/** Connections at a time; further calls wait for one. */
export const CONNECTIONS = 10;
/** An idle connection is closed before the server, which tells nobody, does so, ms. */
const IDLE_TIMEOUT = 20_000;
const COOKIE = 'vmware_soap_session';

/** The body of an answer, which is given up where it is not read to its end. @throws VimTransportError, the signal's reason */
async function* bodyOf(answer: HttpAnswer): AsyncGenerator<Uint8Array> {
  try {
    yield* answer.body;
  } catch (error) {
    throw toVimError(error);
  } finally {
    answer.discard();
  }
}

export interface CallOptions {
  readonly signal: AbortSignal;
}

/** HTTP to one server: connections that are kept, and the session's cookie. */
export class VimTransport {
  readonly #path: string;
  readonly #agent: TrustedAgent;
  readonly #client: HttpClient;
  #cookie: string | undefined;

  constructor(url: URL, trust: Trust) {
    this.#path = url.pathname;
    this.#agent = new TrustedAgent(url, trust, { maxSockets: CONNECTIONS, timeout: IDLE_TIMEOUT });
    this.#client = new HttpClient(url, this.#agent);
  }

  /** The session ends here, whatever the server makes of it. */
  forgetSession(): void {
    this.#cookie = undefined;
  }

  close(): void {
    this.#client.close();
  }

  /** Where one idle connection is broken, so are the others, most likely: the next question gets a new one. */
  dropIdle(): void {
    this.#agent.dropIdle();
  }

  /**
   * A SOAP request: called by the SOAP library, with the options that were given to its method.
   * @returns data: the body of the answer, an iterable of bytes
   * @throws VimTransportError, CertificateError
   */
  async requestStream(_url: string, xml: string, headers: Record<string, string>, { signal }: CallOptions): Promise<object> {
    // The wording of the request had this one.
    await turn();
    const answer = await this.#send({ method: 'POST', path: this.#path, body: xml, headers, signal, limit: ANSWER_LIMIT });
    const { status } = answer;
    // SOAP 1.1 over HTTP: a fault comes with the status 500.
    if ((status !== 200 && status !== 500) || !answer.type.includes('xml')) {
      answer.discard();
      throw toVimError(new HttpStatusError(status));
    }
    this.#keepCookie(answer);
    // With any other status the library would gather the body and read it without telling anybody (soap-client.ts, leaveUnread).
    return { status: 200, data: bodyOf(answer), headers: {}, config: { headers: {} } };
  }

  /** A document beside the service, as text; undefined where there is none. @throws VimTransportError, CertificateError */
  async get(path: string, limit: number, signal: AbortSignal): Promise<string | undefined> {
    const answer = await this.#send({ method: 'GET', path, signal, limit });
    try {
      if (answer.status === 404) return undefined;
      if (answer.status !== 200) throw new HttpStatusError(answer.status);
      return (await collect(answer.body)).toString();
    } catch (error) {
      throw toVimError(error);
    } finally {
      answer.discard();
    }
  }

  #keepCookie(answer: HttpAnswer): void {
    for (const cookie of answer.header('set-cookie')) {
      if (cookie.startsWith(`${COOKIE}=`)) this.#cookie = cookie.split(';')[0];
    }
  }

  async #send(request: HttpRequest): Promise<HttpAnswer> {
    let sent = false;
    try {
      return await this.#client.open({
        ...request, headers: { ...request.headers, ...(this.#cookie !== undefined && { cookie: this.#cookie }) }, onSend: () => { sent = true; },
      });
    } catch (error) {
      if (request.signal.aborted && !sent) throw new VimTransportError('no connection in time', false);
      throw toVimError(error);
    }
  }
}

/** An error of HTTP's as one of vSphere's; others, such as that of a certificate, as they are. */
function toVimError(error: unknown): unknown {
  if (!(error instanceof ConnectionLostError) && !(error instanceof ForeignAnswerError)) return error;
  return new VimTransportError(error.message, mayBeDone(error), error instanceof ConnectionLostError && error.wasIdle, { cause: error });
}
