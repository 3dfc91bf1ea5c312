import type { Socket } from 'node:net';
import type { Deadline } from '../../kit/deadline.js';
import { LAST_WORDS, LINGER } from '../../kit/limits.js';
import { VMSERVERD_LOGIN, VMSERVERD_SWEEP } from '../../kit/vmserverd-limits.js';
import { formatEndpoint } from '../../kit/text.js';
import { prepareAll, type Change } from '../../listening/change.js';
import type { Entrance } from '../../listening/entrance.js';
import { HalfOpen, type Place } from '../../listening/half-open.js';
import { banner, SSL_REQUIRED, TLS_FIRST_BYTE, UNDECIDED, type AuthdVersion } from '../../protocols/vmserverd/authd.js';
import type { Product } from '../../protocols/vmserverd/envelope.js';
import type { Gateway, GatewayHost, Member } from '../contract.js';
import { LastWord } from '../shared/ends-early.js';
import { CallerParts, type GatewayParts } from './caller-parts.js';
import { Calls } from './calls.js';
import { Connection } from './door/connection.js';
import { LocalUsers } from './door/local-users.js';
import { Tls } from './door/tls.js';
import { Files } from './files/files.js';
import { hostProvider } from './machines/host-provider.js';
import { logLine, OPERATIONS } from './operations/index.js';
import { entranceOf, productOf, type VmserverdOptions } from './options.js';
import { SessionBook } from './session-book.js';
import { KeptTasks } from './tasks/kept-tasks.js';

/** VMware Server's vmserverd, behind its vmware-authd, in front of the machines of today. */
export class VmserverdGateway implements Gateway<VmserverdOptions> {
  readonly #host: GatewayHost;
  readonly #entrance: Entrance;
  readonly #tls: Tls;
  readonly #tasks: KeptTasks;
  readonly #files: Files;
  readonly #calls: Calls;
  readonly #parts: GatewayParts;
  readonly #book = new SessionBook();
  readonly #halfOpen = new HalfOpen();
  readonly #localUsers = new LocalUsers();
  readonly #connections = new Map<Connection, Promise<void>>();
  /** those who have yet to say which protocol they speak, with when they are cut off */
  readonly #silent = new Map<Socket, number>();
  readonly #lastWord = new LastWord();
  #options: VmserverdOptions;
  #product: Product;
  #isLoaded = false;
  #sweeper: NodeJS.Timeout | undefined;

