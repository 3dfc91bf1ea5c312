import { setMaxListeners } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Deadline } from '../../kit/deadline.js';
import { Slices } from '../../kit/slices.js';
import { ArgoError } from '../../kit/errors.js';
import { onAbort, underAll, unlessAborted } from '../../kit/within.js';
import type { Change } from '../../listening/change.js';
import { HttpError, type Arrival, type HttpMount, type Visit } from '../../listening/http.js';
import { entranceSettings } from '../../listening/options.js';
import type { Gateway, GatewayHost } from '../contract.js';
import type { Api, ApiRequest } from './api.js';
import { openApi } from './api/index.js';
import { closeFor } from '../shared/close.js';
import { WebConsoles } from './consoles/consoles.js';
import { isFault, methodOf, readJson, sendAnswer, sendFailure, sendJson, upgradeFailure } from './door/answers.js';
import { Files } from './door/files.js';
import { checkHost, checkIntent, checkOrigin, checkSite } from './door/guard.js';
import { Logins } from './door/logins.js';
import { LastWord } from '../shared/ends-early.js';
import { SessionStore } from '../shared/session-store.js';
import { Sessions, type SessionTimes } from '../shared/sessions.js';
import { Unread } from '../shared/unread.js';
import { visitorOf, type Visitor } from './door/visitors.js';
import { WebSockets } from './door/web-sockets.js';
import { Feeds } from './feed/feeds.js';
import { packageVersion } from '../../kit/own-files.js';
import type { JsonText } from './json-text.js';
import type { WebOptions } from './options.js';
import { nothingHere, wrongMethod } from './refusals.js';

const API = '/api/';

/** The web page, the API behind it, and its consoles. What it serves it has from others; here is who may ask for it. */
export class WebGateway implements Gateway<WebOptions> {
  readonly #host: GatewayHost;
  readonly #mount: HttpMount;
  readonly #api: Api;
  readonly #feeds: Feeds;
  readonly #consoles = new WebConsoles();
  readonly #sockets = new WebSockets();
  readonly #unread = new Unread();
  readonly #draining = new AbortController();
  readonly #lastWord = new LastWord();
  readonly #sessions: Sessions;
  readonly #logins: Logins;
  #files: Files | undefined;
  #names: ReadonlySet<string> = new Set();

