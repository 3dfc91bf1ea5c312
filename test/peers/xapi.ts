import { execFileSync } from 'node:child_process';
import { createHash, randomUUID, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createPlain, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecure } from 'node:https';
import { connect, type AddressInfo, type NetConnectOpts, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { readJson, readXml, writeJson, writePython, writeXml, type Call } from './xapi-wire.js';
import { writeUpdates } from './xapi-rrd.js';
import { Failure, World, type Fields, type Value, type WorldOptions } from './xapi-world.js';

/**
 * A pool of hosts that speak XenAPI: each on an address of its own, all on one port. Strict: what a
 * real xapi refuses, it refuses too. That it is like one is shown with clients that others wrote.
 */

/** What is to go wrong with a method. */
export type Fault =
  | { readonly kind: 'refuse'; readonly code: string; readonly params: readonly string[] }
  /** the task that it begins fails so */
  | { readonly kind: 'fail'; readonly code: string; readonly params: readonly string[] }
  /** cut off before or after it was carried out, or in the middle of the answer */
  | { readonly kind: 'cut' | 'cut after' | 'half' | 'hang' | 'garbage' | 'huge' }
  | { readonly kind: 'slow'; readonly ms: number }
  /** a proxy's answer in the place of its own, before it was carried out or after; a status of 200 is a page of HTML */
  | { readonly kind: 'status'; readonly status: number; readonly after: boolean };

export interface XapiOptions extends WorldOptions {
  readonly tls?: boolean;
  readonly password?: string;
  /** false: a host before XenServer 7 */
  readonly json?: boolean;
  /** a server on Python's xmlrpc, at its two addresses alone, without events */
  readonly python?: boolean;
}

export interface Certificate {
  readonly key: string;
  readonly cert: string;
  /** base64, without padding */
  readonly fingerprint: string;
}

/** A certificate that nobody but itself vouches for, for addresses of this machine. */
export function makeCertificate(): Certificate {
  const folder = mkdtempSync(join(tmpdir(), 'argo-xapi-'));
  try {
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=xen1',
      '-addext', 'subjectAltName=IP:127.0.0.1,IP:127.0.0.2', '-keyout', join(folder, 'key'), '-out', join(folder, 'cert')], { stdio: 'ignore' });
    const [key, cert] = ['key', 'cert'].map((name) => readFileSync(join(folder, name), 'utf8')) as [string, string];
    return { key, cert, fingerprint: createHash('sha256').update(new X509Certificate(cert).raw).digest('base64').slice(0, 43) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const FORMS = { '/jsonrpc': ['application/json', readJson, writeJson], '/': ['text/xml', readXml, writeXml], '/RPC2': ['text/xml', readXml, writeXml], '/xmlrpc': ['text/xml', readXml, writeXml] } as const;

export class XapiPeer {
  readonly world: World;
  readonly sessions = new Set<string>();
  /** every call: its method, and the host that had it */
  readonly log: string[] = [];
  /** what hosts were told at their end */
  readonly down: string[] = [];
  certificate: Certificate | undefined;
  /** where a console's bytes come from, by its protocol: a VNC server, a terminal */
  readonly behind = new Map<string, NetConnectOpts>();
  /** xapi's `limit_console_sessions` */
  oneConsole = false;
  /** the master's place among the hosts */
  master = 0;
  port = 0;
  readonly #faults = new Map<string, Fault[]>();
  readonly #servers: (Server | undefined)[] = [];
  readonly #cancelled = new Set<string>();
  readonly #connections = new Set<Socket>();
  readonly #dead = new WeakSet<Socket>();
  readonly #options: XapiOptions;
  /** consoles that somebody has open */
  readonly #watched = new Set<string>();

  constructor(options: XapiOptions) {
    this.#options = options;
    this.world = new World(options);
    if (options.tls) this.certificate = makeCertificate();
  }

  static async start(options: XapiOptions = {}): Promise<XapiPeer> {
    const peer = new XapiPeer(options);
    for (const host of peer.#addresses.keys()) await peer.open(host);
    return peer;
  }

  get #addresses(): string[] {
    return (this.#options.hosts ?? [{ address: '127.0.0.1' }]).map(({ address }) => address);
  }

  url(host = 0): string {
    return `${this.#options.tls ? 'https' : 'http'}://${this.#addresses[host]}:${this.port}`;
  }

  /** Lets the next calls of a method go wrong. */
  fault(method: string, fault: Fault, times = 1): void {
    this.#faults.set(method, [...this.#faults.get(method) ?? [], ...Array.from({ length: times }, () => fault)]);
  }

  /** How often a method was called. */
  calls(method: string): number {
    return this.log.filter((line) => line.startsWith(`${method} `)).length;
  }

  /** Switches a host's xapi on. */
  async open(host = 0): Promise<void> {
    const serve = (request: IncomingMessage, response: ServerResponse): void => {
      this.#serve(host, request, response).catch(() => response.destroy());
    };
    const server = this.certificate ? createSecure({ key: this.certificate.key, cert: this.certificate.cert }, serve) : createPlain(serve);
    server.on('connect', (request: IncomingMessage, socket: Duplex) => {
      // Node's server forgets those that it has handed over.
      server.once('close now', () => socket.destroy());
      this.#console(host, request, socket);
    });
    server.on(this.certificate ? 'secureConnection' : 'connection', (socket: Socket) => {
      this.#connections.add(socket);
      socket.once('close', () => this.#connections.delete(socket));
    });
    server.listen(this.port, this.#addresses[host]);
    await once(server, 'listening');
    this.port = (server.address() as AddressInfo).port;
    this.#servers[host] = server;
  }

  /** Switches a host's xapi off, in the middle of whatever it does. */
  async shut(host = 0): Promise<void> {
    const server = this.#servers[host];
    this.#servers[host] = undefined;
    if (!server) return;
    server.close();
    server.closeAllConnections();
    server.emit('close now');
    await once(server, 'close');
  }

  /** What a firewall does that has forgotten the connections there are: each is cut off when it is used again. */
  forgetConnections(): void {
    this.#connections.forEach((socket) => this.#dead.add(socket));
  }

  /** xapi anew: no session, no task, new handles. */
  restart(): void {
    this.sessions.clear();
    this.world.renew();
  }

  async stop(): Promise<void> {
    for (const host of this.#servers.keys()) await this.shut(host);
  }

  #fault(method: string): Fault | undefined {
    return this.#faults.get(method)?.shift();
  }

  async #serve(host: number, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.#dead.has(request.socket)) return void request.socket.destroy();
    const url = new URL(request.url ?? '/', 'http://xapi');
    if (request.method === 'GET' && url.pathname === '/rrd_updates') return this.#measure(host, request, response, url);
    let body = '';
    for await (const chunk of request.setEncoding('utf8') as AsyncIterable<string>) body += chunk;
    const isOld = this.#options.json === false && url.pathname === '/jsonrpc';
    const form = Object.hasOwn(FORMS, url.pathname) ? FORMS[url.pathname as keyof typeof FORMS] : undefined;
    if (request.method !== 'POST' || !form) return void response.writeHead(404).end();
    // xapi before 7 takes each POST for XML-RPC, and answers what it cannot read with a failure in XML.
    if (isOld) return void response.writeHead(200, { 'content-type': 'text/xml' }).end(writeXml({ method: '', params: [] }, new Failure('INTERNAL_ERROR', ['Xml.Error'])));
    // Python's server knows these two addresses.
    if (this.#options.python && !['/', '/RPC2'].includes(url.pathname)) return void response.writeHead(404).end();
    const [type, read, writeForm] = form;
    const write = this.#options.python ? writePython : writeForm;
    let call: Call;
    try {
      call = read(body);
    } catch {
      return void response.writeHead(500, { 'content-type': 'text/html' }).end('<html>');
    }
    this.log.push(`${call.method} ${host}`);
    const fault = this.#fault(call.method);
    if (fault?.kind === 'hang') return;
    if (fault?.kind === 'cut') return void request.socket.destroy();
    if (fault?.kind === 'slow') await new Promise((resolve) => setTimeout(resolve, fault.ms));
    const page = (): void => void (fault?.kind === 'status' && response.writeHead(fault.status, { 'content-type': 'text/html', location: 'http://127.0.0.1:9/' }).end('<html>'));
    if (fault?.kind === 'status' && !fault.after) return page();
    const outcome = await this.#answer(host, call, fault);
    if (fault?.kind === 'status') return page();
    if (fault?.kind === 'cut after') return void request.socket.destroy();
    if (fault?.kind === 'garbage') return void response.writeHead(200, { 'content-type': type }).end('<html>It works!</html>');
    if (fault?.kind === 'huge') return this.#flood(response, type);
    const text = write(call, outcome);
    response.writeHead(200, { 'content-type': type, 'content-length': Buffer.byteLength(text) });
    if (fault?.kind !== 'half') return void response.end(text);
    response.write(text.slice(0, text.length >> 1), () => setTimeout(() => request.socket.destroy(), 20));
  }

  #flood(response: ServerResponse, type: string): void {
    response.writeHead(200, { 'content-type': type });
    const more = (): void => {
      while (!response.destroyed && response.write(' '.repeat(65_536)));
      response.once('drain', more);
    };
    more();
  }

  async #answer(host: number, call: Call, fault: Fault | undefined): Promise<Value | Failure> {
    try {
      if (fault?.kind === 'refuse') {
        if (fault.code === 'SESSION_INVALID') this.sessions.delete(String(call.params[0]));
        throw new Failure(fault.code, fault.params);
      }
      return await this.#call(host, call, fault);
    } catch (error) {
      if (error instanceof Failure) return error;
      return new Failure('INTERNAL_ERROR', [String(error)]);
    }
  }

  async #call(host: number, { method, params }: Call, fault: Fault | undefined): Promise<Value> {
    if (host !== this.master && method !== 'system.listMethods') throw new Failure('HOST_IS_SLAVE', [this.#addresses[this.master]!]);
    if (method === 'system.listMethods') return this.#methods();
    if (method === 'session.login_with_password') return this.#logIn(params);
    const [session, ...args] = params;
    if (typeof session !== 'string' || !this.sessions.has(session)) throw new Failure('SESSION_INVALID', [String(session)]);
    if (method === 'session.logout') return String(this.sessions.delete(session) && '');
    if (method === 'event.from' && this.#options.python) throw new Failure('MESSAGE_METHOD_UNKNOWN', [method]);
    if (method === 'event.from') return this.#events(session, args);
    if (method.startsWith('Async.')) return this.#begin(method.slice('Async.'.length), args, fault);
    return this.#carryOut(method, args, () => false);
  }

  async #events(session: string, args: readonly Value[]): Promise<Value> {
    count('event.from', args, 3);
    const [classes, token, wait] = args;
    if (!Array.isArray(classes) || typeof token !== 'string' || typeof wait !== 'number') throw new Failure('FIELD_TYPE_ERROR', ['timeout']);
    const events = await this.world.eventsFrom((classes as Value[]).map(String), token, wait);
    if (!this.sessions.has(session)) throw new Failure('SESSION_INVALID', [session]);
    return events;
  }

  #logIn(params: readonly Value[]): string {
    if (params.length < 2 || params.length > 4) throw new Failure('MESSAGE_PARAMETER_COUNT_MISMATCH', ['session.login_with_password', '4', String(params.length)]);
    if (params[1] !== (this.#options.password ?? 'pw')) throw new Failure('SESSION_AUTHENTICATION_FAILED');
    const session = `OpaqueRef:${randomUUID()}`;
    this.sessions.add(session);
    return session;
  }

  /** A method as a task, which lives on without the client. */
  #begin(method: string, args: readonly Value[], fault: Fault | undefined): string {
    if (!this.#methods().includes(method)) throw new Failure('MESSAGE_METHOD_UNKNOWN', [`Async.${method}`]);
    const task = this.world.add('task', { name_label: `Async.${method}`, status: 'pending', progress: 0, result: '', error_info: [] });
    const end = (fields: Fields): void => { if (this.world.table('task').has(task)) this.world.set('task', task, { progress: 1, ...fields }); };
    const work = fault?.kind === 'fail' ? Promise.reject(new Failure(fault.code, fault.params)) : this.#carryOut(method, args, () => this.#cancelled.has(task));
    work.then(() => end({ status: 'success' }), (error: unknown) => {
      const { code, params } = error instanceof Failure ? error : new Failure('INTERNAL_ERROR', [String(error)]);
      end(code === 'TASK_CANCELLED' ? { status: 'cancelled' } : { status: 'failure', error_info: [code, ...params] });
    });
    return task;
  }

  async #carryOut(method: string, args: readonly Value[], isCancelled: () => boolean): Promise<Value> {
    const { world } = this;
    const [type = '', name = ''] = method.split('.');
    const [first] = args.map(String);
    const expected = World.vmMethods().get(method) ?? HOST_METHODS[method];
    if (expected !== undefined) count(method, args, expected);
    if (World.vmMethods().has(method)) {
      await world.operate(name, first!, isCancelled);
      return '';
    }
    if (type === 'host' && expected !== undefined) return this.#host(name, first!);
    if (method === 'VM.add_to_other_config' || method === 'VM.remove_from_other_config') return this.#configure(method, args);
    if (method === 'event.inject') return world.inject(first!, String(args[1]));
    if (method === 'task.cancel') return String(this.#cancelled.add(first!) && '');
    if (method === 'task.destroy') return world.remove('task', first!) ?? '';
    const table = world.tables.get(type as Parameters<World['table']>[0]);
    if (!table || !name.startsWith('get_')) throw new Failure('MESSAGE_METHOD_UNKNOWN', [method]);
    return this.#get(type as Parameters<World['table']>[0], name.slice('get_'.length), first, table, method);
  }

  #get(type: Parameters<World['table']>[0], field: string, key: string | undefined, table: Map<string, Fields>, method: string): Value {
    if (field === 'all') return [...table.keys()];
    if (field === 'all_records') return Object.fromEntries(table);
    if (key === undefined) throw new Failure('MESSAGE_PARAMETER_COUNT_MISMATCH', [method, '1', '0']);
    if (field === 'by_name_label') return [...table].filter(([, { name_label: name }]) => name === key).map(([ref]) => ref);
    if (field === 'by_uuid') {
      const found = [...table].find(([, { uuid }]) => uuid === key);
      if (!found) throw new Failure('UUID_INVALID', [type, key]);
      return found[0];
    }
    const record = this.world.get(type, key);
    if (field === 'record') return { ...record };
    if (record[field] === undefined) throw new Failure('MESSAGE_METHOD_UNKNOWN', [method]);
    return record[field];
  }

  #configure(method: string, args: readonly Value[]): Value {
    const [vm, key, value] = args.map(String) as [string, string, string];
    count(method, args, method.includes('add_to') ? 3 : 2);
    const config = { ...this.world.get('VM', vm).other_config as Fields };
    if (method.includes('add_to') && Object.hasOwn(config, key)) throw new Failure('MAP_DUPLICATE_KEY', ['VM', 'other_config', vm, key]);
    if (method.includes('add_to')) config[key] = value;
    else delete config[key];
    return this.world.set('VM', vm, { other_config: config }) ?? '';
  }

  #host(name: string, ref: string): Value {
    const { world } = this;
    const host = world.get('host', ref);
    const residents = [...world.table('VM')].filter(([, vm]) => vm.resident_on === ref && vm.is_control_domain !== true);
    if (!['disable', 'enable'].includes(name)) world.assertLive(ref);
    if (name === 'dmesg') return `(XEN) Xen version 4.17.5 on ${String(host.name_label)}\n`;
    if (name === 'get_servertime') return new Date();
    if (name === 'disable' || name === 'enable') return world.set('host', ref, { enabled: name === 'enable' }) ?? '';
    if (name === 'evacuate') {
      const other = world.refs('host').find((each) => each !== ref && world.get('host', each).enabled === true);
      if (residents.length > 0 && !other) throw new Failure('NO_HOSTS_AVAILABLE');
      for (const [vm] of residents) world.set('VM', vm, { resident_on: other! });
      return '';
    }
    if (host.enabled === true) throw new Failure('HOST_NOT_DISABLED');
    if (residents[0]) throw new Failure('HOST_IN_USE', [ref, 'VM', residents[0][0]]);
    this.down.push(`${name} ${String(host.name_label)}`);
    return '';
  }

  #methods(): string[] {
    return [
      ...[...this.world.tables.keys()].flatMap((type) => ['get_all', 'get_all_records', 'get_record', 'get_by_uuid'].map((name) => `${type}.${name}`)),
      ...World.vmMethods().keys(), ...Object.keys(HOST_METHODS), 'event.from', 'task.cancel', 'task.destroy', 'session.logout', 'session.login_with_password', 'system.listMethods',
    ];
  }

  /**
   * CONNECT to a console, by the rules of xapi's console.ml: at the host that carries the VM, while it runs. What is no
   * status there is a failure, which xapi answers with 500.
   */
  #console(host: number, request: IncomingMessage, socket: Duplex): void {
    const refuse = (status: string): void => void socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`);
    socket.on('error', () => undefined);
    const url = new URL(request.url ?? '/', 'http://xapi');
    const fault = this.#fault('console');
    this.log.push(`console ${host}`);
    if (fault?.kind === 'hang') return;
    if (fault?.kind === 'cut') return void socket.destroy();
    if (fault?.kind === 'garbage') return void socket.end('SSH-2.0-OpenSSH_9.2\r\n');
    if (fault?.kind === 'huge') return void socket.end(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(65_536)}\r\n\r\n`);
    if (fault?.kind === 'status') return refuse(`${fault.status} Some Reason`);
    if (url.pathname !== '/console') return refuse('404 Not Found');
    if (!this.sessions.has(/session_id=([^;]+)/.exec(request.headers.cookie ?? '')?.[1] ?? '')) return refuse('401 Unauthorised');
    const { world } = this;
    const [ref, console] = [...world.table('console')].find(([, { uuid }]) => uuid === url.searchParams.get('uuid')) ?? [];
    const vm = console && world.get('VM', String(console.VM));
    const there = console && this.behind.get(String(console.protocol));
    if (!ref || vm?.power_state !== 'Running' || vm.resident_on !== world.refs('host')[host]) return refuse('500 Internal Server Error');
    if (!there) return refuse('404 Not Found');
    if (this.oneConsole && this.#watched.has(ref)) return refuse('503 Service Unavailable');
    this.#watched.add(ref);
    const server = connect(there);
    socket.write('HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nCache-Control: no-cache, no-store\r\n\r\n');
    socket.pipe(server).pipe(socket);
    const end = (): void => {
      socket.destroy();
      server.destroy();
      this.#watched.delete(ref);
    };
    for (const one of [socket, server]) one.on('error', end).on('close', end);
  }

  #measure(host: number, request: IncomingMessage, response: ServerResponse, url: URL): void {
    const cookie = /session_id=([^;]+)/.exec(request.headers.cookie ?? '')?.[1];
    if (!this.sessions.has(url.searchParams.get('session_id') ?? cookie ?? '')) return void response.writeHead(401).end();
    this.log.push(`rrd_updates ${host}`);
    const { type, text } = writeUpdates(this.world, this.world.refs('host')[host]!, url.searchParams, request.headers.accept ?? '*/*');
    response.writeHead(200, { 'content-type': type }).end(text);
  }
}

/** With the number of their parameters. */
const HOST_METHODS: Readonly<Record<string, number>> = {
  'host.dmesg': 1, 'host.get_servertime': 1, 'host.disable': 1, 'host.enable': 1, 'host.evacuate': 1, 'host.shutdown': 1, 'host.reboot': 1, 'event.inject': 2,
};

function count(method: string, args: readonly Value[], expected: number): void {
  if (args.length !== expected) throw new Failure('MESSAGE_PARAMETER_COUNT_MISMATCH', [method, String(expected), String(args.length)]);
}
