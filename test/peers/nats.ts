import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { accountsBlock, ADMIN_NAME, permissionBlock, type Member } from '../../src/fleet/admin/rights.js';
import type { LinkOptions } from '../../src/fleet/bus-link.js';
import { isApart } from '../../src/fleet/parts.js';
import { newSeed, NkeySigner } from '../../src/fleet/signer.js';
import { storeLayout } from '../../src/fleet/store-layout.js';
import { inboxPrefix } from '../../src/fleet/subjects.js';
import { isHalted } from '../support/halted.js';
import { which } from '../support/peers.js';
import { freePort } from '../support/ports.js';
import { until } from '../support/until.js';
import { Authority } from '../support/authority.js';

export const NATS_PROGRAMS = ['nats-server', 'openssl', 'setpriv'];

const HOST = '127.0.0.1';
const CLUSTER = 'argo';
/** Of the streams, in bytes: what they may have is set aside on the disk's account at once. */
const STREAM_SIZE = 256 * 1024 * 1024;
const START_TIMEOUT_MS = 30_000;
/** Until a process that is sent SIGSTOP is stopped: no longer than the kernel takes. */
const STOP_TIMEOUT_MS = 5000;
const LEADER_TIMEOUT_MS = 60_000;
/** Of ports: another process may take one between our look and nats-server's start. */
const PORT_ATTEMPTS = 3;

/** A user of the bus: what it may do is what `argo-server fleet key` prints for it. */
export interface NatsUser {
  readonly signer: NkeySigner;
  readonly seed: string;
  readonly member: Member;
}

export function natsUser(name: string, ...parts: Member['parts']): NatsUser {
  const seed = newSeed();
  return { seed, signer: new NkeySigner(seed), member: { name, parts, leases: parts.includes('site') ? ['san1'] : [] } };
}

export interface NatsOptions {
  /** one, or more that are a cluster; 1 where it is left out */
  readonly servers?: number;
  readonly users: readonly NatsUser[];
  /** without it, the way to the servers is not encrypted */
  readonly tls?: boolean;
  /** for whom their certificate is, as X.509 has it; `DNS:localhost` where it is left out */
  readonly subject?: string;
  /** at which clients can reach it; 127.0.0.1 where it is left out */
  readonly address?: string;
  /** the folder in which it keeps all; that for temporary files where it is left out */
  readonly parent?: string;
  /** further lines of nats-server.conf */
  readonly settings?: string;
  /** whether buckets and streams are made; they are where it is left out */
  readonly store?: boolean;
}

interface ServerPorts {
  readonly client: number;
  readonly cluster: number;
  readonly monitor: number;
}

/** Debian's nats-server on 127.0.0.1: one, or several as a cluster, each a process of its own in a session of its own. */
export class Nats {
  readonly folder: string;
  readonly servers: NatsServer[] = [];
  readonly #options: NatsOptions;
  readonly #admin = natsUser(ADMIN_NAME, 'admin');

  private constructor(options: NatsOptions) {
    this.#options = options;
    this.folder = mkdtempSync(join(options.parent ?? tmpdir(), 'argo-nats-'));
  }

  static async start(options: NatsOptions): Promise<Nats> {
    const nats = new Nats(options);
    try {
      if (nats.#tls) {
        const authority = await Authority.make(nats.folder);
        await authority.sign('server', `subjectAltName=${options.subject ?? 'DNS:localhost'}`);
      }
      await nats.#startServers();
      if (options.store !== false) await nats.makeStore();
      return nats;
    } catch (error) {
      await nats.stop();
      throw error;
    }
  }

