import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecure } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { TextDecoder } from 'node:util';
import { makeCertificate, type Certificate } from '../xapi.js';
import { Windows, type WindowsOptions } from './cimv2.js';
import { Faults, spoil, type Fault } from './faults.js';
import { HyperV, type HyperVOptions } from './hyperv.js';
import { HyperVNamespace } from './hyperv-classes.js';
import { ACTION, WMI } from './names.js';
import { messageIdOf, readRequest, type Request } from './request.js';
import { Service } from './service.js';
import { SoapFault, writeFault, type FaultName } from './soap-faults.js';
import { writeEnvelope, writeIdentity } from './wire.js';

/**
 * A Windows machine that speaks WS-Management as WinRM does (DSP0226 and [MS-WSMV]), over HTTP or
 * HTTPS, to anybody or to whom it knows by Basic. What WinRM refuses, it refuses too. That it is like
 * one is shown with a client that others wrote. NTLM and Kerberos are done by a front before it.
 */

export type { Fault } from './faults.js';
export type { FaultName } from './soap-faults.js';
export { JOB } from './jobs.js';
export { RETURN } from './hyperv.js';

export interface WmiDoubleOptions extends WindowsOptions, HyperVOptions {
  readonly role: 'windows' | 'hyperv';
  /** of what people read, such as `de-DE` */
  readonly locale?: string;
  readonly tls?: boolean;
  /** passwords by name; absent: a front has asked already */
  readonly users?: Readonly<Record<string, string>>;
  /** false: over HTTP, Basic is not offered */
  readonly allowUnencrypted?: boolean;
  /** WMI's refusals in the form of Windows Server 2012 and later, without a WSManFault */
  readonly wmiErrors?: boolean;
  /** minutes east of Greenwich, in which dates are told */
  readonly zoneOffset?: number;
  readonly address?: string;
  /** one of the kernel's choice unless given */
  readonly port?: number;
}

/** A request as it came. */
export interface Seen {
  /** `Get`, `Enumerate`, `Pull`, `Release`, `Identify`, or a method */
  readonly what: string;
  readonly namespace: string;
  /** `*` for queries */
  readonly className: string;
  readonly selectors: Readonly<Record<string, string>>;
  readonly query: string | undefined;
  readonly user: string | undefined;
  /** counts the connections, so that one can be told from another */
  readonly connection: number;
  readonly envelope: string;
}

/** Bytes of a request (winrm's MaxEnvelopeSizekb). */
const LARGEST_REQUEST = 512_000;
const REQUESTS_KEPT = 20_000;
const SOAP = /^application\/soap\+xml\s*;\s*charset\s*=\s*"?utf-8"?\s*$/i;
const SYSTEM = 'OS: 10.0.20348 SP: 0.0 Stack: 3.0';

async function collect(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= LARGEST_REQUEST) chunks.push(chunk);
  }
  if (bytes > LARGEST_REQUEST) throw new SoapFault('bad xml');
  return Buffer.concat(chunks);
}

export class WmiDouble {
  readonly world: { readonly windows: Windows; readonly hyperv: HyperV };
  readonly requests: Seen[] = [];
  readonly faults = new Faults();
  /** that it shows; absent without TLS */
  readonly certificate: Certificate | undefined;
  /** connections that were ever made */
  connections = 0;
  /** logins that were refused */
  refusals = 0;
  #port: number;
  #server: Server | undefined;
  readonly #service: Service;
  readonly #sockets = new Map<Socket, number>();
  readonly #timers = new Set<NodeJS.Timeout>();
  /** the port is free when this has happened */
  #going: Promise<void> = Promise.resolve();
  readonly #options: WmiDoubleOptions;

  constructor(options: WmiDoubleOptions) {
    this.#options = options;
    this.#port = options.port ?? 0;
    const { role, locale = 'en-US', zoneOffset = 0 } = options;
    const windows = new Windows(options, (after, back) => this.#leave(after, back));
    const hyperv = new HyperV(options);
    this.world = { windows, hyperv };
    this.certificate = options.tls ? makeCertificate() : undefined;
    const namespaces = [windows.namespace, ...(role === 'hyperv' ? [new HyperVNamespace(hyperv, windows.name, locale)] : [])];
    this.#service = new Service(namespaces, locale, zoneOffset);
  }

  /** As in `https://127.0.0.1:45986/wsman`. */
  get url(): string {
    return `${this.#options.tls ? 'https' : 'http'}://${this.#address}:${this.#port}/wsman`;
  }

  get port(): number {
    return this.#port;
  }

  get isUp(): boolean {
    return this.#server?.listening ?? false;
  }

  /** Enumerations that clients have not read to their end. */
  get openEnumerations(): number {
    return this.#service.enumerations.open;
  }

  get #address(): string {
    return this.#options.address ?? '127.0.0.1';
  }

