import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Test } from 'tap';
import { which } from '../support/peers.js';
import { freePort, listens } from '../support/ports.js';
import { runProgram } from '../support/programs.js';
import { until } from '../support/until.js';
import { must } from './enclosure.js';
import { Authority } from '../support/authority.js';

export const MQTT_PROGRAMS = ['mosquitto', 'mosquitto_passwd', 'mosquitto_pub', 'mosquitto_sub', 'openssl'];

const WITHIN_MS = 60_000;
/** Who looks on and gives orders, as Home Assistant does. */
const USER = 'home';
const USER_PASSWORD = 'home-secret';

export interface MosquittoOptions {
  /** who may come in beside the one who looks on, with passwords */
  readonly users: Readonly<Record<string, string>>;
  /** it encrypts, and has a certificate for localhost */
  readonly tls?: boolean;
  /** what users may read and write, as lines of mosquitto's acl_file; left out: all */
  readonly acl?: readonly string[];
  /** it has a memory, as of its last {@link Mosquitto.save} where it is killed */
  readonly remembers?: boolean;
  /** further lines of its configuration */
  readonly settings?: readonly string[];
}

/** Debian's mosquitto on 127.0.0.1, with Debian's clients as those who look on. It keeps nothing over its end, unless it `remembers`. */
export class Mosquitto {
  readonly folder: string;
  readonly port: number;
  readonly #isTls: boolean;
  #process: ChildProcess | undefined;
  #said = '';

  private constructor(folder: string, port: number, isTls: boolean) {
    this.folder = folder;
    this.port = port;
    this.#isTls = isTls;
  }

  static async start(t: Test, { users, tls = false, acl, remembers = false, settings = [] }: MosquittoOptions): Promise<Mosquitto> {
    const folder = mkdtempSync(join(tmpdir(), 'argo-mosquitto-'));
    const broker = new Mosquitto(folder, await freePort(), tls);
    t.teardown(async () => {
      await broker.stop('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    });
    const file = (name: string): string => join(folder, name);
    writeFileSync(file('passwords'), Object.entries({ ...users, [USER]: USER_PASSWORD }).map(([name, password]) => `${name}:${password}\n`).join(''), { mode: 0o600 });
    await must('mosquitto_passwd', ['-U', file('passwords')]);
    if (tls) await (await Authority.make(folder)).sign('server', 'subjectAltName=DNS:localhost');
    if (acl !== undefined) writeFileSync(file('acl'), [`user ${USER}`, 'topic readwrite #', ...acl, ''].join('\n'), { mode: 0o600 });
    writeFileSync(file('mosquitto.conf'), [
      `listener ${broker.port} 127.0.0.1`, 'allow_anonymous false', `password_file ${file('passwords')}`, `persistence ${String(remembers)}`, `persistence_location ${folder}/`, 'log_dest stderr', 'set_tcp_nodelay true',
      ...(process.getuid?.() === 0 ? ['user root'] : []),
      ...(acl === undefined ? [] : [`acl_file ${file('acl')}`]),
      ...(tls ? [`certfile ${file('servercert.pem')}`, `keyfile ${file('serverkey.pem')}`] : []), ...settings, '',
    ].join('\n'));
    // as whoever calls its clients by hand has it
    for (const client of ['mosquitto_pub', 'mosquitto_sub']) writeFileSync(file(client), broker.#words().join('\n'), { mode: 0o600 });
    mkdirSync(file('home'));
    await broker.run();
    return broker;
  }

  /** Its clients find it by this. */
  get env(): NodeJS.ProcessEnv {
    return { XDG_CONFIG_HOME: this.folder, HOME: join(this.folder, 'home') };
  }

  get caFile(): string {
    return join(this.folder, 'cacert.pem');
  }

  async run(): Promise<void> {
    const child = spawn(which('mosquitto') ?? '', ['-c', join(this.folder, 'mosquitto.conf')], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#process = child;
    child.stderr.setEncoding('utf8').on('data', (text: string) => { this.#said = (this.#said + text).slice(-10_000); });
    await until(() => listens(this.port), WITHIN_MS, 'mosquitto').catch((error: unknown) => { throw new Error(this.#said, { cause: error }); });
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    this.#process = undefined;
    const ended = once(child, 'close');
    child.kill(signal);
    await ended;
  }

  /** Writes down what it keeps. */
  async save(): Promise<void> {
    const file = join(this.folder, 'mosquitto.db');
    rmSync(file, { force: true });
    this.#process?.kill('SIGUSR1');
    // it is there when it is whole
    await until(() => existsSync(file), WITHIN_MS, file);
  }

  async publish(topic: string, payload: string, ...options: string[]): Promise<void> {
    const { code, stderr } = await runProgram('mosquitto_pub', ['-t', topic, ...(payload === '' ? ['-n'] : ['-m', payload]), '-q', '1', ...options], { env: { ...process.env, ...this.env } });
    if (code !== 0) throw new Error(`mosquitto_pub: ${stderr}`);
  }

  /** Somebody who hears everything, from now on. */
  watch(t: Test): Onlooker {
    return new Onlooker(t, { ...process.env, ...this.env });
  }

  /** Debian's clients read their options from files, a line each. */
  #words(): string[] {
    return ['-h localhost', `-p ${this.port}`, `-u ${USER}`, `-P ${USER_PASSWORD}`, ...(this.#isTls ? [`--cafile ${this.caFile}`] : [])];
  }
}

interface Heard {
  readonly topic: string;
  readonly payload: string;
}

/** mosquitto_sub, which connects again by itself when its broker was gone. */
export class Onlooker {
  readonly heard: Heard[] = [];

  constructor(t: Test, env: NodeJS.ProcessEnv) {
    const child = spawn('mosquitto_sub', ['-t', '#', '-F', '%j', '-q', '1'], { env, stdio: ['ignore', 'pipe', 'ignore'] });
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { topic, payload } = JSON.parse(line) as { topic: string; payload: string | null };
      this.heard.push({ topic, payload: payload ?? '' });
    });
    const ended = once(child, 'close');
    t.teardown(async () => {
      child.kill('SIGKILL');
      await ended;
    });
  }

  /** What a topic says last; undefined: nothing, or it was taken away. */
  last(topic: string): string | undefined {
    return this.heard.findLast((one) => one.topic === topic)?.payload || undefined;
  }

  /** All that is said now, by topics. */
  get now(): ReadonlyMap<string, string> {
    return new Map([...new Map(this.heard.map(({ topic, payload }) => [topic, payload]))].filter(([, payload]) => payload !== ''));
  }

  count(topic: string): number {
    return this.heard.filter((one) => one.topic === topic).length;
  }

  /** Waits until a topic says this, or nothing where it is undefined. */
  async says(topic: string, payload: string | RegExp | undefined): Promise<true> {
    const holds = (): boolean => {
      const last = this.last(topic);
      return payload instanceof RegExp ? last !== undefined && payload.test(last) : last === payload;
    };
    await until(holds, WITHIN_MS, `${topic} to say ${String(payload)}`).catch((error: unknown) => { throw new Error(`${String(error)}; it says ${String(this.last(topic))}`); });
    return true;
  }
}
