import { setImmediate as turn } from 'node:timers/promises';
import { within, unlessAborted } from '../../kit/within.js';
import type { Trust } from '../tls/connect.js';
import { CertificateError } from '../tls/errors.js';
import { Lockout } from '../../kit/lockout.js';
import type { Each } from './answer.js';
import { isFault, LoginRefusedFault, VimFault, VimTransportError } from './errors.js';
import type { Method } from './schema.js';
import { SoapClient, type Arguments } from './soap-client.js';
import { CONNECTIONS, VimTransport } from './transport.js';
import { at, dateOf, isRef, textOf, type Ref, type VimValue } from './value.js';

/** A login with what goes before it, ms. It serves all who wait for it, so it has no caller's signal. */
const LOGIN_TIMEOUT = 20_000;
/** A logout; whoever does not answer it forgets us by itself, ms. */
const LOGOUT_TIMEOUT = 2000;
/** Characters of the list of versions; 2 KiB in truth. */
const VERSIONS_LIMIT = 64 * 1024;
/** The newest version that is spoken where the server knows it too. */
const OUR_VERSION = '6.5';

const SERVICE_INSTANCE: Ref = { type: 'ServiceInstance', value: 'ServiceInstance' };

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

export interface SessionOptions {
  /** of the service: https://vc1.example/sdk */
  readonly url: URL;
  readonly trust: () => Trust;
  /** read anew for each login */
  readonly credentials: () => Credentials;
}

/** What the server says of itself, and where its services are. */
export interface Service {
  readonly about: {
    readonly fullName: string;
    /** VirtualCenter or HostAgent */
    readonly apiType: string;
  };
  readonly rootFolder: Ref;
  readonly propertyCollector: Ref;
  readonly viewManager: Ref;
  readonly sessionManager: Ref;
  readonly perfManager: Ref | undefined;
}

interface Wire {
  readonly transport: VimTransport;
  readonly soap: SoapClient;
}

/** One login: what dies with it carries the number of it. */
export interface Login {
  readonly number: number;
  readonly service: Service;
}

/**
 * The session with one server: logged in when it is first needed, and once more when it has expired.
 * However many calls wait, there is one login at a time.
 */
export class VimSession {
  readonly #options: SessionOptions;
  #wire: Wire | undefined;
  #login: Promise<Login> | undefined;
  #logins = 0;
  #closed = false;
  #guard: { readonly realm: string; readonly lockout: Lockout } | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** The login that is in force, or a new one. */
  async login(signal: AbortSignal): Promise<Login> {
    if (this.#closed) throw new VimTransportError('the session is closed', false);
    const pending = this.#login ??= this.#logIn().catch((error: unknown) => {
      this.#login = undefined;
      this.#dropWire();
      throw error;
    });
    return unlessAborted(pending, signal);
  }

  /**
   * A method of an object. Where the session has expired it logs in and calls once more: an expired
   * session was refused, so nothing is done twice.
   * @param self the object, or where it is found in what the server says of itself
   * @throws VimFault, VimTransportError, CertificateError, the signal's reason
   */
  async call(method: Method, self: Ref | ((service: Service) => Ref), args: Arguments, signal: AbortSignal): Promise<VimValue> {
    const login = await this.login(signal);
    try {
      return await this.callIn(login, method, self, args, signal);
    } catch (error) {
      if (!isFault(error, 'NotAuthenticated')) throw error;
      this.expire(login);
    }
    return this.callIn(await this.login(signal), method, self, args, signal);
  }

  /** As {@link call}, in one login only: for what ends with it. */
  async callIn(
    login: Login, method: Method, self: Ref | ((service: Service) => Ref), args: Arguments, signal: AbortSignal, each?: Each,
  ): Promise<VimValue> {
    try {
      // It was dropped with the login that a certificate ended.
      if (this.#wire === undefined) throw new VimFault('NotAuthenticated', 'the session has ended');
      return await this.#wire.soap.call(method, typeof self === 'function' ? self(login.service) : self, args, signal, each);
    } catch (error) {
      if (error instanceof CertificateError) {
        this.expire(login);
        this.#dropWire();
      }
      throw error;
    }
  }

  /** A question, which is asked again where an idle connection turns out to be broken. */
  ask(method: Method, self: Ref | ((service: Service) => Ref), args: Arguments, signal: AbortSignal): Promise<VimValue> {
    return this.#unlessStale(() => this.call(method, self, args, signal));
  }

  /** As {@link ask}, in one login only. What is asked again has been answered with nothing yet, so that `each` hears all of it once. */
  askIn(login: Login, method: Method, self: Ref, args: Arguments, signal: AbortSignal, each?: Each): Promise<VimValue> {
    return this.#unlessStale(() => this.callIn(login, method, self, args, signal, each));
  }

  /** Several idle connections may be broken at once, as after a firewall's restart. */
  async #unlessStale<T>(work: () => Promise<T>): Promise<T> {
    for (let left = CONNECTIONS; ; left -= 1) {
      try {
        return await work();
      } catch (error) {
        if (left === 0 || !(error instanceof VimTransportError) || !error.stale) throw error;
        this.#wire?.transport.dropIdle();
      }
    }
  }

  /** The server's clock, which it tells only to those who are logged in. @throws VimFault NotAuthenticated */
  async serverTime(login: Login, signal: AbortSignal): Promise<Date> {
    const time = dateOf(await this.askIn(login, 'CurrentTime', SERVICE_INSTANCE, {}, signal));
    if (time !== undefined) return time;
    throw new VimFault('NotAuthenticated', 'the server does not tell its time');
  }

  /** This login is no longer good: the next call makes a new one. */
  expire(login: Login): void {
    if (login.number === this.#logins) this.#login = undefined;
  }

  /** Logs out, where there is somebody to log out from, and closes all connections. */
  async close(signal: AbortSignal): Promise<void> {
    this.#closed = true;
    const login = await this.#login?.catch(() => undefined);
    const wire = this.#wire;
    if (login !== undefined && wire !== undefined) {
      await within(LOGOUT_TIMEOUT, [signal], (limit) => wire.soap.call('Logout', login.service.sessionManager, {}, limit)).catch(() => undefined);
    }
    this.#dropWire();
  }

  #open(): Wire {
    if (this.#wire === undefined) {
      const transport = new VimTransport(this.#options.url, this.#options.trust());
      this.#wire = { transport, soap: new SoapClient(this.#options.url.href, transport) };
    }
    return this.#wire;
  }

  /** So that a certificate or an authority that was put right is used without a restart. */
  #dropWire(): void {
    this.#wire?.transport.close();
    this.#wire = undefined;
  }

  async #enter({ user: userName, password }: Credentials, signal: AbortSignal): Promise<Service> {
    // The first request of a process takes some ms, and so did what led here.
    await turn();
    const { transport, soap } = this.#open();
    transport.forgetSession();
    soap.speak(await readVersion(transport, this.#options.url, signal));
    const service = readService(await soap.call('RetrieveServiceContent', SERVICE_INSTANCE, {}, signal));
    await soap.call('Login', service.sessionManager, { userName, password }, signal);
    return service;
  }

  #lockoutOf(user: string): Lockout {
    const realm = realmOf(user, this.#options.url);
    if (this.#guard?.realm !== realm) this.#guard = {
      realm,
      // Each vCenter is one door to the directory: one that is not joined to it refuses what the others take.
      lockout: new Lockout(refusal, { realm, hasManyDoors: realm.startsWith(DIRECTORY) }),
    };
    return this.#guard.lockout;
  }

  async #logIn(): Promise<Login> {
    const signal = AbortSignal.timeout(LOGIN_TIMEOUT);
    // Counted from its beginning: those who still find the former login expired must not undo it.
    this.#logins += 1;
    const number = this.#logins;
    try {
      const credentials = this.#options.credentials();
      return {
        number,
        service: await this.#lockoutOf(credentials.user).guard(
          [credentials.user, credentials.password],
          () => this.#unlessStale(() => this.#enter(credentials, signal)),
          signal,
        ),
      };
    } catch (error) {
      if (signal.aborted) throw new VimTransportError(`no login in ${LOGIN_TIMEOUT / 1000} s`, false);
      // Nothing of what is waiting for the login has been sent.
      throw error instanceof VimTransportError ? new VimTransportError(error.message, false, false, { cause: error }) : error;
    }
  }
}