  /** How often a method, or an action such as `Enumerate`, was asked for. */
  calls(what: string): number {
    return this.requests.filter((each) => each.what === what).length;
  }

  /** Switches the machine on, at the port that it had. */
  async wake(): Promise<void> {
    await this.#going;
    if (this.#server) return;
    this.world.windows.booted();
    await this.#listen();
  }

  /** Takes the machine from the network, with all its connections. */
  async down(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.#service.enumerations.clear();
    this.#sockets.forEach((_number, socket) => socket.destroy());
    if (server) this.#going = new Promise((resolve) => server.close(() => resolve()));
    await this.#going;
  }

  async stop(): Promise<void> {
    this.#timers.forEach((timer) => clearTimeout(timer));
    this.world.hyperv.stop();
    await this.down();
  }

  async #listen(): Promise<void> {
    const serve = (request: IncomingMessage, response: ServerResponse): void => {
      this.#serve(request, response).catch(() => response.destroy());
    };
    const server: Server = this.certificate ? createSecure({ key: this.certificate.key, cert: this.certificate.cert }, serve) : createServer(serve);
    server.on('connection', (socket: Socket) => {
      this.#sockets.set(socket, ++this.connections);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => socket.destroy());
    });
    server.keepAliveTimeout = 0;
    server.listen(this.#port, this.#address);
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  static async start(options: WmiDoubleOptions): Promise<WmiDouble> {
    const double = new WmiDouble(options);
    await double.#listen();
    return double;
  }

  #leave(after: number, back: number | undefined): void {
    const later = (ms: number, then: () => void): void => {
      const timer = setTimeout(then, ms).unref();
      this.#timers.add(timer);
    };
    const leave = (): void => {
      void this.down();
      if (back !== undefined) later(back, () => void this.wake());
    };
    if (after === 0) leave();
    else later(after, leave);
  }

  /** The connection's number; of TLS, the one beneath. */
  #numberOf(socket: Socket): number {
    const beneath = (socket as Socket & { _parent?: Socket })._parent;
    return this.#sockets.get(socket) ?? (beneath && this.#sockets.get(beneath)) ?? 0;
  }

