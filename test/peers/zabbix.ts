import { chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lacksRoot, which } from '../support/peers.js';
import { listens } from '../support/ports.js';
import { until } from '../support/until.js';
import { Api } from './zabbix/api.js';
import { Confined, lowPort, runFolder } from './zabbix/confined.js';
import { Database, hasDatabase } from './zabbix/database.js';

const SERVER = 'zabbix_server';
const FRONTEND = '/usr/share/zabbix';
/** The frontend looks for its settings here; it gets a folder of ours in its place. */
const FRONTEND_SETTINGS = '/etc/zabbix';
const START_TIMEOUT_MS = 60_000;

/** For the `skip` option of a test: its parts, some of which are aside of every PATH. */
export function lacksZabbix(...programs: string[]): string | false {
  const reason = lacksRoot(SERVER, 'php', 'psql', 'unshare', 'setpriv', ...programs);
  if (reason !== false || process.env.CI === 'true') return reason;
  if (!hasDatabase()) return 'needs postgresql and zabbix-server-pgsql';
  return !existsSync(FRONTEND) && 'needs zabbix-frontend-php';
}

export interface ZabbixOptions {
  /** lines of zabbix_server.conf, beyond or in place of those here */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** files for `TLSCAFile` and its like */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string };
}

/** Debian's zabbix-server, 6.0 or 7.0, on a PostgreSQL of its own, with the frontend that serves the API. All on 127.0.0.1. */
export class Zabbix {
  readonly port: number;
  readonly folder: string;
  readonly database: Database;
  readonly api: Api;
  readonly #web: Confined;
  readonly #configuration: string;
  #server: Confined | undefined;

  private constructor(folder: string, port: number, database: Database, web: Confined, api: Api, configuration: string) {
    this.folder = folder;
    this.port = port;
    this.database = database;
    this.api = api;
    this.#web = web;
    this.#configuration = configuration;
  }

