import { execFileSync } from 'node:child_process';
import { randomBytes, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** Programs that a test with this needs. */
export const REDFISH_PROGRAMS = ['openssl'];

const HOST = '127.0.0.1';
const ROOT = '/redfish/v1';
const BODY_LIMIT = 64 * 1024;
/** What it can do, as its action says. */
const RESETS = ['On', 'ForceOff', 'GracefulShutdown', 'ForceRestart', 'PowerCycle'];

/** A user who may switch, one who may only look. */
export const OPERATOR = { user: 'argo', password: 'Op-Secret-1', mayReset: true };
export const LOOKER = { user: 'looker', password: 'look-secret', mayReset: false };
const USERS = [OPERATOR, LOOKER];

export interface RedfishDoubleOptions {
  /** ids of its systems */
  readonly systems?: readonly string[];
  /** without them it knows Basic alone */
  readonly hasSessions?: boolean;
  /** who is let in */
  readonly users?: readonly (typeof OPERATOR)[];
  /** where the types of reset stand: at the action, in a resource of their own, or nowhere */
  readonly resets?: 'inline' | 'action info' | 'untold';
}

/** How it misbehaves. */
export interface Mischief {
  /** requests are taken and not answered */
  hangs?: boolean;
  /** milliseconds by which the answer to a login is late */
  loginTakes?: number;
  /** resets are carried out, and the connection is cut before the answer */
  losesAnswers?: boolean;
  /** an answer to resets that are not carried out, in the service's words, or in a proxy's, which has none */
  refusal?: { readonly status: number; readonly id?: string; readonly words?: string };
  /** PowerState, whatever it is */
  says?: unknown;
  /** where its list of systems is said to be */
  systemsAt?: string;
  allowed?: readonly string[];
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

/** A board that speaks Redfish over TLS: strict about what it is asked, and proven by clients that others wrote. */
export class RedfishDouble {
  readonly mischief: Mischief = {};
  /** the resets that it carried out: `1 ForceOff` */
  readonly orders: string[] = [];
  /** requests, without those of clients that are not let in */
  readonly requests: string[] = [];
  logins = 0;
  refusedLogins = 0;
  readonly #states: Map<string, 'On' | 'Off'>;
  readonly #tokens = new Map<string, { readonly id: string; readonly user: (typeof USERS)[number] }>();
  readonly #options: Required<RedfishDoubleOptions>;
  readonly #server: Server;
  readonly #certificate: Certificate;

  constructor(options: RedfishDoubleOptions, certificate: Certificate) {
    this.#options = { systems: ['1'], hasSessions: true, resets: 'inline', users: USERS, ...options };
    this.#states = new Map(this.#options.systems.map((id) => [id, 'Off']));
    this.#certificate = certificate;
    this.#server = createServer(certificate, (request, response) => {
      void this.#serve(request, response).catch(() => request.socket.destroy());
    });
  }

  static async start(options: RedfishDoubleOptions = {}): Promise<RedfishDouble> {
    const double = new RedfishDouble(options, makeCertificate());
    await new Promise<void>((resolve) => { double.#server.listen(0, HOST, resolve); });
    return double;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `https://${HOST}:${this.port}`;
  }

  /** of its certificate */
  get fingerprint(): string {
    return new X509Certificate(this.#certificate.cert).fingerprint256;
  }

  get sessions(): number {
    return this.#tokens.size;
  }

  isOn(id = '1'): boolean {
    return this.#states.get(id) === 'On';
  }

  /** What a system does by itself. */
  set(isOn: boolean, id = '1'): void {
    this.#states.set(id, isOn ? 'On' : 'Off');
  }

  /** As after a restart of the board. */
  forgetSessions(): void {
    this.#tokens.clear();
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => { this.#server.close(resolve); });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = await textOf(request);
    if (this.mischief.hangs) return;
    const { method = '', url = '' } = request;
    const exchange = { request, response, method, path: url.replace(/\/$/, ''), body: text === '' ? undefined : parse(text) };
    if (url.includes('?') || url.includes('//')) return refuse(exchange, 400, 'QueryNotSupported', 'No queries.');
    if ((request.headers['odata-version'] ?? '4.0') !== '4.0') return refuse(exchange, 412, 'PreconditionFailed', 'OData 4.0 only.');
    if (method === 'POST' && !/^application\/json\b/.test(request.headers['content-type'] ?? '')) return refuse(exchange, 415, 'UnsupportedMediaType', 'JSON only.');
    if (exchange.path === '/redfish') return answer(exchange, 200, { v1: `${ROOT}/` });
    if (exchange.path === ROOT) return answer(exchange, 200, this.#root());
    if (method === 'POST' && this.#isSessions(exchange.path)) return this.#logIn(exchange);
    const user = this.#userOf(request);
    if (user === undefined) return refuse(exchange, 401, 'NoValidSession', 'There is no valid session established.');
    this.requests.push(`${method} ${exchange.path}`);
    this.#route(exchange, user);
  }

  #isSessions(path: string): boolean {
    return this.#options.hasSessions && path === `${ROOT}/SessionService/Sessions`;
  }

  async #logIn(exchange: Exchange): Promise<void> {
    this.logins += 1;
    const { UserName: name, Password: password, ...more } = (exchange.body ?? {}) as Record<string, unknown>;
    if (Object.keys(more).length > 0) return refuse(exchange, 400, 'PropertyUnknown', 'Unknown property.');
    const user = this.#options.users.find((each) => each.user === name && each.password === password);
    if (!user) {
      this.refusedLogins += 1;
      await pause(this.mischief.loginTakes ?? 0);
      return refuse(exchange, 401, 'UnauthorizedLoginAttempt', 'The user name or the password is wrong.');
    }
    const token = randomBytes(16).toString('hex');
    const id = String(this.logins);
    this.#tokens.set(token, { id, user });
    const place = `${ROOT}/SessionService/Sessions/${id}`;
    exchange.response.setHeader('X-Auth-Token', token).setHeader('Location', place);
    await pause(this.mischief.loginTakes ?? 0);
    answer(exchange, 201, { '@odata.id': place, '@odata.type': '#Session.v1_3_0.Session', Id: id, Name: 'Session', UserName: user.user });
  }

  #userOf({ headers }: IncomingMessage): (typeof USERS)[number] | undefined {
    const token = headers['x-auth-token'];
    if (typeof token === 'string') return this.#tokens.get(token)?.user;
    const [scheme, content = ''] = (headers.authorization ?? '').split(' ');
    if (scheme !== 'Basic') return undefined;
    const given = Buffer.from(content, 'base64').toString();
    const found = this.#options.users.find(({ user, password }) => given === `${user}:${password}`);
    if (!found) this.refusedLogins += 1;
    return found;
  }

  #route(exchange: Exchange, user: (typeof USERS)[number]): void {
    const { method, path } = exchange;
    const system = /^\/redfish\/v1\/Systems\/([^/]+)(\/.*)?$/.exec(path);
    const id = system?.[1] ?? '';
    const rest = system?.[2];
    const session = /^\/redfish\/v1\/SessionService\/Sessions\/(\d+)$/.exec(path)?.[1];
    if (method === 'DELETE' && session !== undefined) return this.#logOut(exchange, session);
    if (method === 'POST' && this.#states.has(id) && rest === '/Actions/ComputerSystem.Reset') return this.#reset(exchange, id, user);
    const resource = this.#resource(path, id, rest);
    if (resource === undefined) return refuse(exchange, 404, 'ResourceMissingAtURI', 'There is no such resource.');
    if (method !== 'GET') return refuse(exchange, 405, 'OperationNotAllowed', 'That cannot be done with it.');
    answer(exchange, 200, { '@odata.id': path, ...resource });
  }

  #resource(path: string, id: string, rest: string | undefined): object | undefined {
    if (path === `${ROOT}/SessionService` && this.#options.hasSessions) {
      return {
        '@odata.type': '#SessionService.v1_1_8.SessionService', Id: 'SessionService', Name: 'Session Service', ServiceEnabled: true, SessionTimeout: 600,
        Sessions: { '@odata.id': `${ROOT}/SessionService/Sessions` },
      };
    }
    if (path === `${ROOT}/Systems`) {
      const members = this.#options.systems.map((each) => ({ '@odata.id': `${ROOT}/Systems/${each}` }));
      return { '@odata.type': '#ComputerSystemCollection.ComputerSystemCollection', Name: 'Systems', 'Members@odata.count': members.length, Members: members };
    }
    if (!this.#states.has(id)) return undefined;
    if (rest === undefined) return this.#system(id);
    if (rest !== '/ResetActionInfo' || this.#options.resets !== 'action info') return undefined;
    return {
      '@odata.type': '#ActionInfo.v1_3_0.ActionInfo', Id: 'ResetActionInfo', Name: 'Reset Action Info',
      Parameters: [{ Name: 'ResetType', Required: true, DataType: 'String', AllowableValues: this.mischief.allowed ?? RESETS }],
    };
  }

  #root(): object {
    return {
      '@odata.id': `${ROOT}/`, '@odata.type': '#ServiceRoot.v1_14_0.ServiceRoot', Id: 'RootService', Name: 'Root Service', RedfishVersion: '1.15.0', UUID: '92384634-2938-2342-8820-489239905423',
      Systems: { '@odata.id': this.mischief.systemsAt ?? `${ROOT}/Systems` },
      ...(this.#options.hasSessions && { SessionService: { '@odata.id': `${ROOT}/SessionService` }, Links: { Sessions: { '@odata.id': `${ROOT}/SessionService/Sessions` } } }),
    };
  }

  #system(id: string): object {
    const { resets } = this.#options;
    return {
      '@odata.type': '#ComputerSystem.v1_19_0.ComputerSystem', Id: id, Name: `System ${id}`, SystemType: 'Physical', UUID: '38947555-7742-3448-3784-823347823834',
      Status: { State: 'Enabled', Health: 'OK' }, Boot: { BootSourceOverrideEnabled: 'Disabled', BootSourceOverrideTarget: 'None' },
      PowerState: 'says' in this.mischief ? this.mischief.says : this.#states.get(id),
      Actions: {
        '#ComputerSystem.Reset': {
          target: `${ROOT}/Systems/${id}/Actions/ComputerSystem.Reset`,
          ...(resets === 'inline' && { 'ResetType@Redfish.AllowableValues': this.mischief.allowed ?? RESETS }),
          ...(resets === 'action info' && { '@Redfish.ActionInfo': `${ROOT}/Systems/${id}/ResetActionInfo` }),
        },
      },
    };
  }

  #logOut(exchange: Exchange, id: string): void {
    const found = [...this.#tokens].find(([, session]) => session.id === id);
    if (!found) return refuse(exchange, 404, 'ResourceMissingAtURI', 'There is no such session.');
    this.#tokens.delete(found[0]);
    exchange.response.writeHead(204).end();
  }

  #reset(exchange: Exchange, id: string, user: (typeof USERS)[number]): void {
    const { refusal, losesAnswers } = this.mischief;
    if (!user.mayReset) return refuse(exchange, 403, 'InsufficientPrivilege', 'There are insufficient privileges for the account to perform the requested operation.');
    if (refusal) return refuse(exchange, refusal.status, refusal.id, refusal.words);
    const { ResetType: type, ...more } = (exchange.body ?? {}) as { ResetType?: unknown };
    if (typeof type !== 'string' || !RESETS.includes(type) || Object.keys(more).length > 0) {
      return refuse(exchange, 400, 'ActionParameterValueNotInList', 'The value is not in the list of acceptable values.');
    }
    const isOn = this.isOn(id);
    if ((type === 'On') === isOn) return refuse(exchange, 409, 'InvalidOperationForSystemState', `The system is ${isOn ? 'on' : 'off'} already.`);
    this.orders.push(`${id} ${type}`);
    if (type === 'On') this.set(true, id);
    if (type === 'ForceOff') this.set(false, id);
    if (losesAnswers) exchange.request.socket.destroy();
    else exchange.response.writeHead(204).end();
  }
}

interface Certificate {
  readonly cert: string;
  readonly key: string;
}

function makeCertificate(): Certificate {
  const folder = mkdtempSync(join(tmpdir(), 'argo-redfish-'));
  try {
    const [key, cert] = [join(folder, 'key'), join(folder, 'cert')];
    execFileSync('openssl', [
      'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=bmc1', '-addext', `subjectAltName=IP:${HOST}`, '-keyout', key, '-out', cert,
    ], { stdio: 'ignore' });
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) {
    text += String(chunk);
    if (text.length > BODY_LIMIT) throw new Error('too long');
  }
  return text;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

function answer({ response }: Exchange, status: number, body: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json', 'OData-Version': '4.0' }).end(JSON.stringify(body));
}

/** @param id of the message in the Base registry; without one it is no answer of the service's own */
function refuse(exchange: Exchange, status: number, id?: string, words = ''): void {
  if (id === undefined) {
    exchange.response.writeHead(status, { 'Content-Type': 'text/html' }).end('<h1>a proxy</h1>');
    return;
  }
  answer(exchange, status, {
    error: { code: 'Base.1.15.GeneralError', message: 'A general error has occurred.', '@Message.ExtendedInfo': [{ MessageId: `Base.1.15.${id}`, Message: words, Severity: 'Critical', Resolution: '' }] },
  });
}