  get #tls(): boolean {
    return this.#options.tls !== false;
  }

  /** As they stand in a configuration. */
  get urls(): string[] {
    return this.servers.map(({ url }) => url);
  }

  /** Who has signed the servers' certificates; undefined where there is no TLS. */
  get caFile(): string | undefined {
    return this.#tls ? join(this.folder, 'cacert.pem') : undefined;
  }

  /** What whoever administers the bus logs in with. */
  get admin(): NatsUser {
    return this.#admin;
  }

  /** For a bus of one of the users. @param servers by their places; all where it is left out */
  link({ signer, member: { name, parts } }: NatsUser, ...servers: readonly number[]): LinkOptions & { servers: string[] } {
    return {
      servers: servers.length === 0 ? this.urls : servers.map((at) => this.urls[at]!),
      caFile: this.caFile,
      signer,
      name,
      inboxPrefix: inboxPrefix(name),
      isApart: isApart(parts),
    };
  }

  async #startServers(): Promise<void> {
    const count = this.#options.servers ?? 1;
    for (let attempt = 1; ; attempt += 1) {
      const ports = await Promise.all(
        Array.from({ length: count }, async (): Promise<ServerPorts> => ({
          client: await freePort(),
          cluster: await freePort(),
          monitor: await freePort(),
        })),
      );
      this.servers.splice(0, Infinity, ...ports.map((own, at) => new NatsServer(this.folder, `n${at + 1}`, own, this.#tls)));
      this.#write(ports);
      try {
        await Promise.all(this.servers.map((server) => server.start()));
        return;
      } catch (error) {
        await Promise.all(this.servers.map((server) => server.kill()));
        if (attempt === PORT_ATTEMPTS) throw error;
      }
    }
  }

  #write(ports: readonly ServerPorts[]): void {
    const routes = ports.map(({ cluster }) => `nats-route://${HOST}:${cluster}`).join(', ');
    this.#writeUsers(this.#options.users);
    for (const { name, ports: { client, cluster, monitor } } of this.servers) {
      writeFileSync(join(this.folder, `${name}.conf`), [
        `server_name: ${name}`, `listen: "${this.#options.address ?? HOST}:${client}"`, `http: "${HOST}:${monitor}"`, `include "users.conf"`,
        `jetstream { store_dir: "${join(this.folder, `${name}-store`)}", max_memory_store: 64MB, max_file_store: 16GB }`,
        'ping_interval: "5s"', 'ping_max: 2', 'lame_duck_duration: "30s"',
        ...(this.#tls ? [`tls { cert_file: "${join(this.folder, 'servercert.pem')}", key_file: "${join(this.folder, 'serverkey.pem')}" }`] : []),
        ...(ports.length > 1 ? [`cluster { name: ${CLUSTER}, listen: "${HOST}:${cluster}", routes: [${routes}] }`] : []),
        this.#options.settings ?? '', '',
      ].join('\n'));
    }
  }

  #writeUsers(users: readonly NatsUser[], blockOf = ({ member, signer }: NatsUser): string => permissionBlock(member, signer.publicKey)): void {
    const blocks = (apart: boolean): string => [this.#admin, ...users].filter(({ member }) => isApart(member.parts) === apart).map((user) => blockOf(user)).join('');
    writeFileSync(join(this.folder, 'users.conf'), accountsBlock(blocks(false), blocks(true)), { mode: 0o600 });
  }

  /**
   * As an operator does: the users are written anew, and the servers are told by SIGHUP, twice: what a new account imports, they
   * take into account with the second one (docs/fleet.md). @param blockOf what one may do, where it is not what it needs
   */
  async setUsers(users: readonly NatsUser[], blockOf?: (user: NatsUser) => string): Promise<void> {
    this.#writeUsers(users, blockOf);
    for (let round = 0; round < 2; round += 1) await Promise.all(this.servers.map((server) => server.reload()));
  }

  /**
   * Asks the store, as whoever administers it. @param subject behind `$JS.API.` @returns what it says
   * @throws Error where it refuses, or does not answer
   */
  async ask(subject: string, content?: object): Promise<Record<string, unknown>> {
    const { connect, nkeyAuthenticator } = await import('@nats-io/transport-node');
    const connection = await connect({
      servers: this.urls, ...(this.caFile !== undefined && { tls: { caFile: this.caFile } }), inboxPrefix: inboxPrefix(ADMIN_NAME),
      authenticator: nkeyAuthenticator(Buffer.from(this.#admin.seed)), timeout: START_TIMEOUT_MS,
    });
    try {
      const answer = await connection.request(`$JS.API.${subject}`, content === undefined ? '' : JSON.stringify(content), { timeout: 5000 });
      const said = answer.json<Record<string, unknown> & { error?: { description: string } }>();
      if (said.error !== undefined) throw new Error(said.error.description);
      return said;
    } finally {
      await connection.close();
    }
  }

  /** Makes what `argo-server fleet init` makes, with as many replicas as there are servers. A cluster that has just begun needs its time. */
  async makeStore(): Promise<void> {
    for (const { stream, settings } of storeLayout({ replicas: this.servers.length, eventsSize: STREAM_SIZE, auditSize: STREAM_SIZE })) {
      let fault = '';
      await until(async () => {
        fault = await this.ask(`STREAM.CREATE.${stream}`, { name: stream, ...settings }).then(() => '', ({ message }: Error) => message);
        return fault === '' || fault.includes('already in use');
      }, LEADER_TIMEOUT_MS, `the stream ${stream} to be made`).catch((error: unknown) => { throw new Error(`${(error as Error).message}: ${fault}`); });
    }
  }

  /** The server that leads a stream. */
  async leaderOf(stream: string): Promise<NatsServer> {
    let leader: NatsServer | undefined;
    await until(async () => {
      const name = (await Promise.all(this.servers.map((server) => server.leaderOf(stream)))).find((one) => one !== undefined);
      leader = this.servers.find((server) => server.name === name);
      return leader?.isRunning === true;
    }, LEADER_TIMEOUT_MS, `a leader of ${stream}`);
    return leader!;
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.kill()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** One of the servers. */
export class NatsServer {
  #child: ChildProcess | undefined;
  #output = '';

  constructor(readonly folder: string, readonly name: string, readonly ports: ServerPorts, readonly tls: boolean) {}

  get url(): string {
    return `${this.tls ? 'tls' : 'nats'}://localhost:${this.ports.client}`;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** What it has said since it has read its settings. */
  get log(): string {
    return this.#output;
  }

  async start(): Promise<void> {
    // A session of its own: a stopped process of a group that is an orphan is sent SIGHUP and SIGCONT by the kernel.
    // So it would outlive a test that is killed, if the kernel did not end it.
    const child = this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', which('nats-server')!, '-c', join(this.folder, `${this.name}.conf`)], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => { this.#output = (this.#output + text).slice(-50_000); });
    await until(async () => {
      if (!this.isRunning) throw new Error(`nats-server ended: ${this.#output}`);
      return await this.monitor('healthz').then(({ status }) => status === 'ok', () => false);
    }, START_TIMEOUT_MS, `${this.name} to be well`).catch((error: unknown) => { throw new Error(`${(error as Error).message}: ${this.#output.slice(-3000)}`); });
  }

  /** Reads its settings anew. */
  async reload(): Promise<void> {
    if (!this.isRunning) return;
    this.#output = '';
    this.#child?.kill('SIGHUP');
    await until(() => /Reloaded server configuration|Failed to reload/.test(this.#output), START_TIMEOUT_MS, `${this.name} to read its settings`);
    if (this.#output.includes('Failed to reload')) throw new Error(this.#output);
  }

  /** kill -9 */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || !this.isRunning) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** Lets it hang, or go on. */
  hang(hangs: boolean): void {
    this.#child?.kill(hangs ? 'SIGSTOP' : 'SIGCONT');
    // The kernel stops it a moment later, in which it would answer still.
    const end = performance.now() + STOP_TIMEOUT_MS;
    while (hangs && this.isRunning && !isHalted(this.pid!)) if (performance.now() > end) throw new Error(`${this.name} cannot be stopped`);
  }

  /** Its HTTP monitor: `varz`, `jsz?streams=1`, `connz`. Many counters of figures: docs.nats.io, monitoring. */
  async monitor(path: string): Promise<Record<string, unknown>> {
    const response = await fetch(`http://${HOST}:${this.ports.monitor}/${path}`, { signal: AbortSignal.timeout(2000) });
    return await response.json() as Record<string, unknown>;
  }

  async leaderOf(stream: string): Promise<string | undefined> {
    interface Streams {
      readonly account_details?: readonly {
        readonly stream_detail?: readonly { readonly name: string; readonly cluster?: { readonly leader?: string } }[];
      }[];
    }
    const { account_details: accounts = [] } = await this.monitor('jsz?streams=1&accounts=1').catch(() => ({})) as Streams;
    return accounts.flatMap(({ stream_detail: streams = [] }) => streams).find(({ name }) => name === stream)?.cluster?.leader;
  }

  /** Clients by the names that they give themselves. */
  async clients(): Promise<string[]> {
    const { connections } = await this.monitor('connz') as { connections: readonly { readonly name?: string }[] };
    return connections.flatMap(({ name }) => (name === undefined ? [] : [name]));
  }
}
