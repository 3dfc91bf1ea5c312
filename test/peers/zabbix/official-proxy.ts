import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { which } from '../../support/peers.js';
import { runProgram } from '../../support/programs.js';
import { until } from '../../support/until.js';
import { Confined, lowPort, runFolder } from './confined.js';

const PACKAGE = 'zabbix-proxy-sqlite3';
const START_TIMEOUT_MS = 60_000;

export interface OfficialProxyOptions {
  readonly name: string;
  /** of the server, or of a relay before it; an active proxy only */
  readonly serverPort: number;
  /** the port at which a passive one listens; without it the proxy is an active one */
  readonly listenPort?: number;
  readonly user: { readonly uid: number; readonly gid: number };
  /** lines of zabbix_proxy.conf, beyond or in place of those here */
  readonly settings?: Readonly<Record<string, string | number>>;
}

async function must(program: string, args: readonly string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await runProgram(program, args, { cwd, env: process.env });
  if (code !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/**
 * The proxy's package conflicts with the server's, so it is unpacked beside, of the same version. An empty database is made
 * with it, once: that takes many times as long as all else of a start.
 */
async function unpacked(user: OfficialProxyOptions['user']): Promise<{ readonly program: string; readonly empty: string }> {
  const version = await must('dpkg-query', ['-W', '-f', '${Version}', 'zabbix-server-pgsql'], '/');
  const folder = join(tmpdir(), `argo-zabbix-proxy-${version.replace(/[^\w.+~-]/g, '_')}`);
  const parts = { program: join(folder, 'usr', 'sbin', 'zabbix_proxy'), empty: join(folder, 'empty.db') };
  if (existsSync(folder)) {
    if (statSync(folder).uid !== process.getuid?.()) throw new Error(`${folder} is somebody else's`);
    return parts;
  }
  const made = mkdtempSync(join(tmpdir(), 'argo-zabbix-unpack-'));
  const root = join(made, 'root');
  try {
    chmodSync(made, 0o755);
    await must('apt-get', ['download', '-q', PACKAGE], made);
    const archive = readdirSync(made).find((name) => name.endsWith('.deb'));
    if (archive === undefined) throw new Error(`apt-get got no ${PACKAGE}`);
    await must('dpkg-deb', ['-x', archive, 'root'], made);
    chmodSync(root, 0o755);
    const first = await OfficialProxy.startWith(join(root, 'usr', 'sbin', 'zabbix_proxy'), { name: 'nobody', serverPort: 1, user });
    await first.end();
    copyFileSync(first.buffer, join(root, 'empty.db'));
    await first.stop();
    renameSync(root, folder);
  } catch (error) {
    // Another test was first.
    if (!existsSync(folder)) throw error;
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
  return parts;
}

/** Zabbix's own proxy, with SQLite: what ours is compared with, and what shows that the peer is set up as it should be. */
export class OfficialProxy {
  readonly folder: string;
  readonly #program: string;
  readonly #configuration: string;
  #process: Confined;

  private constructor(folder: string, program: string, configuration: string, process: Confined) {
    this.folder = folder;
    this.#program = program;
    this.#configuration = configuration;
    this.#process = process;
  }

  static async start(options: OfficialProxyOptions): Promise<OfficialProxy> {
    const { program, empty } = await unpacked(options.user);
    return OfficialProxy.startWith(program, options, empty);
  }

  static async startWith(
    program: string,
    { name, serverPort, listenPort, user, settings = {} }: OfficialProxyOptions,
    database?: string,
  ): Promise<OfficialProxy> {
    const folder = runFolder();
    const own = join(folder, 'own');
    mkdirSync(own);
    chownSync(own, user.uid, user.gid);
    if (database !== undefined) {
      copyFileSync(database, join(own, 'proxy.db'));
      chownSync(join(own, 'proxy.db'), user.uid, user.gid);
    }
    const configuration = join(folder, 'proxy.conf');
    const all = {
      ProxyMode: listenPort === undefined ? 0 : 1,
      Server: listenPort === undefined ? `127.0.0.1:${serverPort}` : '127.0.0.1',
      Hostname: name,
      ListenIP: '127.0.0.1',
      ListenPort: listenPort ?? (await lowPort()),
      LogFile: join(own, 'proxy.log'),
      PidFile: join(own, 'proxy.pid'),
      SocketDir: own,
      DBName: join(own, 'proxy.db'),
      FpingLocation: which('fping') ?? '',
      EnableRemoteCommands: 1,
      ...(listenPort === undefined && { ConfigFrequency: 1, DataSenderFrequency: 1, HeartbeatFrequency: 1 }),
      ProxyOfflineBuffer: 24,
      StartPollers: 1,
      StartPollersUnreachable: 1,
      StartPingers: 1,
      StartDiscoverers: 1,
      StartTrappers: 2,
      StartHTTPPollers: 0,
      StartPreprocessors: 1,
      Timeout: 4,
      ...settings,
    };
    writeFileSync(
      configuration,
      Object.entries(all)
        .map(([key, value]) => `${key}=${value}\n`)
        .join(''),
    );
    const proxy = new OfficialProxy(folder, program, configuration, spawnProxy(program, configuration, folder));
    try {
      await proxy.#started();
      return proxy;
    } catch (error) {
      await proxy.stop();
      throw error;
    }
  }

  get log(): string {
    const file = join(this.folder, 'own', 'proxy.log');
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  /** All its processes. */
  get pids(): readonly number[] {
    return this.#process.pids;
  }

  /** Its SQLite file, in which values wait. */
  get buffer(): string {
    return join(this.folder, 'own', 'proxy.db');
  }

  /** As a crash. */
  async kill(): Promise<void> {
    await this.#process.kill();
  }

  /** As an operator ends it. */
  async end(): Promise<void> {
    await this.#process.end('SIGTERM');
  }

  async restart(): Promise<void> {
    this.#process = spawnProxy(this.#program, this.#configuration, this.folder);
    await this.#started();
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #started(): Promise<void> {
    const before = this.log.length;
    await until(
      () => {
        if (this.#process.ended) throw new Error(`zabbix_proxy ended: ${this.#process.output}${this.log.slice(-3000)}`);
        return this.log.slice(before).includes('proxy #0 started');
      },
      START_TIMEOUT_MS,
      'zabbix_proxy',
    );
  }
}

const spawnProxy = (program: string, configuration: string, folder: string): Confined =>
  new Confined(program, ['--foreground', '-c', configuration], { user: 'zabbix', log: join(folder, 'proxy.out') });