  #knows({ headers }: IncomingMessage): boolean {
    const { users, tls, allowUnencrypted = true } = this.#options;
    if (!users) return true;
    const [, given = ''] = /^Basic\s+(\S+)$/i.exec(headers.authorization ?? '') ?? [];
    const [user = '', ...password] = Buffer.from(given, 'base64').toString('utf8').split(':');
    return (tls === true || allowUnencrypted) && Object.hasOwn(users, user) && users[user] === password.join(':');
  }

  #refuse(response: ServerResponse): void {
    const { users, tls, allowUnencrypted = true } = this.#options;
    response.writeHead(401, { 'www-authenticate': ['Negotiate', ...(users && (tls === true || allowUnencrypted) ? ['Basic realm="WSMAN"'] : [])], 'content-length': '0' }).end();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const bare = (status: number): void => void response.writeHead(status, { 'content-length': '0' }).end();
    if (!/^\/wsman\/?(\?|$)/i.test(request.url ?? '')) return bare(404);
    if (request.method !== 'POST') return bare(405);
    const body = await collect(request).catch(() => Buffer.from('<'));
    if (!this.#knows(request)) {
      if (request.headers.authorization !== undefined) this.refusals += 1;
      return this.#refuse(response);
    }
    if (body.length === 0) return bare(200);
    if (!SOAP.test(request.headers['content-type'] ?? '')) return bare(415);
    await this.#handle(body, request, response);
  }

  async #handle(body: Buffer, request: IncomingMessage, response: ServerResponse): Promise<void> {
    let envelope = '';
    try {
      envelope = new TextDecoder('utf-8', { fatal: true }).decode(body);
      const read = readRequest(envelope);
      const names = this.#remember(read, envelope, request);
      await this.#meet(this.faults.take(names), read, envelope, response);
    } catch (error) {
      const kind: FaultName = error instanceof SoapFault ? error.kind : error instanceof TypeError ? 'bad xml' : 'internal error';
      this.#send(response, 500, this.#fault(kind, envelope));
    }
  }

  #fault(kind: FaultName, envelope: string): string {
    return writeFault(kind, messageIdOf(envelope), { locale: this.#options.locale ?? 'en-US', wmiErrors: this.#options.wmiErrors ?? false });
  }

  #send(response: ServerResponse, status: number, text: string): void {
    if (response.destroyed) return;
    response.writeHead(status, { 'content-type': 'application/soap+xml;charset=UTF-8', server: 'Microsoft-HTTPAPI/2.0', 'content-length': Buffer.byteLength(text) }).end(text);
  }

  /** @returns what faults may be meant for */
  #remember(read: Request | 'identify', envelope: string, request: IncomingMessage): string[] {
    const connection = this.#numberOf(request.socket);
    const [basic] = Buffer.from(/^Basic\s+(\S+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '', 'base64').toString('utf8').split(':');
    const user = (request.headers['x-remote-user'] as string | undefined) ?? (basic === '' ? undefined : basic);
    const seen: Seen = read === 'identify'
      ? { what: 'Identify', namespace: '', className: '', selectors: {}, query: undefined, user, connection, envelope }
      : this.#describe(read, envelope, { user, connection });
    this.requests.push(seen);
    if (this.requests.length > REQUESTS_KEPT) this.requests.shift();
    const asked = /\bfrom\s+(\w+)/i.exec(seen.query ?? '')?.[1] ?? /\bresultclass\s*=\s*(\w+)/i.exec(seen.query ?? '')?.[1];
    return [seen.what, seen.namespace, seen.className, ...(asked === undefined ? [] : [asked])];
  }

  #describe({ action, resource, selectors, body }: Request, envelope: string, who: Pick<Seen, 'user' | 'connection'>): Seen {
    const path = resource.startsWith(WMI) ? resource.slice(WMI.length) : resource;
    const at = path.lastIndexOf('/');
    return {
      what: action.slice(action.lastIndexOf('/') + 1), namespace: path.slice(0, at), className: path.slice(at + 1), selectors: Object.fromEntries(selectors ?? []),
      query: body?.children.find(({ name }) => name === 'Filter')?.text, ...who, envelope,
    };
  }

  /** Answers a request, unless that is to go wrong. */
  async #meet(fault: Fault | undefined, read: Request | 'identify', envelope: string, response: ServerResponse): Promise<void> {
    const answer = (): Promise<string> => (read === 'identify' ? Promise.resolve(writeIdentity(SYSTEM)) : this.#within(read, () => this.#service.answer(read)));
    if (!fault) return this.#send(response, 200, await answer());
    switch (fault.kind) {
      case 'refuse after':
        await answer();
        throw new SoapFault(fault.fault);
      case 'refuse': throw new SoapFault(fault.fault);
      case 'bare after':
        await answer();
        return void response.writeHead(fault.status, { 'content-length': '0' }).end();
      case 'bare': return fault.status === 401 ? this.#refuse(response) : void response.writeHead(fault.status, { 'content-length': '0' }).end();
      case 'cut': return void response.destroy();
      case 'cut after': return void answer().finally(() => response.destroy());
      case 'silent': return;
      case 'silent after': return void answer().catch(() => undefined);
      case 'half': {
        const text = await answer();
        response.writeHead(200, { 'content-type': 'application/soap+xml;charset=UTF-8', 'content-length': Buffer.byteLength(text) });
        return void response.write(text.slice(0, text.length / 2), () => response.destroy());
      }
      case 'slow': return this.#send(response, 200, await (read === 'identify' ? answer() : this.#within(read, async () => {
        await sleep(fault.ms, undefined, { ref: false });
        return this.#service.answer(read);
      })));
      case 'endless': return this.#send(response, 200, this.#endless(read, envelope));
      default: return spoil(fault.kind, await answer(), response);
    }
  }

  /** What takes longer than its client waits goes on, and its client is told that it was too long. */
  async #within({ timeout }: Request, work: () => Promise<string>): Promise<string> {
    const over = new AbortController();
    const late = sleep(timeout, undefined, { ref: false, signal: over.signal }).then(() => { throw new SoapFault('timed out'); });
    late.catch(() => undefined);
    const done = work();
    done.catch(() => undefined);
    return Promise.race([done, late]).finally(() => over.abort());
  }

  #endless(read: Request | 'identify', envelope: string): string {
    if (read === 'identify' || read.action !== ACTION.pull) throw new SoapFault('internal error');
    const context = /EnumerationContext[^>]*>([^<]*)</.exec(envelope)?.[1] ?? '';
    return writeEnvelope(`${read.action}Response`, read.messageId, `<n:PullResponse><n:EnumerationContext>${context}</n:EnumerationContext><n:Items></n:Items></n:PullResponse>`, this.#options.locale ?? 'en-US');
  }
}

/** Starts a double. Its `stop()` ends it and all that it began. */
export const startWmiDouble = (options: WmiDoubleOptions): Promise<WmiDouble> => WmiDouble.start(options);