  static async start(options: ZabbixOptions = {}): Promise<Zabbix> {
    const folder = runFolder();
    let zabbix: Zabbix | undefined;
    let database: Database | undefined;
    try {
      database = await Database.start(join(folder, 'postgres'));
      const [port, webPort] = [await lowPort(), await lowPort()];
      const web = startFrontend(folder, webPort, port, database.port);
      zabbix = new Zabbix(folder, port, database, web, new Api(`http://127.0.0.1:${webPort}`), writeConfiguration(folder, port, database.port, options));
      await zabbix.startServer();
      await until(() => listens(webPort), START_TIMEOUT_MS, 'the frontend');
      await zabbix.api.login();
      return zabbix;
    } catch (error) {
      await (zabbix?.stop() ?? database?.stop());
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** What the server wrote into its log. */
  get log(): string {
    const file = join(this.folder, 'server', 'server.log');
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  async startServer(): Promise<void> {
    const program = which(SERVER)!;
    const server = this.#server = new Confined(program, ['--foreground', '-c', this.#configuration], { user: 'zabbix', log: join(this.folder, 'server', 'server.out') });
    const before = this.log.length;
    await until(async () => {
      if (server.ended) throw new Error(`zabbix_server ended: ${server.output}${this.log.slice(-3000)}`);
      return this.log.slice(before).includes('server #0 started') && await listens(this.port);
    }, START_TIMEOUT_MS, 'zabbix_server');
  }

  /** When it has heard of a proxy last, in seconds since 1970; 0: never. */
  async lastAccess(proxyid: string): Promise<number> {
    const row = this.api.version >= 7 ? `proxy_rtdata where proxyid = ${proxyid}` : `hosts where hostid = ${proxyid}`;
    return Number(await this.database.value(`select lastaccess from ${row}`));
  }

  /** kill -9 of all its processes: what it held in memory is lost. */
  async killServer(): Promise<void> {
    await this.#server?.kill();
  }

  /** As an operator ends it: what it holds is written first. */
  async endServer(): Promise<void> {
    await this.#server?.end('SIGTERM');
  }

  /** Lets it hang, or go on. */
  hangServer(hangs: boolean): void {
    for (const pid of this.#server?.pids ?? []) process.kill(pid, hangs ? 'SIGSTOP' : 'SIGCONT');
  }

  async stop(): Promise<void> {
    await this.killServer();
    await Promise.all([this.#web.kill(), this.database.stop()]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** @param folder created, its user's alone */
function own(folder: string, user: { uid: number; gid: number }): string {
  mkdirSync(folder, { mode: 0o755 });
  chownSync(folder, user.uid, user.gid);
  return folder;
}

/** The user of Debian's packages. */
export const zabbixUser = (): { uid: number; gid: number } => {
  const line = readFileSync('/etc/passwd', 'utf8').split('\n').find((one) => one.startsWith('zabbix:'));
  if (line === undefined) throw new Error('there is no user zabbix');
  const [, , uid, gid] = line.split(':');
  return { uid: Number(uid), gid: Number(gid) };
};

/** A file of `Name=value` lines, as all of Zabbix's daemons read. */
export const lines = (settings: Readonly<Record<string, string | number | undefined>>): string =>
  Object.entries(settings).filter(([, value]) => value !== undefined).map(([name, value]) => `${name}=${value}\n`).join('');

function writeConfiguration(folder: string, port: number, databasePort: number, { settings = {}, tls }: ZabbixOptions): string {
  const server = own(join(folder, 'server'), zabbixUser());
  const file = join(folder, 'server.conf');
  writeFileSync(file, lines({
    LogFile: join(server, 'server.log'), PidFile: join(server, 'server.pid'), SocketDir: server, ListenIP: '127.0.0.1', ListenPort: port,
    DBHost: '127.0.0.1', DBPort: databasePort, DBName: 'zabbix', DBUser: 'zabbix', FpingLocation: which('fping'), Timeout: 10, TrapperTimeout: 30,
    // As often as it can: a test waits for all of these.
    ProxyConfigFrequency: 1, ProxyDataFrequency: 1, CacheUpdateFrequency: 1,
    StartProxyPollers: 2, StartTrappers: 4, StartPollers: 1, StartPollersUnreachable: 1, StartPingers: 0, StartDiscoverers: 0, StartHTTPPollers: 0,
    StartPreprocessors: 1, StartLLDProcessors: 1, StartDBSyncers: 2, StartAlerters: 1, StartEscalators: 1, StartTimers: 1,
    CacheSize: '32M', HistoryCacheSize: '16M', HistoryIndexCacheSize: '4M', TrendCacheSize: '4M', ValueCacheSize: '8M',
    TLSCAFile: tls?.ca, TLSCertFile: tls?.cert, TLSKeyFile: tls?.key, ...settings,
  }));
  return file;
}

function startFrontend(folder: string, port: number, serverPort: number, databasePort: number): Confined {
  const settings = join(folder, 'frontend');
  mkdirSync(settings);
  const DB = {
    TYPE: 'POSTGRESQL', SERVER: '127.0.0.1', PORT: databasePort, DATABASE: 'zabbix', USER: 'zabbix', PASSWORD: '', SCHEMA: '', ENCRYPTION: false,
    KEY_FILE: '', CERT_FILE: '', CA_FILE: '', VERIFY_HOST: false, CIPHER_LIST: '', DOUBLE_IEEE754: true, VAULT_URL: '', VAULT_DB_PATH: '', VAULT_TOKEN: '',
  };
  writeFileSync(join(settings, 'zabbix.conf.php'), [
    '<?php', ...Object.entries(DB).map(([name, value]) => `$DB['${name}'] = ${JSON.stringify(value)};`),
    `$ZBX_SERVER = '127.0.0.1'; $ZBX_SERVER_PORT = '${serverPort}'; $ZBX_SERVER_NAME = 'demo'; $IMAGE_FORMAT_DEFAULT = IMAGE_FORMAT_PNG;`, '',
  ].join('\n'));
  return new Confined(which('php')!, [
    '-d', 'max_execution_time=300', '-d', 'max_input_time=300', '-d', 'post_max_size=32M', '-d', 'memory_limit=512M', '-S', `127.0.0.1:${port}`, '-t', FRONTEND,
  ], { user: 'zabbix', log: join(folder, 'frontend.log'), env: { PHP_CLI_SERVER_WORKERS: '4' }, binds: { [FRONTEND_SETTINGS]: settings }, cwd: FRONTEND });
}