/** Domains that each vCenter has for itself: accounts of theirs have nothing in common but the name. */
const OWN_DOMAINS = new Set(['vsphere.local', 'localos']);

/** With what the realm of a directory's accounts begins. */
const DIRECTORY = 'vim @';

/** Where an account is locked: in its domain (`argo@corp.example`, `CORP\argo`), wherever it logs in; else on the server. */
function realmOf(user: string, url: URL): string {
  const domain = (/^([^\\]+)\\/.exec(user)?.[1] ?? /@([^@]+)$/.exec(user)?.[1])?.toLowerCase();
  return domain === undefined || OWN_DOMAINS.has(domain) ? `vim ${url.host}` : `${DIRECTORY}${domain}`;
}

const refusal = (error: unknown, hint: string): LoginRefusedFault | undefined =>
  (isFault(error, 'InvalidLogin') ? new LoginRefusedFault(error, hint) : undefined);

/**
 * The version to speak: ours where the server lists it (vSphere Web Services SDK Programming Guide,
 * "vimServiceVersions.xml"), else its newest.
 */
async function readVersion(transport: VimTransport, url: URL, signal: AbortSignal): Promise<string> {
  const path = `${url.pathname.replace(/\/+$/, '')}/vimServiceVersions.xml`;
  const list = await transport.get(path, VERSIONS_LIMIT, signal) ?? '';
  const vim = /<name>\s*urn:vim25\s*<\/name>([\s\S]*?)<\/namespace>/.exec(list)?.[1] ?? '';
  const versions = [...vim.matchAll(/<version>\s*([\w.]+)\s*<\/version>/g)].map(([, version = '']) => version);
  return versions.includes(OUR_VERSION) ? OUR_VERSION : versions[0] ?? OUR_VERSION;
}

function readService(content: VimValue): Service {
  const ref = (name: string): Ref => {
    const found = at(content, name);
    if (isRef(found)) return found;
    throw new VimTransportError(`what answers there is not vSphere: it has no ${name}`, false);
  };
  const perfManager = at(content, 'perfManager');
  return {
    about: { fullName: textOf(at(content, 'about', 'fullName')) ?? 'vSphere', apiType: textOf(at(content, 'about', 'apiType')) ?? '' },
    rootFolder: ref('rootFolder'), propertyCollector: ref('propertyCollector'), viewManager: ref('viewManager'), sessionManager: ref('sessionManager'),
    perfManager: isRef(perfManager) ? perfManager : undefined,
  };
}
