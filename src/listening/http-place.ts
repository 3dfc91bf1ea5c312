import { createServer, STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { networkTest } from '../auth/networks.js';
import { HTTP_HEAD_SIZE, HTTP_HEAD_TIMEOUT, HTTP_KEEP_ALIVE, HTTP_LAST_WORDS, HTTP_REQUEST_TIMEOUT, HTTP_SENT_AHEAD, HTTP_URL_SIZE, LINGER } from '../kit/limits.js';
import type { Log } from '../kit/log.js';
import { formatDuration } from '../kit/text.js';
import { RETRY_AFTER_S } from '../kit/web-limits.js';
import { Entrance, type EntranceSettings } from './entrance.js';
import { CLIENT_GONE, Gone, OVER } from './gone.js';
import { Asked, HttpError, urlOf, type Arrival, type Visit } from './visit.js';

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

/** One connection. */
interface Line {
  /** the peer's, in its plain form */
  readonly address: string;
  /** requests that are not answered to their end */
  waiting: number;
  /** the end of the last of them */
  last: Promise<void>;
  /** the one that came last, of which more may be to come */
  latest: IncomingMessage | undefined;
  /** the answer that is being given */
  answer: ServerResponse | undefined;
  /** nothing is taken any more */
  isOver: boolean;
  /** it speaks another protocol by now, and is the mount's to end */
  isTaken: boolean;
  /** ends it when it says nothing, or takes too long */
  timer: NodeJS.Timeout | undefined;
}

/**
 * One address at which HTTP is spoken, for all the gateways that have mounted something there. Limits on
 * connections are those of the gateway that was loaded last.
 */
export class HttpPlace {
  readonly entrance: Entrance;
  readonly #mounts = new Map<Mount, { readonly isFrom: (address: string) => boolean }>();
  #closed = false;
  readonly #server: Server;
  readonly #log: Log;
  readonly #lines = new Map<Socket, Line>();
  /** paths that a change which is being prepared is to serve here, and by whom */
  readonly #reserved = new Map<string, Owner>();

  /** @param openedBy the gateway for which it is opened, for the log; others may come to it */
  constructor(log: Log, openedBy: string) {
    this.#log = log;
    // Its own timeouts do not run in a server that does not listen itself: ours are below.
    this.#server = createServer({ maxHeaderSize: HTTP_HEAD_SIZE, keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 });
    // what is past its limit on their number it would leave out without a word; the head's size is the limit
    this.#server.maxHeadersCount = 0;
    this.#server.on('request', (request: IncomingMessage, response: ServerResponse) => this.#queue(request, () => this.#answer(request, response)));
    this.#server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => this.#asked(request, socket, head));
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => this.#misunderstood(socket, error));
    this.entrance = new Entrance({
      connected: (socket, address) => this.#connected(socket, address),
      refusal: (reason) => (reason === 'too many' ? bareAnswer(new HttpError(503, 'too many connections', { 'retry-after': String(RETRY_AFTER_S) })) : undefined),
    }, (level, message, facts) => log(level, message, { protocol: 'http', gateway: openedBy, ...facts }));
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

  /** Takes no further connections; those that there are end when their requests under way have been answered. What was taken over goes on. */
  close(): void {
    this.#closed = true;
    this.entrance.close();
    this.#lines.forEach(({ waiting, isTaken }, socket) => {
      if (waiting === 0 && !isTaken) socket.destroy();
    });
  }

  #connected(socket: Socket, address: string): void {
    const line: Line = { address, waiting: 0, last: Promise.resolve(), latest: undefined, answer: undefined, isOver: false, isTaken: false, timer: undefined };
    this.#lines.set(socket, line);
    socket.once('close', () => {
      this.#lines.delete(socket);
      clearTimeout(line.timer);
    });
    // by this node:http closes a connection behind its last answer
    socket.destroySoon = () => this.#part(socket);
    this.#limit(socket, HTTP_HEAD_TIMEOUT, () => socket.destroy());
    this.#server.emit('connection', socket);
  }

  #limit(socket: Socket, ms: number, end: () => void): void {
    const line = this.#lines.get(socket);
    if (line === undefined) return;
    clearTimeout(line.timer);
    line.timer = setTimeout(end, ms);
  }

  /**
   * Closes a connection behind what was written last. What the client still sends is read for a moment, and thrown away:
   * where it stays unread, the kernel says so with a reset, for which the client may lose the answer (RFC 9112, 9.6).
   */
  #part(socket: Socket): void {
    const line = this.#lines.get(socket);
    if (line?.isOver === true || socket.destroyed) return;
    if (line !== undefined) line.isOver = true;
    this.#limit(socket, LINGER, () => socket.destroy());
    socket.once('end', () => socket.destroy()).resume().end();
    if (socket.readableEnded) socket.once('finish', () => socket.destroy());
  }

  /** What came is no HTTP, or what came of a request that is not whole. Where one before it is being answered nothing may come between. */
  #misunderstood(socket: Socket, { code }: NodeJS.ErrnoException): void {
    const line = this.#lines.get(socket);
    if (line?.isOver === true) return;
    const isItsOwn = line?.waiting === 0 || (line?.waiting === 1 && line.latest?.complete === false && line.answer?.headersSent !== true);
    if (socket.writable && isItsOwn) answerBare(socket, new HttpError(code === 'HPE_HEADER_OVERFLOW' ? 431 : 400, ''));
    else socket.destroy();
  }

  /** The last request of its connection, whose bytes node:http reads no longer. */
  #asked(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const end = (): void => void socket.destroy();
    socket.on('error', end);
    this.#queue(request, () => {
      if (this.#isTaken(request)) return this.#upgrade(request, socket, head);
      socket.off('error', end);
      return this.#stay(request, socket, head);
    });
  }

  /**
   * Those of one connection are worked on one after the other, each when the answer before it is with the client: node:http
   * hands over all that was sent ahead, and would keep all their answers for a client that does not read.
   */
  #queue(request: IncomingMessage, work: () => Promise<void>): void {
    const { socket } = request;
    const line = this.#lines.get(socket);
    if (line === undefined || line.isOver) return;
    if (line.waiting >= HTTP_SENT_AHEAD) return void socket.destroy();
    line.waiting += 1;
    line.latest = request;
    line.last = line.last.then(() => (line.isOver || socket.destroyed ? undefined : work())).finally(() => {
      line.waiting -= 1;
    });
  }

  /** @returns when the answer is with the client, or nobody is there */
  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    const line = this.#lines.get(socket);
    if (line) line.answer = response;
    const gone = new Gone();
    const over = new Promise<void>((resolve) => {
      response.once('close', () => {
        gone.abort(OVER);
        if (line) line.answer = undefined;
        if (this.#closed) socket.destroySoon();
        else if (line?.isOver === false) this.#limit(socket, HTTP_KEEP_ALIVE, () => socket.destroy());
        resolve();
      });
    });
    this.#limit(socket, HTTP_REQUEST_TIMEOUT, () => this.#timeOut(request, response, gone));
    try {
      const { mount, url, address } = this.#arrive(request);
      await mount.handler(request, response, new Asked(request, url, address, gone, () => clearTimeout(this.#lines.get(socket)?.timer)));
      if (!response.writableEnded && !response.destroyed) response.end();
    } catch (error) {
      this.#fail(request, response, error);
    }
    return over;
  }

  /** Whoever answers is told, and has a moment for it; then it is answered here. */
  #timeOut(request: IncomingMessage, response: ServerResponse, gone: Gone): void {
    const { socket } = request;
    if (response.headersSent) return void socket.destroy();
    const reason = request.complete ? new HttpError(504, `no answer in ${formatDuration(HTTP_REQUEST_TIMEOUT)}`) : new HttpError(408, `the request did not come in ${formatDuration(HTTP_REQUEST_TIMEOUT)}`);
    this.#limit(socket, HTTP_LAST_WORDS, () => {
      this.#limit(socket, LINGER, () => socket.destroy());
      this.#fail(request, response, reason);
    });
    gone.abort(reason);
  }

  /** Whether somebody may take it over. Many clients offer HTTP/2 (h2c) with each first request, and do not insist. */
  #isTaken(request: IncomingMessage): boolean {
    const offered = (request.headers.upgrade ?? '').split(',').map((one) => one.trim().toLowerCase());
    try {
      return this.#find(urlOf(request).pathname)?.upgrade !== undefined && offered.some((one) => one !== 'h2c');
    } catch {
      return false;
    }
  }

  /**
   * Answers a client as it speaks now, whatever it would rather speak (RFC 9110, 7.8). Node 20 gives such requests away as
   * connections, so this one is read again, without the offer.
   */
  #stay(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const { method, url, httpVersion, rawHeaders } = request;
    const lines = [`${method} ${url} HTTP/${httpVersion}`];
    for (let at = 0; at < rawHeaders.length; at += 2) {
      if (!/^(?:upgrade|http2-settings)$/i.test(rawHeaders[at]!)) lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`);
    }
    socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
    this.#server.emit('connection', socket);
    return Promise.resolve();
  }

  async #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const gone = new Gone();
    socket.once('close', () => gone.abort(CLIENT_GONE));
    this.#limit(socket, HTTP_REQUEST_TIMEOUT, () => socket.destroy());
    try {
      const { mount, url, address } = this.#arrive(request);
      await mount.upgrade!(request, socket, head, new Asked(request, url, address, gone, () => undefined));
      const line = this.#lines.get(socket);
      clearTimeout(line?.timer);
      if (line !== undefined) line.isTaken = true;
    } catch (error) {
      if (!(error instanceof HttpError)) this.#log('error', 'request failed', { path: request.url?.split('?')[0], cause: error });
      answerBare(socket, publicError(error));
    }
  }

  /** Who serves what was asked for, and from where that was. @throws HttpError */
  #arrive(request: IncomingMessage): { readonly mount: Mount; readonly url: URL; readonly address: string } {
    const address = this.#lines.get(request.socket)?.address ?? '';
    if ((request.url ?? '').length > HTTP_URL_SIZE) throw new HttpError(414, `the address has more than ${HTTP_URL_SIZE} characters`);
    const url = urlOf(request);
    const mount = this.#find(url.pathname);
    if (mount === undefined) throw new HttpError(404, 'there is nothing here');
    if (!this.#mounts.get(mount)!.isFrom(address)) throw new HttpError(403, 'not from there');
    return { mount, url, address };
  }

  #find(path: string): Mount | undefined {
    let best: Mount | undefined;
    // of two at one path the later is the former's successor
    for (const mount of this.#mounts.keys()) if (lies(path, mount.path) && mount.path.length >= (best?.path.length ?? 0)) best = mount;
    return best;
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

/** An answer where there is no `ServerResponse`; the connection is to be closed behind it. */
function bareAnswer({ status, message, headers }: HttpError): string {
  const text = message === '' ? '' : `${message}\n`;
  const lines = Object.entries({ connection: 'close', ...(text === '' ? {} : { 'content-type': 'text/plain; charset=utf-8' }), 'content-length': Buffer.byteLength(text), ...headers });
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${text}`;
}

function answerBare(socket: Socket, error: HttpError): void {
  socket.end(bareAnswer(error));
  socket.destroySoon();
}

/** Whether a path is that of a mount, or below it. */
const lies = (path: string, mount: string): boolean => mount === '/' || path === mount || path.startsWith(`${mount}/`);
