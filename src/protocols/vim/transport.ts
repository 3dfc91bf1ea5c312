import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { Slices } from '../../kit/slices.js';
import { TrustedAgent } from '../tls/agent.js';
import { describe, type Trust } from '../tls/connect.js';
import { CertificateError, ConnectionLostError } from '../tls/errors.js';
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
const BITE = 1024;
/** Connections at a time; further calls wait for one. */
export const CONNECTIONS = 10;
/** An idle connection is closed before the server, which tells nobody, does so, ms. */
const IDLE_TIMEOUT = 20_000;
/**
 * Statuses of a server that has read no further than the request's head. All others may come from a
 * proxy, such as vCenter's own, that has passed the request on already: 501 and 503 as well as 502 and
 * 504, and 408 and 429 of a server behind it.
 */
const REFUSALS = new Set([300, 301, 302, 307, 308, 400, 401, 402, 403, 404, 405, 406, 407, 410, 411, 413, 414, 415, 417, 421, 426, 431]);
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
  readonly #incoming: IncomingMessage;

  constructor(incoming: IncomingMessage) {
    this.#incoming = incoming;
  }

  on(): this {
    return this;
  }

  pipe<S extends Sink>(sink: S): S {
    void this.#feed(sink).catch((error: unknown) => {
      this.#incoming.destroy();
      sink.emit('error', error instanceof Error ? error : new Error('the answer could not be read'));
    });
    return sink;
  }

  async #feed(sink: Sink): Promise<void> {
    let size = 0;
    let tags = 0;
    const slices = new Slices();
    for await (const chunk of this.#incoming as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > ANSWER_LIMIT) throw new VimTransportError(`the answer is larger than ${ANSWER_LIMIT / 1024 / 1024} MiB`, true);
      for (let at = chunk.indexOf(OPENING); at >= 0; at = chunk.indexOf(OPENING, at + 1)) tags += 1;
      if (tags > MOST_TAGS) throw new VimTransportError(`the answer has more than ${MOST_TAGS} tags`, true);
      for (let from = 0; from < chunk.length; from += BITE) {
        if (slices.isOverNow()) await slices.pause();
        sink.write(chunk.subarray(from, from + BITE));
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
  readonly #url: URL;
  readonly #agent: TrustedAgent;
  #cookie: string | undefined;

  constructor(url: URL, trust: Trust) {
    this.#url = url;
    this.#agent = new TrustedAgent(url, trust, { maxSockets: CONNECTIONS, timeout: IDLE_TIMEOUT });
  }

  /** The session ends here, whatever the server makes of it. */
  forgetSession(): void {
    this.#cookie = undefined;
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Where one idle connection is broken, so are the others, most likely: the next question gets a new one. */
  dropIdle(): void {
    for (const sockets of Object.values(this.#agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
  }

  /**
   * A SOAP request: called by the SOAP library, with the options that were given to its method.
   * @throws VimTransportError, CertificateError
   */
  async requestStream(_url: string, xml: string, headers: Record<string, string>, options: CallOptions): Promise<object> {
    // The wording of the request had this one.
    await turn();
    const incoming = await this.#send('POST', this.#url.pathname, options.signal, xml, headers);
    const status = incoming.statusCode ?? 0;
    // SOAP 1.1 over HTTP: a fault comes with the status 500.
    if ((status !== 200 && status !== 500) || !/xml/.test(incoming.headers['content-type'] ?? '')) {
      incoming.destroy();
      throw new VimTransportError(`the server answers with HTTP status ${status}`, !REFUSALS.has(status));
    }
    this.#keepCookie(incoming);
    // Any other status would make the library gather the whole answer, and parse it in one go.
    return { status: 200, data: new Body(incoming), headers: {}, config: { headers: {} } };
  }

  /** A document beside the service, as text. @throws VimTransportError, CertificateError */
  async get(path: string, limit: number, signal: AbortSignal): Promise<string> {
    const incoming = await this.#send('GET', path, signal);
    if (incoming.statusCode !== 200) {
      incoming.destroy();
      throw new VimTransportError(`the server answers with HTTP status ${incoming.statusCode ?? 0}`, false);
    }
    let text = '';
    for await (const chunk of incoming.setEncoding('utf8') as AsyncIterable<string>) {
      text += chunk;
      if (text.length > limit) throw new VimTransportError(`${path} is too long`, false);
    }
    return text;
  }

  #keepCookie(incoming: IncomingMessage): void {
    for (const cookie of incoming.headers['set-cookie'] ?? []) {
      if (cookie.startsWith(`${COOKIE}=`)) this.#cookie = cookie.split(';')[0];
    }
  }

  #send(method: string, path: string, signal: AbortSignal, body?: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      let sent = false;
      const options: RequestOptions = {
        method, path, signal, agent: this.#agent, host: this.#url.hostname, port: this.#url.port || undefined,
        headers: {
          Host: this.#url.host, ...headers,
          ...(body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }),
          ...(this.#cookie === undefined ? {} : { Cookie: this.#cookie }),
        },
      };
      const outgoing = httpRequest(options);
      // Where it waits for a connection, it is told of its end only when it gets one.
      const giveUp = (): void => reject(new VimTransportError('no connection in time', false));
      signal.addEventListener('abort', giveUp, { once: true });
      outgoing.once('socket', () => {
        sent = true;
        signal.removeEventListener('abort', giveUp);
      });
      outgoing.once('response', resolve);
      outgoing.once('error', (error) => {
        signal.removeEventListener('abort', giveUp);
        if (signal.aborted) return sent ? reject(signal.reason as Error) : giveUp();
        if (error instanceof CertificateError) return reject(error);
        const words = error instanceof ConnectionLostError ? error.message : describe(error);
        reject(new VimTransportError(words, sent, sent && outgoing.reusedSocket, { cause: error }));
      });
      outgoing.end(body);
    });
  }
}
