import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { WebSocketServer, type WebSocket } from 'ws';
import type { PowerState } from '../../../src/drivers/driver.js';
import type { ConsoleTicket, FeedMessage, OrderMode, OrderRow, SessionInfo, WorkRow } from '../../../src/gateways/web/messages.js';
import type { PowerAction } from '../../../src/instances/operation-table.js';
import { toArgoError } from '../../../src/kit/errors.js';
import { splitWords } from '../../../src/kit/words.js';
import { fromRoot } from '../paths.js';
import type { ConsoleSide } from './consoles.js';
import { NOW, auditOf, endOf, eventsOf, fullName, goalOf, newTask, previewOf, stateCode, tellOf, viewOf, type Told } from './machines.js';
import { PLANS, STEPS, WHOLE_RUN } from './plans.js';

/**
 * What the page sees of a server, where no machine is to be switched: it takes what the contract says and
 * refuses all else, sends the headers that the real one sends, and does what it is told to when it is told to.
 */

const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'";
export { NOW } from './machines.js';
export const ACCOUNT = { account: 'kim', password: 'a long secret' };
export const LINK_CODE = 'one-time-code';

interface Entry { readonly path: string; readonly file: string; readonly type: string }
interface Asked { readonly method: string; readonly path: string; readonly body: unknown }

class Refusal extends Error {
  /** @param isForeseen the contract has it, and the page may run into it */
  constructor(readonly status: number, readonly error: string, readonly detail = '', readonly isForeseen = false) {
    super(error);
  }
}

export class WebDouble {
  readonly machines: Told[];
  /** what was asked that changes something, in order */
  readonly asked: Asked[] = [];
  /** whatever the page asked that the contract does not allow */
  readonly faults: string[] = [];
  rights: string[] = ['read', 'power', 'plan', 'console'];
  /** the server's clock */
  now = NOW;
  /** orders stay under way until `finish` */
  isSlow = false;
  /** so many orders are taken without that the page hears of it */
  answersToLose = 0;
  /** nothing is answered any more, and no connection ends: as where a cable is pulled */
  isDeaf = false;
  /** consoles, where a test has some */
  consoles: ConsoleSide | undefined;
  #v = 1;
  #session = '';
  #isCodeUsed = false;
  readonly #tasks = new Map<string, OrderRow>();
  readonly #works = new Map<string, WorkRow>();
  readonly #once = new Map<string, string>();
  readonly #ends: (() => void)[] = [];
  readonly #files: ReadonlyMap<string, Entry>;
  #server!: Server;
  readonly #sockets = new WebSocketServer({ noServer: true });
  #port = 0;

  constructor(count = 48) {
    this.machines = tellOf(count);
    const entries = JSON.parse(readFileSync(fromRoot('dist', 'web', 'manifest.json'), 'utf8')) as Entry[];
    this.#files = new Map(entries.map((entry) => [entry.path, entry]));
  }