  constructor(host: GatewayHost, options: WebOptions) {
    this.#host = host;
    const version = packageVersion();
    this.#api = openApi(version);
    this.#feeds = new Feeds(host.log);
    this.#sessions = new Sessions(timesOf(options), {
      accounts: host.accounts,
      store: new SessionStore(host.state.kv, host.log),
      ended: ({ id }) => this.#consoles.endSession(id),
    });
    this.#logins = new Logins({ sessions: this.#sessions, accounts: host.accounts, log: host.log, version });
    this.#mount = host.doors.http.mount(
      (...asked) => this.#answer(...asked),
      (...asked) => this.#upgrade(...asked),
    );
  }

  async prepare(options: WebOptions): Promise<Change> {
    const files = this.#files ?? (await Files.load());
    if (this.#files === undefined) await this.#sessions.restore();
    const { commit, cancel } = await this.#mount.prepare(entranceSettings(options), '/');
    return {
      commit: () => {
        this.#files = files;
        files.isTlsAlone = options.hsts;
        this.#names = new Set(options.names.map((name) => name.toLowerCase()));
        this.#sessions.retime(timesOf(options));
        commit();
      },
      cancel,
    };
  }

  addresses(): readonly string[] {
    return this.#mount.addresses();
  }

  async drain(deadline: Deadline): Promise<void> {
    this.#draining.abort(new ArgoError('SHUTTING DOWN'));
    this.#feeds.close();
    await this.#lastWord.during(deadline, Promise.all([this.#mount.drain(deadline), this.#sockets.drain(deadline)]));
  }

  close(): Promise<void> {
    this.#feeds.close();
    this.#sessions.close();
    this.#mount.close();
    return Promise.resolve();
  }

  async #answer(request: IncomingMessage, response: ServerResponse, visit: Visit): Promise<void> {
    checkHost(request.headers, this.#names);
    if (!visit.path.startsWith(API)) return this.#files!.answer(request, response, visit.path, visit.isTls);
    try {
      checkSite(request.headers);
      await this.#answerApi(request, response, visit);
    } catch (error) {
      if (isFault(error, visit)) this.#host.log('error', 'request failed', { path: visit.path, cause: error });
      await sendFailure(request, response, error);
    }
  }

  async #answerApi(request: IncomingMessage, response: ServerResponse, visit: Visit): Promise<void> {
    const path = segmentsOf(visit.path);
    if (path.join('/') === 'session') return this.#logins.answer(request, response, visit);
    const visitor = await visitorOf(request, visit, this.#sessions, this.#host.accounts);
    try {
      await this.#answerVisitor(request, response, visit, visitor, path);
    } finally {
      visitor.release();
    }
  }

  async #answerVisitor(
    request: IncomingMessage,
    response: ServerResponse,
    visit: Visit,
    visitor: Visitor,
    path: readonly string[],
  ): Promise<void> {
    const [room, ...rest] = path;
    const method = methodOf(request);
    if (visitor.session !== undefined && method !== 'GET') checkIntent(request.headers);
    if (room === 'view' && rest.length === 0) {
      if (method !== 'GET') throw wrongMethod('GET');
      const view = await this.#feeds.view(visitor.member);
      return this.#send(request, response, visitor, 200, () => view);
    }
    const actor = visitor.member.actor(visit.from);
    if (room === 'consoles' && rest.length === 0) {
      if (method !== 'POST') throw wrongMethod('POST');
      const ticket = await this.#consoles.order(actor, visitor.id, await readJson(request, visit));
      return this.#send(request, response, visitor, 201, () => JSON.stringify(ticket));
    }
    const stream = new AbortController();
    await underAll([visit.signal, visitor.signal, stream.signal], async (signal) => {
      // one for many machines at a time
      setMaxListeners(0, signal);
      const asked: ApiRequest = {
        method,
        path,
        query: visit.query,
        caller: { member: visitor.member, actor },
        signal,
        json: () => readJson(request, visit),
      };
      // what does not end by its signal is not waited for longer than the client may wait
      const answer = await underAll([visit.signal, this.#lastWord.signal], (ends) => unlessAborted(this.#api.answer(asked), ends)).catch(
        (thrown: unknown) => {
          throw this.#lastWord.told(thrown, method === 'GET');
        },
      );
      if ('json' in answer)
        return this.#send(
          request,
          response,
          visitor,
          answer.status,
          () => JSON.stringify(answer.json),
          Object.entries(answer.headers ?? {}).flat(),
        );
      // it would go on for as long as it is read
      const forget = onAbort(this.#draining.signal, (reason) => stream.abort(reason));
      await sendAnswer(request, response, visit, answer).finally(forget);
    });
  }

  /** Sends JSON, which may be long: one a turn of the loop, and none where the account has too much unread already. @throws ArgoError BUSY */
  async #send(
    request: IncomingMessage,
    response: ServerResponse,
    { member }: Visitor,
    status: number,
    make: () => JsonText | string,
    headers: readonly string[] = [],
  ): Promise<void> {
    const slices = new Slices();
    if (slices.isOverNow()) await slices.pause();
    const json = make();
    this.#unread.take(member.name, typeof json === 'string' ? json.length : json.plain.length, response);
    await sendJson(request, response, status, json, headers);
  }

  async #upgrade(request: IncomingMessage, socket: Socket, head: Buffer, arrival: Arrival): Promise<void> {
    try {
      checkHost(request.headers, this.#names);
      if (request.method !== 'GET' || !/^websocket$/i.test(request.headers.upgrade ?? ''))
        throw new HttpError(400, 'only HTTP and WebSocket are spoken here');
      if (!['/api/feed', '/api/console'].includes(arrival.path)) throw nothingHere();
      const visitor = await visitorOf(request, arrival, this.#sessions, this.#host.accounts);
      socket.once('close', () => visitor.release());
      checkOrigin(request.headers, visitor.session !== undefined);
      if (arrival.path === '/api/feed') this.#follow(request, socket, head, arrival, visitor);
      else this.#openConsole(request, socket, head, arrival, visitor);
    } catch (error) {
      throw upgradeFailure(error);
    }
  }

  #follow(request: IncomingMessage, socket: Socket, head: Buffer, { query }: Arrival, { member, signal }: Visitor): void {
    const after = query.get('after') ?? '';
    if (!/^\d{1,16}$/.test(after)) throw new HttpError(400, 'after: the version of a view is expected');
    this.#sockets.feed(request, socket, head, (web) => {
      this.#feeds.open(web, member, Number(after), signal).catch((error: unknown) => web.close(...closeFor(error)));
    });
  }

  #openConsole(request: IncomingMessage, socket: Socket, head: Buffer, { from }: Arrival, visitor: Visitor): void {
    const order = this.#consoles.redeem(request.headers['sec-websocket-protocol'], visitor.id);
    this.#sockets.console(request, socket, head, (web) => {
      // whoever types into a console uses the session
      const release = visitor.session === undefined ? () => undefined : this.#sessions.hold(visitor.session);
      void this.#consoles.serve(web, visitor.member.actor(from), order, visitor.signal).finally(release);
    });
  }
}

const timesOf = (options: WebOptions): SessionTimes => ({ idle: options['idle-timeout'], longest: options['session-limit'] });

/** What lies below `/api/`, decoded a segment each: a name may have a `/` of its own. @throws HttpError 400 */
function segmentsOf(path: string): string[] {
  try {
    return path.slice(API.length).split('/').map(decodeURIComponent);
  } catch {
    throw new HttpError(400, 'the address cannot be read');
  }
}
