import { unlessAborted } from '../../kit/within.js';
import { TrustedAgent } from '../http/agents.js';
import { collect, HttpClient } from '../http/client.js';
import type { Trust } from '../tls/connect.js';
import { ConnectionLostError } from '../tls/errors.js';
import { BoardError } from '../board/errors.js';
import { explainRedfish, explainStatus } from './errors.js';

/** Redfish over HTTP (DSP0266): what is asked of one service, with its login. */

/** The root of each service, which everybody may read. */
const ROOT = '/redfish/v1/';
/** Bytes of one answer: a system has some ten kB. */
const ANSWER_LIMIT = 2 * 1024 * 1024;
/** One exchange, ms: boards are slow, and slower just after they have begun to run. */
const TIMEOUT_MS = 12_000;
/** The end of a session, or of a login that is still under way, at the end of all, ms. */
const LOGOUT_TIMEOUT_MS = 3_000;
/** Connections, and how long they are kept without traffic, ms. */
const SOCKETS = { maxSockets: 2, maxFreeSockets: 1, timeout: 60_000 };

/** Statuses by which a service says that it has no sessions, where its root names them all the same. */
const NO_SESSIONS = [404, 405, 501];

export type Resource = Readonly<Record<string, unknown>>;

export interface RedfishAccess {
  readonly origin: URL;
  /** read when a connection is needed */
  readonly trust: () => Trust;
  readonly user: string;
  readonly password: string;
}

interface Answer {
  readonly status: number;
  /** undefined for none, and for what is no JSON */
  readonly body: unknown;
  header(name: string): string | undefined;
}

interface Login {
  readonly headers: Readonly<Record<string, string>>;
  /** of the session, to end it */
  readonly place: string | undefined;
}

interface Sending {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly content?: unknown;
  readonly signal: AbortSignal;
  readonly onSend?: (() => void) | undefined;
  readonly timeout?: number;
}

/** The path of a link to another resource. Only what is of this service is followed. @throws BoardError */
export function pathOf(link: unknown, what: string): string {
  const id = typeof link === 'object' && link !== null && '@odata.id' in link ? link['@odata.id'] : link;
  if (typeof id === 'string' && /^\/redfish\/[\x21-\x7e]*$/.test(id)) return id;
  throw new BoardError('failed', typeof id === 'string' ? `its ${what} leads elsewhere` : `it has no ${what}`);
}

/** One service and its session, which is opened when it is needed, and anew when it has ended. */
export class RedfishSession {
  #client: HttpClient | undefined;
  #login: Promise<Login> | undefined;
  /** of the login that is under way */
  #tried: { readonly password: string; waiting: number } | undefined;
  /** a login that was refused when nobody waited for it any longer */
  #untold: { readonly password: string; readonly refusal: BoardError } | undefined;
  readonly #end = new AbortController();
  readonly #access: Omit<RedfishAccess, 'password'>;

  constructor(access: Omit<RedfishAccess, 'password'>) {
    this.#access = access;
  }

  /** What everybody may know. @throws as {@link get} */
  root(signal: AbortSignal): Promise<Resource> {
    return this.#read({ method: 'GET', path: ROOT, signal });
  }

  /** @throws BoardError; the signal's reason */
  async get(path: string, password: string, signal: AbortSignal): Promise<Resource> {
    return this.#withLogin(password, signal, (headers) => this.#read({ method: 'GET', path, headers, signal }));
  }