  async start(): Promise<void> {
    this.#server = createServer((request, response) => void this.#answer(request, response));
    this.#server.on('upgrade', (request, socket, head) => {
      const { pathname, searchParams } = new URL(request.url!, this.url);
      if (pathname === '/api/console' && request.headers.origin === this.url && this.#isIn(request) && this.consoles?.upgrade(request, socket, head, this.#session) === true) return;
      const isRight = pathname === '/api/feed' && request.headers.origin === this.url && this.#isIn(request) && /^\d+$/.test(searchParams.get('after') ?? '');
      if (!isRight) {
        this.faults.push(`upgrade ${request.url}`);
        return void socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n');
      }
      this.#sockets.handleUpgrade(request, socket, head, (feed) => {
        feed.on('message', () => this.faults.push('the page spoke on the feed'));
        this.#send(feed, { t: 'alive', v: this.#v, now: this.now });
        // what lies between is not kept here
        if (Number(searchParams.get('after')) !== this.#v) this.#send(feed, { t: 'reset', v: this.#v });
      });
    });
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get feeds(): number {
    return this.#sockets.clients.size;
  }

  /** Is gone, until it is started again on the same port. */
  async stop(): Promise<void> {
    for (const feed of this.#sockets.clients) feed.terminate();
    this.consoles?.terminate();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  tell(message: FeedMessage): void {
    for (const feed of this.#sockets.clients) this.#send(feed, message);
  }

  alive(): void {
    this.tell({ t: 'alive', v: this.#v, now: this.now });
  }

  change(changes: readonly (readonly [position: number, state: PowerState])[]): void {
    this.#v += 1;
    for (const [at, state] of changes) Object.assign(this.machines[at]!, { state, since: this.now });
    this.tell({ t: 'changes', v: this.#v, rows: changes.map(([at, state]) => [at, stateCode(state), this.now] as const) });
  }

  /** Leaves a message out, as a socket that is too slow would. */
  changeUntold(at: number, state: PowerState): void {
    this.#v += 1;
    Object.assign(this.machines[at]!, { state, since: this.now });
  }

  reset(): void {
    this.#v += 1;
    this.tell({ t: 'reset', v: this.#v });
  }

  /** Ends what is under way. */
  finish(): void {
    for (const end of this.#ends.splice(0)) end();
  }

  /** A piece of work has begun, gone on or ended. */
  tellWork(row: WorkRow): void {
    this.#works.set(row.id, row);
    this.tell({ t: 'task', task: row });
  }

  #send(feed: WebSocket, message: FeedMessage): void {
    feed.send(JSON.stringify(message));
  }

  #isIn({ headers }: IncomingMessage): boolean {
    return this.#session !== '' && (headers.cookie ?? '').split(/;\s*/).includes(`argo=${this.#session}`);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.isDeaf) return;
    const { pathname, searchParams } = new URL(request.url!, this.url);
    try {
      if (!pathname.startsWith('/api/')) return this.#file(pathname, response);
      const body = await this.#body(request);
      if (body !== undefined) this.asked.push({ method: request.method!, path: pathname, body });
      const json = pathname === '/api/session' ? this.#sessions(request, response, body) : await this.#api(request, pathname.slice('/api/'.length), searchParams, body);
      if (pathname === '/api/power' && this.answersToLose-- > 0) return void request.socket.destroy();
      const text = JSON.stringify(json ?? null);
      if (json === undefined) response.writeHead(204).end();
      else response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip', 'cache-control': 'no-store' }).end(gzipSync(text, { level: 1 }));
    } catch (error) {
      const { status, error: phrase, detail, isForeseen } = error instanceof Refusal ? error : new Refusal(500, 'INTERNAL ERROR', String(error));
      if (!isForeseen && status !== 401 && status !== 429) this.faults.push(`${request.method} ${request.url}: ${phrase} ${detail}`);
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ error: phrase, detail }));
    }
  }

  #file(path: string, response: ServerResponse): void {
    const entry = this.#files.get(path);
    if (entry === undefined) {
      this.faults.push(`no such file: ${path}`);
      return void response.writeHead(404).end();
    }
    response.writeHead(200, {
      'content-type': entry.type, 'content-encoding': 'gzip', 'content-security-policy': CSP, 'x-content-type-options': 'nosniff', 'cross-origin-opener-policy': 'same-origin',
    }).end(readFileSync(fromRoot('dist', 'web', `${entry.file}.gz`)));
  }

  async #body(request: IncomingMessage): Promise<unknown> {
    if (request.method === 'GET') return undefined;
    const { headers } = request;
    if (headers['x-argo'] !== '1' || headers.origin !== this.url || headers['sec-fetch-site'] !== 'same-origin') throw new Refusal(403, 'NOT ALLOWED', 'another origin');
    if (headers['content-type'] !== 'application/json') throw new Refusal(415, 'BAD REQUEST', 'JSON alone');
    let text = '';
    for await (const chunk of request.setEncoding('utf8')) text += chunk as string;
    return text === '' ? {} : JSON.parse(text);
  }

  #sessions(request: IncomingMessage, response: ServerResponse, body: unknown): SessionInfo | undefined {
    if (request.method === 'DELETE') {
      this.#session = '';
      for (const feed of this.#sockets.clients) feed.close(4401);
      return undefined;
    }
    if (request.method === 'POST') this.#login(body as Record<string, unknown>);
    else if (!this.#isIn(request)) throw new Refusal(401, 'NOT AUTHENTICATED');
    if (request.method === 'POST') response.setHeader('set-cookie', `argo=${this.#session}; HttpOnly; SameSite=Strict; Path=/`);
    return { account: ACCOUNT.account, server: { name: 'argo', version: '0.1.0' }, rights: this.rights, now: this.now };
  }

  #login(body: Record<string, unknown>): void {
    const isCode = body['code'] === LINK_CODE && !this.#isCodeUsed;
    if (isCode) this.#isCodeUsed = true;
    if (!isCode && (body['account'] !== ACCOUNT.account || body['password'] !== ACCOUNT.password)) throw new Refusal(401, 'NOT AUTHENTICATED');
    this.#session = `session-${this.asked.length}`;
  }

  /** Ends the session without a word to the page, as a reload that takes the account away. */
  endSession(): void {
    this.#session = '';
    for (const feed of this.#sockets.clients) feed.close();
  }

  #named(name: string): Told | undefined {
    return this.machines.find((one) => one.name === name || fullName(one) === name);
  }

  #api(request: IncomingMessage, path: string, query: URLSearchParams, body: unknown): unknown {
    if (!this.#isIn(request)) throw new Refusal(401, 'NOT AUTHENTICATED');
    const [room, name = '', what = ''] = path.split('/').map(decodeURIComponent);
    const route = `${request.method} ${room}${name === '' || room === 'power' ? '' : '/*'}${what === '' ? '' : `/${what}`}`;
    if (route === 'POST power') return name === 'preview' ? { rows: this.#targets(body).map((told) => previewOf(told, (body as { action: PowerAction }).action, (body as { mode?: OrderMode }).mode)) } : this.#power(body);
    switch (route) {
      case 'POST consoles': return this.#console(body);
      case 'GET view': return viewOf(this.machines, this.#v);
      case 'GET tasks': return { tasks: [...this.#works.values(), ...[...this.#tasks.values()].reverse()] };
      case 'POST tasks/*/cancel': return this.#tasks.get(name) ?? this.#works.get(name);
      case 'GET events': return { events: eventsOf(this.machines).filter(({ facts }) => !query.has('instance') || facts['instance'] === query.get('instance')) };
      case 'GET audit': return { rows: auditOf(this.machines).filter(({ instance }) => !query.has('instance') || instance === query.get('instance') || instance.endsWith(`/${query.get('instance')}`)) };
      case 'GET plans': return PLANS;
      case 'GET plans/*/preview': return STEPS;
      case 'POST plans/*/run': case 'POST runs/*/cancel': return { run: WHOLE_RUN.run };
      case 'GET runs/*': return WHOLE_RUN;
      case 'GET instances/*': case 'GET instances/*/readings': return this.#instance(name, what, query);
      default: throw new Refusal(404, 'BAD REQUEST', `no such route: ${route}`);
    }
  }

  async #console(body: unknown): Promise<ConsoleTicket> {
    if (this.consoles === undefined) throw new Refusal(404, 'BAD REQUEST', 'there are no consoles');
    try {
      return await this.consoles.order(this.#session, body);
    } catch (error) {
      const { phrase, detail } = toArgoError(error);
      throw new Refusal(phrase === 'NOT ALLOWED' ? 403 : 409, phrase, detail, true);
    }
  }

  #instance(name: string, what: string, query: URLSearchParams): unknown {
    const told = this.#named(name);
    if (told === undefined) throw new Refusal(404, 'NO SUCH INSTANCE', name);
    const at = this.machines.indexOf(told);
    if (what === '') {
      return {
        fullName: fullName(told), id: `id-${at}`, provider: told.provider, type: told.type, state: told.state, since: told.since, stale: null, capabilities: [], operations: [],
        facts: { uuid: '5f0a1c1e-8f0e-4a51-9b86-0d2f31c2a7b4', cpus: 4, memory: 4 * 1024 ** 3, macs: ['52:54:00:1f:2a:3b'], host: `${told.provider}.example.net`, persistent: 'yes', autostart: 'off' },
      };
    }
    this.#asks += 1;
    const wave = Math.sin(this.#asks / 3) + 1.2;
    this.#rx += Math.round(180_000 * wave);
    const all: Record<string, unknown> = {
      ip: ['192.0.2.17', '2001:db8::17'], uptime: 273_129, load: { averages: [wave * 0.4, 0.3, 0.2] }, rx: String(this.#rx), tx: String(Math.round(this.#rx / 3.1)),
      disk: [{ target: 'vda', type: 'file', format: 'qcow2', size: 42_949_672_960, source: `/var/lib/libvirt/images/${told.name}.qcow2` }, { target: 'vdb', type: 'block', size: 10_737_418_240 }],
    };
    return { at: this.now + this.#asks * 5000, readings: Object.fromEntries((query.get('names') ?? '').split(',').map((one) => [one, one in all ? { value: all[one] } : { error: 'NOT SUPPORTED', detail: '' }])) };
  }

  #asks = 0;
  #rx = 20_000_000;

  #targets(body: unknown): Told[] {
    const { targets } = body as { targets: string[] };
    return targets.map((target) => {
      // a name that would be taken for several comes in quotes
      const name = target.startsWith('"') ? splitWords(target)[0]!.text : target;
      const told = this.#named(name);
      if (told === undefined) throw new Refusal(404, 'NO SUCH INSTANCE', name);
      return told;
    });
  }

  #power(body: unknown): OrderRow {
    const { action, mode = 'soft', once: key, targets, ...rest } = body as { action: PowerAction; mode?: OrderMode; once: string; targets: string[] };
    if (Object.keys(rest).length > 0 || typeof key !== 'string' || key.length < 16 || !Array.isArray(targets)) throw new Refusal(400, 'BAD REQUEST', JSON.stringify(body));
    const before = this.#once.get(key);
    if (before !== undefined) return this.#tasks.get(before)!;
    const machines = this.#targets(body);
    const task = newTask(`t${this.#tasks.size + 1}`, action, mode, machines, this.now);
    this.#once.set(key, task.id);
    this.#tasks.set(task.id, { ...task, targets: task.targets.map((target) => ({ ...target, state: 'sent' })) });
    const end = (): void => this.#end(task.id, machines, action, mode);
    if (this.isSlow) this.#ends.push(end);
    else setImmediate(end);
    return this.#tasks.get(task.id)!;
  }

  /** Half of it first, so that progress is seen. */
  half(): void {
    for (const [id, task] of this.#tasks) {
      if (task.ended !== null) continue;
      const targets = task.targets.map((target, index) =>
        index * 2 < task.targets.length ? { ...target, ...endOf(this.#named(target.instance)!, task.action, task.mode) } : target,
      );
      this.#tasks.set(id, { ...task, targets });
      this.tell({ t: 'task', task: this.#tasks.get(id)! });
      this.change(targets.flatMap(({ instance, state }) => (state === 'done' ? [[this.machines.indexOf(this.#named(instance)!), goalOf(task.action)] as const] : [])));
    }
  }

  #end(id: string, machines: readonly Told[], action: PowerAction, mode: OrderMode): void {
    const known = this.#tasks.get(id)!;
    const targets = machines.map((told, index) => (known.targets[index]!.state === 'sent' ? { instance: fullName(told), ...endOf(told, action, mode) } : known.targets[index]!));
    const task: OrderRow = { ...known, targets, state: targets.some(({ state }) => state === 'failed') ? 'failed' : 'done', ended: this.now };
    this.#tasks.set(id, task);
    const changed = machines.flatMap((told, index) => (targets[index]!.state === 'done' && told.state !== goalOf(action) ? [[this.machines.indexOf(told), goalOf(action)] as const] : []));
    if (changed.length > 0) this.change(changed);
    this.tell({ t: 'task', task });
  }
}
