import { setImmediate as turn } from 'node:timers/promises';
import { Slices } from '../../kit/slices.js';
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
/** Tags of one answer, twice an element: they, and not the bytes, are what takes memory when it has been read. */
const MOST_TAGS = 1_000_000;
const OPENING = '<'.charCodeAt(0);
/** Bytes that are parsed before it is asked whether everyone else should get a turn. */
const PARSED_AT_ONCE = 1024;
/** Connections at a time; further calls wait for one. */
export const CONNECTIONS = 10;
/** An idle connection is closed before the server, which tells nobody, does so, ms. */
const IDLE_TIMEOUT = 20_000;
const COOKIE = 'vmware_soap_session';

/** What the SOAP library feeds its answers to: a parser as a stream. */
interface Sink {
  write(chunk: Uint8Array): unknown;
  end(): void;
  emit(event: 'error', error: Error): boolean;
}

/**
 * The body of an answer. It has just what the SOAP library uses of a stream. What its parser throws
 * becomes the error of that call: a true stream would let it end the process.
 */
export class Body {
  readonly #answer: HttpAnswer;

  constructor(answer: HttpAnswer) {
    this.#answer = answer;
  }

  on(): this {
    return this;
  }

  pipe<S extends Sink>(sink: S): S {
    void this.#feed(sink).catch((error: unknown) => {
      this.#answer.discard();
      const ours = toVimError(error);
      sink.emit('error', ours instanceof Error ? ours : new Error('the answer could not be read'));
    });
    return sink;
  }

  async #feed(sink: Sink): Promise<void> {
    let tags = 0;
    const slices = new Slices();
    for await (const chunk of this.#answer.body) {
      for (let at = chunk.indexOf(OPENING); at >= 0; at = chunk.indexOf(OPENING, at + 1)) tags += 1;
      if (tags > MOST_TAGS) throw new VimTransportError(`the answer has more than ${MOST_TAGS} tags`, true);
      for (let from = 0; from < chunk.length; from += PARSED_AT_ONCE) {
        if (slices.isOverNow()) await slices.pause();
        sink.write(chunk.subarray(from, from + PARSED_AT_ONCE));
      }
    }
    sink.end();
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
    // Any other status would make the library gather the whole answer, and parse it in one go.
    return { status: 200, data: new Body(answer), headers: {}, config: { headers: {} } };
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