  /**
   * Has an action carried out, once.
   * @param onSend told before any of it may have reached the service
   * @throws BoardError `lost` where it may have been carried out; the signal's reason
   */
  async act(path: string, content: object, { password, signal, onSend }: { password: string; signal: AbortSignal; onSend: () => void }): Promise<void> {
    await this.#withLogin(password, signal, async (headers) => {
      let isSent = false;
      const note = (): void => {
        isSent = true;
        onSend();
      };
      try {
        const answer = await this.#exchange({ method: 'POST', path, headers, content, signal, onSend: note });
        if (answer.status < 200 || answer.status >= 300) throw explainStatus(answer.status, answer.body, true);
      } catch (error) {
        throw explainRedfish(error, isSent);
      }
    });
  }

  /** Ends its session and its connections. Never rejects. */
  async close(): Promise<void> {
    const timer = setTimeout(() => this.#end.abort(new BoardError('silent', 'its session is being closed')), LOGOUT_TIMEOUT_MS);
    const login = await this.#login?.catch(() => undefined);
    clearTimeout(timer);
    this.#login = undefined;
    try {
      if (login?.place !== undefined) await this.#exchange({ method: 'DELETE', path: login.place, headers: login.headers, signal: AbortSignal.timeout(LOGOUT_TIMEOUT_MS) });
    } catch {
      // It ends by itself after a while.
    }
    this.#client?.close();
    this.#client = undefined;
  }

  /** With a session that had ended meanwhile, the work is done again with a new one: it was refused before. */
  async #withLogin<T>(password: string, signal: AbortSignal, work: (headers: Login['headers']) => Promise<T>): Promise<T> {
    await this.#settleOther(password, signal);
    this.#tellUntold(password);
    const known = this.#login;
    const login = known ?? this.#logIn(password);
    const { headers } = await this.#wait(login, signal);
    try {
      return await work(headers);
    } catch (error) {
      if (!(error instanceof BoardError) || error.fault !== 'login refused') throw error;
      if (this.#login === login) this.#login = undefined;
      if (known === undefined) throw error;
    }
    return work((await this.#wait(this.#login ?? this.#logIn(password), signal)).headers);
  }

  /** A login with another password, as before the configuration was changed, says nothing of this one. @throws the signal's reason */
  async #settleOther(password: string, signal: AbortSignal): Promise<void> {
    if (this.#login !== undefined && this.#tried !== undefined && this.#tried.password !== password)
      await unlessAborted(
        this.#login.catch(() => undefined),
        signal,
      );
  }

  /** Whoever comes next is told of a refusal that nobody heard of, so that the board does not make another one of it. */
  #tellUntold(password: string): void {
    const untold = this.#untold;
    this.#untold = undefined;
    if (untold?.password === password) throw untold.refusal;
  }

  async #wait(login: Promise<Login>, signal: AbortSignal): Promise<Login> {
    const tried = this.#login === login ? this.#tried : undefined;
    if (tried === undefined) return unlessAborted(login, signal);
    tried.waiting += 1;
    return unlessAborted(login, signal).finally(() => { tried.waiting -= 1; });
  }

  /** Goes on when nobody waits for it any longer: a session that nobody came to know of stays, and boards have few. */
  #logIn(password: string): Promise<Login> {
    const login = this.#open(password, this.#end.signal);
    const tried = this.#tried = { password, waiting: 0 };
    this.#login = login;
    const settled = (): void => {
      if (this.#tried === tried) this.#tried = undefined;
    };
    login.then(settled, (error: unknown) => {
      settled();
      if (this.#login === login) this.#login = undefined;
      if (tried.waiting === 0 && error instanceof BoardError && error.fault === 'login refused') this.#untold = { password, refusal: error };
    });
    return login;
  }

  async #open(password: string, signal: AbortSignal): Promise<Login> {
    const { user } = this.#access;
    const links = (await this.root(signal)).Links;
    const sessions = typeof links === 'object' && links !== null && 'Sessions' in links ? pathOf(links.Sessions, 'list of sessions') : undefined;
    const basic = { headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` }, place: undefined };
    if (sessions === undefined) return basic;
    const answer = await this.#exchange({ method: 'POST', path: sessions, content: { UserName: user, Password: password }, signal }).catch((error: unknown) => { throw explainRedfish(error, false); });
    if (NO_SESSIONS.includes(answer.status)) return basic;
    if (answer.status < 200 || answer.status >= 300) {
      const error = explainStatus(answer.status, answer.body, false);
      // Whoever may not even log in has no rights: some say so in this way.
      throw error.fault === 'right missing' ? new BoardError('login refused', error.message) : error;
    }
    const token = answer.header('x-auth-token');
    if (token === undefined) throw new BoardError('failed', 'it opens a session without a token');
    return { headers: { 'x-auth-token': token }, place: placeOf(answer) };
  }

  async #read(sending: Sending): Promise<Resource> {
    try {
      // A question may be asked again where its connection was an old one.
      const { status, body } = await this.#exchange(sending).catch((error: unknown) => {
        if (!(error instanceof ConnectionLostError) || !error.wasIdle) throw error;
        return this.#exchange(sending);
      });
      if (status !== 200) throw explainStatus(status, body, false);
      if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new BoardError('failed', 'what answers is no Redfish service');
      return body as Resource;
    } catch (error) {
      throw explainRedfish(error, false);
    }
  }

  async #exchange({ method, path, headers, content, signal, onSend, timeout = TIMEOUT_MS }: Sending): Promise<Answer> {
    const { origin, trust } = this.#access;
    const client = this.#client ??= new HttpClient(origin, new TrustedAgent(origin, trust(), SOCKETS));
    const request = {
      method, path, signal, timeout, onSend, limit: ANSWER_LIMIT,
      headers: { accept: 'application/json', 'odata-version': '4.0', ...(content !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(content !== undefined && { body: JSON.stringify(content) }),
    };
    try {
      return await client.exchange(request, async (answer) => {
        const text = (await collect(answer.body)).toString();
        return { status: answer.status, body: parse(text), header: (name) => answer.header(name)[0] };
      });
    } catch (error) {
      // Files with authorities are read anew.
      if (this.#client === client && !signal.aborted) this.#client = undefined;
      throw error;
    }
  }
}

function parse(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** The session's own place: some tell it with their own name before it. */
function placeOf(answer: Answer): string | undefined {
  const location = answer.header('location') ?? (answer.body as { '@odata.id'?: unknown } | undefined)?.['@odata.id'];
  if (typeof location !== 'string' || !URL.canParse(location, 'https://board.invalid')) return undefined;
  const { pathname } = new URL(location, 'https://board.invalid');
  return pathname.startsWith('/redfish/') ? pathname : undefined;
}