  constructor(host: GatewayHost, options: VmserverdOptions) {
    this.#host = host;
    this.#options = options;
    this.#product = productOf(options);
    this.#tasks = new KeptTasks(host);
    this.#files = new Files(host);
    this.#calls = new Calls({ log: host.log, product: () => this.#product, lastWord: this.#lastWord });
    this.#tls = new Tls({ folder: host.state.folder, log: host.log, places: () => this.#places() });
    this.#entrance = host.doors.sockets({
      connected: (socket, address, beginsTls) => this.#connected(socket, address, beginsTls),
      // in the place of the banner, so also where TLS would follow that
      refusal: (reason) => (reason === 'too many' ? UNDECIDED.crowded : undefined),
    });
    this.#parts = this.#partsOf();
  }

  async prepare(options: VmserverdOptions): Promise<Change> {
    if (!this.#isLoaded) await this.#load();
    const change = await prepareAll([
      () => this.#files.prepare(options['file-roots']),
      () => this.#tls.prepare(options),
      () => this.#entrance.prepare(entranceOf(options)),
    ]);
    return {
      commit: () => {
        this.#options = options;
        this.#product = productOf(options);
        this.#calls.renew();
        this.#halfOpen.resize(options['max-connections'], options['max-connections-per-address']);
        change.commit();
        this.#endLocals();
        this.#sweeper ??= setInterval(() => this.#sweep(), VMSERVERD_SWEEP).unref();
      },
      cancel: () => change.cancel(),
    };
  }

  addresses(): readonly string[] {
    return this.#entrance.addresses();
  }

  async drain(deadline: Deadline): Promise<void> {
    this.#entrance.close();
    this.#tls.close();
    for (const socket of this.#silent.keys()) socket.destroy();
    for (const connection of this.#connections.keys()) connection.end();
    // what lasts too long is told why it ends, while there is time to say so
    // as long as the server lets its own actions go on; where a reload takes the gateway away there is less time
    const tasks = this.#tasks.drain(Math.max(deadline.left - LAST_WORDS, deadline.left / 2));
    await this.#lastWord.during(deadline, Promise.all([...this.#connections.values(), tasks]));
  }

  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    this.#lastWord.now();
    this.#entrance.close();
    for (const connection of this.#connections.keys()) connection.destroy();
    this.#files.close();
    await this.#tasks.close();
  }

  /** What an earlier process has left, once. */
  async #load(): Promise<void> {
    await this.#tasks.load();
    this.#isLoaded = true;
    this.#host.log('debug', 'Operations defined in function table:');
    for (const [name, row] of OPERATIONS) this.#host.log('debug', logLine(name, row));
  }

  #partsOf(): GatewayParts {
    const product = (): Product => this.#product;
    const requests = (): number => this.#calls.requests;
    const stopTimeout = (): number => this.#options['stop-timeout'];
    return {
      tasks: this.#tasks, files: this.#files, security: this.#tls,
      get product() { return product(); },
      get requests() { return requests(); },
      get stopTimeout() { return stopTimeout(); },
      hasAccount: (name) => this.#host.accounts.mark(name) !== undefined,
      hostProvider: () => hostProvider(this.#host.accounts, this.#options.host),
      usersOf: (machine) => this.#book.usersOf(machine),
    };
  }

  #connected(socket: Socket, address: string, beginsTls: boolean): void {
    const place = this.#halfOpen.enter(address, () => socket.destroy());
    socket.once('close', () => place.leave());
    socket.on('error', () => socket.destroy());
    const version: AuthdVersion = beginsTls ? '1.10' : '1.00';
    socket.write(banner(version));
    if (!beginsTls) return this.#serve(socket, address, version, place);
    this.#silent.set(socket, performance.now() + VMSERVERD_LOGIN);
    socket.once('close', () => this.#silent.delete(socket));
    socket.once('readable', () => this.#beginTls(socket, address, place));
  }

  /** A client that speaks in the clear where it must not is told so, and nothing of what it said is looked at. */
  #beginTls(socket: Socket, address: string, place: Place): void {
    // too late: what it says is not looked at
    if (!this.#silent.delete(socket)) return void socket.resume();
    const first = socket.read() as Buffer | null;
    const door = this.#tls.door;
    if (first === null || first[0] !== TLS_FIRST_BYTE || door === undefined) {
      if (first !== null) socket.write(SSL_REQUIRED);
      socket.resume();
      socket.end();
      return;
    }
    socket.unshift(first);
    door.receive(socket, (open) => this.#serve(open, address, '1.10', place));
  }

  #serve(socket: Socket, address: string, version: AuthdVersion, place: Place): void {
    if (this.#lastWord.signal.aborted) return void socket.destroy();
    const { accounts } = this.#host;
    const connection = new Connection(socket, {
      version, address, calls: this.#calls, log: this.#host.log,
      times: () => ({ idle: this.#options['idle-timeout'] }),
      login: (name, password, signal) => accounts.login(name, password, address, signal),
      isAccount: (name) => accounts.mark(name) !== undefined,
      local: (signal) => this.#localMember(socket, address, signal),
      entered: (member, keep) => {
        place.leave();
        const { touch, end } = this.#book.begin(member.name, address);
        socket.once('close', end);
        return new CallerParts(this.#parts, touch, keep);
      },
    });
    place.closeBy(() => connection.crowdOut());
    this.#connections.set(connection, connection.serve());
    socket.once('close', () => this.#connections.delete(connection));
  }

  /** The account of the user of this host who has made a connection, as the table says now. */
  async #localMember(socket: Socket, address: string, signal: AbortSignal): Promise<Member | undefined> {
    const { accounts, log } = this.#host;
    const users = this.#options['local-users'];
    if (Object.keys(users).length === 0) return undefined;
    try {
      const name = await this.#localUsers.accountFor(socket, users, signal);
      const mark = name === undefined ? undefined : accounts.mark(name);
      return name === undefined || mark === undefined ? undefined : accounts.again(name, mark, address);
    } catch (cause) {
      if (!signal.aborted) log('warn', 'who has made a local connection is not known', { from: formatEndpoint({ host: address, port: socket.remotePort ?? 0 }), cause });
      return undefined;
    }
  }

  /** Those who are in as an account that no local user has any longer are ended. */
  #endLocals(): void {
    const accounts = new Set(Object.values(this.#options['local-users']));
    for (const connection of this.#connections.keys())
      if (connection.localAccount !== undefined && !accounts.has(connection.localAccount)) connection.destroy();
  }

  #sweep(): void {
    const now = performance.now();
    for (const [socket, until] of this.#silent) if (now > until) this.#endSilent(socket);
    for (const connection of this.#connections.keys()) connection.sweep(now);
  }

  #endSilent(socket: Socket): void {
    this.#silent.delete(socket);
    socket.end(UNDECIDED.late, () => setTimeout(() => socket.destroy(), LINGER).unref());
  }

  #places(): { readonly listen: readonly string[]; readonly tlsListen: readonly string[] } {
    return { listen: this.#options.listen.map(formatEndpoint), tlsListen: this.#options['tls-listen'].map(formatEndpoint) };
  }
}
