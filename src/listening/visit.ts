import { validateHeaderName, validateHeaderValue, type IncomingMessage } from 'node:http';
import { HTTP_BODY } from '../kit/limits.js';
import { formatEndpoint } from '../kit/text.js';
import { CLIENT_GONE, type Gone } from './gone.js';

/** An answer instead of the one that was asked for. What it says is shown to the client. */
export class HttpError extends Error {
  /** @throws RangeError, TypeError where it could not be sent: somebody would wait for an answer in vain, or get lines that were no header's */
  constructor(readonly status: number, message: string, readonly headers: Readonly<Record<string, string>> = {}) {
    super(message);
    if (!Number.isInteger(status) || status < 200 || status > 599) throw new RangeError(`${status} is no status of an answer`);
    for (const name in headers) {
      validateHeaderName(name);
      validateHeaderValue(name, headers[name]!);
    }
  }
}

/** Who asks, and for what. */
export interface Arrival {
  /** what was asked for, without what follows `?` */
  readonly path: string;
  /** what follows that */
  readonly query: URLSearchParams;
  /** the peer's, in its plain form */
  readonly address: string;
  /** address and port, for log and audit */
  readonly from: string;
  readonly isTls: boolean;
  /** aborted when the client is gone, or the request has taken too long: the reason is then the {@link HttpError} that answers it */
  readonly signal: AbortSignal;
}

/** One request, beside what node:http has of it. */
export interface Visit extends Arrival {
  /** The whole body. @param most bytes of it @throws HttpError 413 where it is longer */
  body(most?: number): Promise<Buffer>;
  /** Lifts the time limit on the answer: for streams that last. They end with the client or the gateway. */
  lasting(): void;
}

/** A request, with what few look at made when they do. */
export class Asked implements Visit {
  readonly address: string;
  readonly from: string;
  readonly lasting: () => void;
  /** handlers take it out of the visit */
  readonly body = (most = HTTP_BODY): Promise<Buffer> => readBody(this.#request, most);
  readonly #request: IncomingMessage;
  readonly #url: URL;
  readonly #gone: Gone;

  constructor(request: IncomingMessage, url: URL, address: string, gone: Gone, lasting: () => void) {
    this.#request = request;
    this.#url = url;
    this.address = address;
    this.#gone = gone;
    this.lasting = lasting;
    this.from = formatEndpoint({ host: address, port: request.socket.remotePort ?? 0 });
  }

  get path(): string {
    return this.#url.pathname;
  }

  get query(): URLSearchParams {
    return this.#url.searchParams;
  }

  get isTls(): boolean {
    return 'encrypted' in this.#request.socket;
  }

  get signal(): AbortSignal {
    return this.#gone.signal;
  }
}

/** What was asked for. @throws HttpError 400 */
export function urlOf({ url = '', headers, rawHeaders }: IncomingMessage): URL {
  // which of two was meant nobody can tell, and somebody between may take the other (RFC 9112, 3.2)
  if (rawHeaders.filter((word, at) => at % 2 === 0 && word.length === 4 && word.toLowerCase() === 'host').length > 1) throw new HttpError(400, 'there is more than one header Host');
  // as it stands behind the host: `//x/y` names none
  const whole = url.startsWith('/') ? `http://localhost${url}` : url;
  let parsed: URL;
  try {
    parsed = new URL(whole);
  } catch {
    throw new HttpError(400, 'the address cannot be read');
  }
  if (!whole.startsWith('http')) throw new HttpError(400, 'the address cannot be read');
  // one that names the host itself is right about it (RFC 9112, 3.2.2)
  if (whole === url) headers.host = parsed.host;
  return parsed;
}

/** @throws HttpError 413; Error where the client has gone */
function readBody(request: IncomingMessage, most: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const refuse = (): void => reject(new HttpError(413, `the body has more than ${most} bytes`));
    if (Number(request.headers['content-length'] ?? 0) > most) return refuse();
    // not by its iterator, which tears the connection down where it is left early
    const take = (chunk: Buffer): void => {
      size += chunk.length;
      if (size <= most) return void chunks.push(chunk);
      request.off('data', take);
      refuse();
    };
    request.on('data', take).once('end', () => resolve(Buffer.concat(chunks))).once('error', reject).once('close', () => reject(CLIENT_GONE));
  });
}
