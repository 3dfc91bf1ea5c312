import { createServer, STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { networkTest } from '../auth/networks.js';
import { HTTP_BODY, HTTP_HEAD_SIZE, HTTP_HEAD_TIMEOUT, HTTP_KEEP_ALIVE, HTTP_REQUEST_TIMEOUT, HTTP_SENT_AHEAD, HTTP_URL_SIZE } from '../kit/limits.js';
import type { Log } from '../kit/log.js';
import { formatEndpoint } from '../kit/text.js';
import { Entrance, type EntranceSettings } from './entrance.js';

/** An answer instead of the one that was asked for. What it says is shown to the client. */
export class HttpError extends Error {
  constructor(readonly status: number, message: string, readonly headers: Readonly<Record<string, string>> = {}) {
    super(message);
  }
}

/** Who asks, and for what. */
export interface Arrival {
  /** what was asked for, without what follows `?` */
  readonly path: string;
  /** the peer's, in its plain form */
  readonly address: string;
  /** address and port, for log and audit */
  readonly from: string;
  readonly isTls: boolean;
  /** aborted when the client is gone, or the request has taken too long */
  readonly signal: AbortSignal;
}

/** One request, beside what node:http has of it. */
export interface Visit extends Arrival {
  /** The whole body. @param most bytes of it @throws HttpError 413 where it is longer */
  body(most?: number): Promise<Buffer>;
  /** Lifts the time limit on the answer: for streams that last. They end with the client or the gateway. */
  lasting(): void;
}

/**
 * Answers a request: by node:http's own means, awaited. A thrown {@link HttpError} is answered as it
 * says; anything else is `500`, and its cause is in the log.
 */
export type HttpHandler = (request: IncomingMessage, response: ServerResponse, visit: Visit) => Promise<void> | void;

/**
 * Takes a connection over for another protocol (RFC 9110, 7.8: `Upgrade`), and answers with its first bytes. What it
 * throws is answered as for a request, and the connection is then closed. Whoever takes it over also closes it when
 * the client has closed its half.
 * @param head what the client has sent already behind its request
 */
export type UpgradeHandler = (request: IncomingMessage, socket: Socket, head: Buffer, arrival: Arrival) => Promise<void> | void;

/** One opened gateway. Another of the same name is the same gateway, loaded anew. */
export interface Owner {
  readonly name: string;
}

/** What one gateway serves below a path. */
export interface Mount {
  /** `/metrics`; also what lies below it. `/` is everything that nobody else has */
  readonly path: string;
  readonly handler: HttpHandler;
  /** left out: it speaks HTTP alone */
  readonly upgrade?: UpgradeHandler | undefined;
  readonly from: EntranceSettings['from'];
  readonly owner: Owner;
}

/**
 * One address at which HTTP is spoken, for all the gateways that have mounted something there. Limits on
 * connections are those of the gateway that was loaded last.
 */
export class HttpPlace {
  readonly entrance: Entrance;
  readonly #mounts = new Map<Mount, { readonly isFrom: (address: string) => boolean }>();
  readonly #underWay = new Set<IncomingMessage>();
  #closed = false;
  readonly #server: Server;
  readonly #log: Log;
  readonly #sockets = new Set<Socket>();
  /** of each connection: ends it when it says nothing, or takes too long */
  readonly #timers = new WeakMap<Socket, NodeJS.Timeout>();
  readonly #addresses = new WeakMap<Socket, string>();
  /** of each connection: its requests that are not answered, the end of the last of them, and the one that is being answered or was last */
  readonly #lines = new WeakMap<Socket, { waiting: number; last: Promise<void>; current: IncomingMessage | undefined }>();
  /** paths that a change which is being prepared is to serve here, and by whom */
  readonly #reserved = new Map<string, Owner>();

  /** @param openedBy the gateway for which it is opened, for the log; others may come to it */
  constructor(log: Log, openedBy: string) {
    this.#log = log;
    // Its own timeouts do not run in a server that does not listen itself: ours are below.
    this.#server = createServer({ maxHeaderSize: HTTP_HEAD_SIZE, keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 });
    this.#server.on('request', (request: IncomingMessage, response: ServerResponse) => this.#received(request, response));
    this.#server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => this.#asked(request, socket, head));
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
      if (socket.writable) answerBare(socket, new HttpError(error.code === 'HPE_HEADER_OVERFLOW' ? 431 : 400, ''));
      else socket.destroy();
    });
    this.entrance = new Entrance({ connected: (socket, address) => this.#connected(socket, address) }, (level, message, facts) => log(level, message, { protocol: 'http', gateway: openedBy, ...facts }));
  }

  get mounts(): readonly Mount[] {
    return [...this.#mounts.keys()];
  }

  /** Whether nothing is served here, and nothing is about to be. */
  get isUnused(): boolean {
    return this.#mounts.size === 0 && this.#reserved.size === 0;
  }

  /** Keeps a path for the change that is being prepared. @returns whether it was free of others' reservations */
  reserve(path: string, owner: Owner): boolean {
    const other = this.#reserved.get(path);
    if (other !== undefined && other !== owner) return false;
    this.#reserved.set(path, owner);
    return true;
  }

  /** Gives up what {@link reserve} has kept. */
  vacate(path: string, owner: Owner): void {
    if (this.#reserved.get(path) === owner) this.#reserved.delete(path);
  }

  add(mount: Mount): void {
    this.#mounts.set(mount, { isFrom: mount.from ? networkTest(mount.from) : () => true });
  }

  /** Its requests under way go on. */
  remove(mount: Mount): void {
    this.#mounts.delete(mount);
  }

  /** Takes no further connections; those that there are end when their requests under way have been answered. */
  close(): void {
    this.#closed = true;
    this.entrance.close();
    const busy = new Set([...this.#underWay].map(({ socket }) => socket));
    this.#sockets.forEach((socket) => {
      if (!busy.has(socket)) socket.destroy();
    });
  }

  #connected(socket: Socket, address: string): void {
    this.#addresses.set(socket, address);
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      clearTimeout(this.#timers.get(socket));
    });
    this.#limit(socket, HTTP_HEAD_TIMEOUT);
    this.#server.emit('connection', socket);
  }

  #limit(socket: Socket, ms: number): void {
    clearTimeout(this.#timers.get(socket));
    this.#timers.set(socket, setTimeout(() => socket.destroy(), ms));
  }

  /** Those of one connection are answered one after the other; node:http hands over all that a client has sent ahead. */
  #received(request: IncomingMessage, response: ServerResponse): void {
    this.#queue(request, () => this.#answer(request, response));
  }

  /** The last request of its connection, whose bytes node:http reads no longer. */
  #asked(request: IncomingMessage, socket: Socket, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    this.#queue(request, () => this.#upgrade(request, socket, head));
  }

  #queue(request: IncomingMessage, work: () => Promise<void>): void {
    const { socket } = request;
    const line = this.#lines.get(socket) ?? { waiting: 0, last: Promise.resolve(), current: undefined };
    this.#lines.set(socket, line);
    if (socket.destroyed) return;
    if (line.waiting >= HTTP_SENT_AHEAD) return void socket.destroy();
    line.waiting += 1;
    line.last = line.last.then(() => {
      line.current = request;
      return socket.destroyed ? undefined : work();
    }).finally(() => {
      line.waiting -= 1;
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    const gone = new AbortController();
    this.#limit(socket, HTTP_REQUEST_TIMEOUT);
    this.#underWay.add(request);
    response.once('close', () => {
      this.#underWay.delete(request);
      gone.abort(new Error('the request is over'));
      if (this.#closed) socket.destroySoon();
      // the next one may be under way already, and has a limit of its own
      else if (!socket.destroyed && this.#lines.get(socket)?.current === request) this.#limit(socket, HTTP_KEEP_ALIVE);
    });
    try {
      const { mount, arrival } = this.#arrive(request, gone.signal);
      await mount.handler(request, response, {
        ...arrival,
        body: (most = HTTP_BODY) => readBody(request, most),
        lasting: () => clearTimeout(this.#timers.get(socket)),
      });
      if (!response.writableEnded && !response.destroyed) response.end();
    } catch (error) {
      this.#fail(request, response, error);
    }
  }

  async #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const gone = new AbortController();
    socket.once('close', () => gone.abort(new Error('the connection is over')));
    this.#limit(socket, HTTP_REQUEST_TIMEOUT);
    try {
      const { mount, arrival } = this.#arrive(request, gone.signal);
      if (mount.upgrade === undefined) throw new HttpError(400, 'only HTTP is spoken here');
      await mount.upgrade(request, socket, head, arrival);
      clearTimeout(this.#timers.get(socket));
    } catch (error) {
      if (!(error instanceof HttpError)) this.#log('error', 'request failed', { path: request.url?.split('?')[0], cause: error });
      answerBare(socket, publicError(error));
    }
  }

  /** Who serves what was asked for, and what it is told. @throws HttpError */
  #arrive({ socket, url = '' }: IncomingMessage, signal: AbortSignal): { readonly mount: Mount; readonly arrival: Arrival } {
    const address = this.#addresses.get(socket) ?? '';
    if (url.length > HTTP_URL_SIZE) throw new HttpError(414, `the address has more than ${HTTP_URL_SIZE} characters`);
    if (!URL.canParse(url, 'http://localhost')) throw new HttpError(400, 'the address cannot be read');
    const path = new URL(url, 'http://localhost').pathname;
    const found = this.#find(path);
    if (found === undefined) throw new HttpError(404, 'there is nothing here');
    if (!found.isFrom(address)) throw new HttpError(403, 'not from there');
    const from = formatEndpoint({ host: address, port: socket.remotePort ?? 0 });
    return { mount: found.mount, arrival: { address, path, from, isTls: 'encrypted' in socket, signal } };
  }

  #find(path: string): { mount: Mount; isFrom: (address: string) => boolean } | undefined {
    // of two at one path the later is the former's successor
    const [best] = [...this.#mounts].reverse().filter(([mount]) => lies(path, mount.path)).sort(([a], [b]) => b.path.length - a.path.length);
    return best && { mount: best[0], ...best[1] };
  }

  #fail(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    if (!(error instanceof HttpError) && !response.destroyed) this.#log('error', 'request failed', { path: request.url?.split('?')[0], cause: error });
    if (response.headersSent || response.destroyed) return void response.destroy();
    const { status, message, headers } = publicError(error);
    // with a body that is not read to its end, there is no next request on this connection
    response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...(request.complete ? {} : { connection: 'close' }), ...headers });
    response.end(`${message}\n`);
  }
}

/** What a client is told of a fault. */
const publicError = (error: unknown): HttpError => (error instanceof HttpError ? error : new HttpError(500, 'a fault of the server; its log has the cause'));

/** Answers where there is no `ServerResponse`, and closes the connection. */
function answerBare(socket: Socket, { status, message, headers }: HttpError): void {
  const text = message === '' ? '' : `${message}\n`;
  const lines = Object.entries({ connection: 'close', ...(text === '' ? {} : { 'content-type': 'text/plain; charset=utf-8' }), 'content-length': Buffer.byteLength(text), ...headers });
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${text}`);
  socket.destroySoon();
}

/** Whether a path is that of a mount, or below it. */
const lies = (path: string, mount: string): boolean => mount === '/' || path === mount || path.startsWith(`${mount}/`);

/** @throws HttpError 413 */
async function readBody(request: IncomingMessage, most: number): Promise<Buffer> {
  const tooLong = new HttpError(413, `the body has more than ${most} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > most) throw tooLong;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > most) throw tooLong;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
