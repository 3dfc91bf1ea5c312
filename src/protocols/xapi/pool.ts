import type { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { Lockout } from '../../kit/lockout.js';
import { ForeignAnswerError, HttpStatusError, LoginRefusedError, XapiError } from './errors.js';
import { CertificateError, ConnectionLostError } from '../tls/errors.js';
import { TrustedAgent } from '../http/agents.js';
import { HttpClient, type HttpAnswer } from '../http/client.js';
import { meaningOf } from '../http/errors.js';
import type { Pick } from './records.js';
import { Rpc } from './rpc.js';
import type { Trust } from '../tls/connect.js';
import { openTunnel } from './tunnel.js';
import { within, unlessAborted } from '../../kit/within.js';

/** Logging in, over all hosts that are tried, ms. */
const LOGIN_TIMEOUT_MS = 20_000;
/** For this long after a failed login, callers get its error without another attempt, ms. */
const FAILURE_HOLDS_MS = 250;
/** Hosts that one attempt to log in goes to: a pool has at most 64. */
const HOSTS_TRIED = 64;
/** Connections to one host: its answers are quick, and one of them waits for events. */
const SOCKETS = 16;
/** Connections that are kept open between calls. */
const IDLE_SOCKETS = 4;
/** What XenServer's own log calls us by. */
const ORIGINATOR = 'argo-server';

export interface PoolOptions {
  /** hosts of the pool, any of which may be its master */
  readonly origins: readonly URL[];
  /** read anew for each login, as are the credentials */
  readonly trust: () => Trust;
  readonly credentials: () => { readonly user: string; readonly password: string };
  /** told when another host than before is the master */
  readonly onMaster?: (host: string) => void;
}

/** Whether a call that was cut off may have changed something. */
export type Effect = 'reads' | 'acts';

export interface PoolCall {
  readonly signal: AbortSignal;
  readonly effect?: Effect;
  /** ms */
  readonly timeout?: number;
  /** false: the call is made once, whatever comes of it */
  readonly again?: boolean;
  /** told before any of it may have reached the server */
  readonly onSend?: (() => void) | undefined;
}

/** A session with the master. */
interface MasterSession {
  readonly rpc: Rpc;
  readonly session: string;
}

/**
 * One pool, or one host, with one session: logs in when first needed, once at a time; again where the
 * session has ended; at another host where the master has changed or is gone. Refused calls are made
 * once more, since they were not carried out; calls whose answer was lost only where they just read.
 */
export class XapiPool {
  readonly #options: PoolOptions;
  /** by origin: at most the hosts of the pool */
  readonly #rpcs = new Map<string, Rpc>();
  #current: MasterSession | undefined;
  /** a session that may have outlived a lost connection, so that it is used again instead of left behind */
  #spare: MasterSession | undefined;
  #login: Promise<MasterSession> | undefined;
  #failure: { readonly error: unknown; readonly at: number } | undefined;
  readonly #lockout: Lockout;
  readonly #closed = new AbortController();
  /** the host that said it is the master, or was named as such */
  #master: string | undefined;
  /** the host that the last login was at */
  #lastMaster: string | undefined;
  #members: readonly string[] = [];

  constructor(options: PoolOptions) {
    this.#options = options;
    // The hosts of a pool have the same accounts.
    this.#lockout = new Lockout(refusal, { realm: `xapi ${options.origins[0]?.host}` });
  }

  /** Addresses of the pool's hosts: where else the master may be. */
  set members(addresses: readonly string[]) {
    this.#members = addresses.filter((address) => address !== '');
  }

  /** Address of the host that answers now, or answered last. */
  get master(): string | undefined {
    return this.#lastMaster;
  }

  /** @throws XapiError, ConnectionLostError, CertificateError, ForeignAnswerError, the signal's reason */
  call(method: string, args: readonly unknown[], { signal, effect = 'reads', timeout, again, onSend }: PoolCall): Promise<unknown> {
    return this.#attempt(effect, signal, ({ rpc, session }) =>
      rpc.call(method, [session, ...args], { signal, onSend, ...(timeout !== undefined && { timeout }) }), again);
  }

  /** What `pick` takes of each record of a class, by handle. */
  records<T>(type: string, pick: Pick<T>, signal: AbortSignal): Promise<Map<string, T>> {
    return this.#attempt('reads', signal, ({ rpc, session }) => rpc.records(`${type}.get_all_records`, session, pick, { signal }));
  }

  /** A resource over plain HTTP, from a host of the pool. The session goes into a cookie, not into the path, which is logged. */
  fetch<T>(address: string, path: string, accept: string, signal: AbortSignal, read: (answer: HttpAnswer) => Promise<T>): Promise<T> {
    return this.#attempt('reads', signal, async ({ rpc, session }) => {
      const { link } = address === hostOf(rpc.link.origin) ? rpc : this.#rpcAt(this.#originOf(address));
      return link.exchange({ method: 'GET', path, signal, headers: { accept, cookie: `session_id=${session}` } }, (answer) => {
        if (meaningOf(answer.status) === 'login') throw new XapiError('SESSION_INVALID', []);
        if (answer.status !== 200) throw new HttpStatusError(answer.status);
        return read(answer);
      });
    });
  }

  /**
   * A connection to a console, as its record's `location` names it: see {@link openTunnel}. It lives on after the session.
   * @throws as {@link call}; ForeignAnswerError where the location is at no host of the pool: the session goes to those only
   */
  openConsole(location: string, signal: AbortSignal): Promise<Duplex> {
    if (!URL.canParse(location)) return Promise.reject(new ForeignAnswerError('it tells no location of the console'));
    const url = new URL(location);
    const [origin] = this.#named(hostOf(url));
    if (origin === undefined) return Promise.reject(new ForeignAnswerError('it places the console at a host that is none of its own'));
    return this.#attempt('reads', signal, ({ session }) =>
      openTunnel({ origin, trust: this.#options.trust(), path: url.pathname + url.search, session }, signal));
  }

  /** Logs out. What is under way ends with an error. */
  async close(signal: AbortSignal): Promise<void> {
    this.#closed.abort(new ConnectionLostError('the pool is being closed', false));
    const login = await this.#login?.catch(() => undefined);
    const sessions = new Set([this.#current, this.#spare, login].filter((held) => held !== undefined));
    this.#current = this.#spare = undefined;
    await Promise.all([...sessions].map(async ({ rpc, session }) => {
      await rpc.call('session.logout', [session], { signal }).catch(() => undefined);
    }));
    this.#rpcs.forEach(({ link }) => link.close());
  }

  async #attempt<T>(effect: Effect, signal: AbortSignal, work: (held: MasterSession) => Promise<T>, again = true): Promise<T> {
    const recovered = new Set<string>();
    for (;;) {
      const held = await this.#take(signal);
      try {
        return await work(held);
      } catch (error) {
        signal.throwIfAborted();
        const remedy = this.#noteError(error, held, effect);
        if (!again || remedy === undefined || recovered.has(remedy)) throw error;
        recovered.add(remedy);
      }
    }
  }

  /** Draws the consequences of an error. @returns a name where the call may be made once more */
  #noteError(error: unknown, held: MasterSession, effect: Effect): string | undefined {
    if (error instanceof XapiError && error.code === 'SESSION_INVALID') {
      this.#leave(held);
      return 'session';
    }
    if (error instanceof XapiError && error.code === 'HOST_IS_SLAVE') {
      this.#leave(held);
      this.#master = error.params[0];
      return 'master';
    }
    if (!(error instanceof ConnectionLostError)) return undefined;
    // Where one idle connection is dead, so are the others: the next attempts must not meet them one by one.
    if (error.wasIdle) this.#rpcs.forEach(({ agent }) => agent.dropIdle());
    if (this.#current === held) {
      this.#current = undefined;
      this.#spare = held;
    }
    return effect === 'reads' || !error.sent ? 'connection' : undefined;
  }

  /** What is under way there goes on, to its own end. */
  #leave(held: MasterSession): void {
    if (this.#current === held) this.#current = undefined;
  }

  async #take(signal: AbortSignal): Promise<MasterSession> {
    signal.throwIfAborted();
    this.#closed.signal.throwIfAborted();
    if (this.#current) return this.#current;
    if (this.#failure && performance.now() - this.#failure.at < FAILURE_HOLDS_MS) throw this.#failure.error;
    this.#login ??= within(LOGIN_TIMEOUT_MS, [this.#closed.signal], (limit) => this.#logIn(limit)).then((held) => {
      this.#current = held;
      this.#failure = undefined;
      return held;
    }, (error: unknown) => {
      this.#failure = { error, at: performance.now() };
      throw error;
    }).finally(() => { this.#login = undefined; });
    return unlessAborted(this.#login, signal);
  }

  /** Tries the hosts one after another. A slave names its master, which comes next. */
  async #logIn(signal: AbortSignal): Promise<MasterSession> {
    // The first request of a process takes some ms, and so did what led here.
    await turn();
    const tried = new Set<string>();
    const queue = this.#candidates();
    const failures: unknown[] = [];
    for (let origin = queue.shift(); origin !== undefined && tried.size < HOSTS_TRIED; origin = queue.shift()) {
      if (tried.has(origin.origin)) continue;
      tried.add(origin.origin);
      try {
        const held = await this.#logInAt(origin, signal);
        this.#noteMaster(hostOf(origin));
        return held;
      } catch (error) {
        this.#closed.signal.throwIfAborted();
        if (signal.aborted) failures.push(new ConnectionLostError(`no login within ${LOGIN_TIMEOUT_MS / 1000} s`, true));
        if (signal.aborted) break;
        if (error instanceof XapiError && error.code === 'HOST_IS_SLAVE') queue.unshift(...this.#named(error.params[0] ?? ''));
        else if (error instanceof XapiError && error.code !== 'HOST_STILL_BOOTING') throw error;
        failures.push(error);
      }
    }
    throw mostTelling(failures);
  }

  async #logInAt(origin: URL, signal: AbortSignal): Promise<MasterSession> {
    const spare = this.#spare;
    if (spare && spare.rpc.link.origin.origin === origin.origin && await this.#stillHolds(spare, signal)) {
      this.#spare = undefined;
      return spare;
    }
    const rpc = this.#rpcAt(origin);
    try {
      const { user, password } = this.#options.credentials();
      const session = await this.#lockout.guard([user, password], () => rpc.call('session.login_with_password', [user, password, '1.0', ORIGINATOR], { signal }), signal);
      if (typeof session !== 'string') throw new ForeignAnswerError('its answer to the login is not of XenAPI');
      return { rpc, session };
    } catch (error) {
      // The next attempt reads the trust anew.
      if (!(error instanceof XapiError)) this.#forget(rpc);
      throw error;
    }
  }

  async #stillHolds({ rpc, session }: MasterSession, signal: AbortSignal): Promise<boolean> {
    try {
      await rpc.call('pool.get_all', [session], { signal });
      return true;
    } catch (error) {
      if (!(error instanceof XapiError)) throw error;
      this.#spare = undefined;
      return false;
    }
  }

  #candidates(): URL[] {
    const master = this.#master === undefined ? [] : this.#named(this.#master);
    return [...master, ...this.#options.origins, ...this.#members.map((address) => this.#originOf(address))];
  }

  /** A host that was named, as master or otherwise, if it may be one: credentials go to hosts of the pool only. */
  #named(address: string): URL[] {
    const known = [...this.#members, ...this.#options.origins.map(hostOf)];
    const isMember = this.#members.length === 0 || known.includes(address);
    return isMember && address !== '' ? [this.#originOf(address)] : [];
  }

  /** XenAPI names hosts by their address alone: scheme and port are those of the pool. */
  #originOf(address: string): URL {
    const origin = new URL(this.#options.origins[0]!.origin);
    origin.hostname = address.includes(':') ? `[${address}]` : address;
    return origin;
  }

  #rpcAt(origin: URL): Rpc {
    const known = this.#rpcs.get(origin.origin);
    if (known) return known;
    const agent = new TrustedAgent(origin, this.#options.trust(), { maxSockets: SOCKETS, maxFreeSockets: IDLE_SOCKETS });
    const rpc = new Rpc(new HttpClient(origin, agent), agent);
    this.#rpcs.set(origin.origin, rpc);
    return rpc;
  }

  #forget(rpc: Rpc): void {
    this.#rpcs.delete(rpc.link.origin.origin);
    rpc.link.close();
  }

  #noteMaster(host: string): void {
    if (this.#lastMaster !== undefined && this.#lastMaster !== host) this.#options.onMaster?.(host);
    this.#master = this.#lastMaster = host;
  }
}

const refusal = (error: unknown, hint: string): LoginRefusedError | undefined =>
  (error instanceof XapiError && error.code === 'SESSION_AUTHENTICATION_FAILED' ? new LoginRefusedError(error, hint) : undefined);

const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, '');

/** Of several hosts' failures the one that a person can do most about. */
function mostTelling(failures: readonly unknown[]): unknown {
  return failures.find((error) => error instanceof CertificateError)
    ?? failures.find((error) => error instanceof XapiError)
    ?? failures[0]
    ?? new ConnectionLostError('no host of the pool could be asked', false);
}
