import { createHash } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { runProgram } from '../../support/programs.js';
import { until } from '../../support/until.js';
import { Confined, lowPort } from './confined.js';

const HOST = '127.0.0.1';
const START_TIMEOUT_MS = 60_000;
const VERSIONS = '/usr/lib/postgresql';
const SCHEMA = '/usr/share/zabbix-server-pgsql';
/**
 * Of the data that Zabbix ships only these: logging in and all settings need them. The other 160,000 rows are templates, and
 * loading them takes minutes.
 */
const TABLES = ['role', 'role_rule', 'users', 'usrgrp', 'users_groups', 'hstgrp', 'config', 'config_autoreg_tls', 'regexps', 'expressions', 'graph_theme', 'globalmacro', 'ugset', 'user_ugset'];

const SETTINGS = {
  listen_addresses: HOST, unix_socket_directories: '', fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off',
  wal_level: 'minimal', max_wal_senders: 0, min_wal_size: '32MB', shared_buffers: '64MB', max_connections: 100,
};

/** A row, as PostgreSQL writes it in JSON. */
export type SqlRow = Readonly<Record<string, unknown>>;

const binFolder = (): string => {
  const newest = existsSync(VERSIONS) ? readdirSync(VERSIONS).sort((a, b) => Number(b) - Number(a))[0] : undefined;
  return join(VERSIONS, newest ?? 'none', 'bin');
};

/** Whether this machine has what Debian puts aside of the PATH. */
export const hasDatabase = (): boolean => existsSync(join(binFolder(), 'initdb')) && existsSync(join(SCHEMA, 'schema.sql.gz'));

async function must(program: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram(program, args, { env: process.env });
  if (code !== 0) throw new Error(`${program}: ${stderr}`);
  return stdout.trim();
}

/** A cluster that has Zabbix's tables, made once for each version of the packages: making one takes many times as long as copying one. */
async function loadedCluster(): Promise<string> {
  const versions = await must('dpkg-query', '-W', '-f', '${Version}\n', 'zabbix-server-pgsql', 'postgresql');
  const key = createHash('sha256').update(JSON.stringify([versions, binFolder(), TABLES, SETTINGS])).digest('hex').slice(0, 16);
  const folder = join(tmpdir(), `argo-zabbix-cluster-${key}`);
  if (existsSync(folder)) {
    if (statSync(folder).uid !== process.getuid?.()) throw new Error(`${folder} is somebody else's`);
    return folder;
  }
  const made = mkdtempSync(join(tmpdir(), 'argo-zabbix-making-'));
  try {
    chmodSync(made, 0o755);
    await Database.make(made);
    renameSync(made, folder);
  } catch (error) {
    rmSync(made, { recursive: true, force: true });
    // Another test was first.
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

/** PostgreSQL with a cluster of its own, that holds Zabbix's tables. Nothing is flushed: it survives no crash of the machine. */
export class Database {
  readonly port: number;
  readonly #process: Confined;

  private constructor(port: number, process: Confined) {
    this.port = port;
    this.#process = process;
  }

  /** @param folder its own, below one that everybody may enter */
  static async start(folder: string): Promise<Database> {
    mkdirSync(folder);
    const loaded = await loadedCluster();
    await must('cp', '-a', join(loaded, 'data'), join(folder, 'data'));
    return Database.#open(folder);
  }

  /** Makes the cluster that the others are copies of. */
  static async make(folder: string): Promise<void> {
    const data = join(folder, 'data');
    mkdirSync(data, { mode: 0o700 });
    chownSync(data, Number(await must('id', '-u', 'postgres')), Number(await must('id', '-g', 'postgres')));
    const initdb = new Confined(join(binFolder(), 'initdb'), ['-D', data, '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '-N'], { user: 'postgres', log: join(folder, 'initdb.log') });
    await until(() => initdb.ended, START_TIMEOUT_MS, 'initdb');
    if (!existsSync(join(data, 'postgresql.conf'))) throw new Error(`initdb: ${initdb.output}`);
    writeFileSync(join(data, 'postgresql.auto.conf'), Object.entries(SETTINGS).map(([name, value]) => `${name} = '${value}'\n`).join(''));
    const database = await Database.#open(folder);
    try {
      await database.#load();
    } finally {
      await database.#process.end('SIGINT');
    }
  }

  static async #open(folder: string): Promise<Database> {
    const port = await lowPort();
    const process = new Confined(join(binFolder(), 'postgres'), ['-D', join(folder, 'data'), '-c', `port=${port}`], { user: 'postgres', log: join(folder, 'postgres.log') });
    const database = new Database(port, process);
    await until(() => database.#answers(), START_TIMEOUT_MS, 'PostgreSQL').catch(async (error: unknown) => {
      await database.stop();
      throw new Error(process.output, { cause: error });
    });
    return database;
  }

  /** The rows of a query, with PostgreSQL's own conversion to JSON. */
  async rows<T extends SqlRow = SqlRow>(query: string): Promise<readonly T[]> {
    return JSON.parse(await this.#psql('zabbix', `select coalesce(json_agg(t), '[]') from (${query}) t`)) as T[];
  }

  /** The one value of a query; undefined where there is no row. */
  async value(query: string): Promise<unknown> {
    const [row] = await this.rows(query);
    return row === undefined ? undefined : Object.values(row)[0];
  }

  /** Changes what no API changes. */
  async execute(statement: string): Promise<void> {
    await this.#psql('zabbix', statement);
  }

  async stop(): Promise<void> {
    await this.#process.kill();
  }

  async #answers(): Promise<boolean> {
    if (this.#process.ended) throw new Error('PostgreSQL ended');
    return (await this.#run('postgres', 'select 1')).code === 0;
  }

  async #load(): Promise<void> {
    for (const statement of ['create role zabbix login superuser', 'create database zabbix owner zabbix']) await this.#psql('postgres', statement, 'postgres');
    const read = (name: string): string => gunzipSync(readFileSync(join(SCHEMA, name))).toString();
    const wanted = new Set(TABLES);
    const data = read('data.sql.gz').split(/^(?=INSERT INTO )/m).filter((one) => wanted.has(/^INSERT INTO (\w+)/.exec(one)?.[1] ?? ''));
    await this.#psql('zabbix', `${read('schema.sql.gz')}\nbegin;\n${data.map((one) => one.replace(/^COMMIT;$/m, '')).join('')}\ncommit;\n`);
  }

  #run(database: string, sql: string, user = database): ReturnType<typeof runProgram> {
    return runProgram('psql', ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-h', HOST, '-p', String(this.port), '-U', user, '-d', database, '-f', '-'], { env: { ...process.env, LC_ALL: 'C.UTF-8' }, input: sql });
  }

  async #psql(database: string, sql: string, user?: string): Promise<string> {
    const { code, stdout, stderr } = await this.#run(database, sql, user);
    if (code !== 0) throw new Error(`psql: ${stderr.slice(0, 2000)}`);
    return stdout;
  }
}
