import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../support/ports.js';
import { runProgram } from '../support/programs.js';
import { until } from '../support/until.js';

/** Programs that a test with this needs; those of TLS besides. */
export const UPSD_PROGRAMS = ['upsd', 'upsc'];
export const UPSD_TLS_PROGRAMS = [...UPSD_PROGRAMS, 'openssl', 'certutil', 'pk12util'];

const HOST = '127.0.0.1';
/** Those of /sbin refuse unless /etc/nut/nut.conf has a MODE. */
const DRIVER = '/lib/nut/dummy-ups';
const SERVER = '/lib/nut/upsd';
const START_TIMEOUT_MS = 30_000;
/** Seconds without news from a driver after which upsd calls its data stale. */
const MAX_AGE = 3;

/** The user who may log in as a secondary. The password needs quotes. */
export const SECONDARY = { user: 'argo', password: 'se"cret \\ one' };
/** Knows a password, and may do nothing. */
export const NOBODY = { user: 'nobody', password: 'no-rights' };

/** What a UPS says: variables by name. */
export type Variables = Readonly<Record<string, string>>;

const ON_LINE: Variables = { 'ups.status': 'OL', 'battery.charge': '98', 'battery.runtime': '1800', 'ups.load': '23' };

export interface UpsdOptions {
  /** the UPSes, by name; each on line where nothing else is said */
  readonly names?: readonly string[];
  readonly tls?: boolean;
  /** what all of them say at first; one with quotes is passed on as it is only then */
  readonly variables?: Variables;
}

const quoted = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`;

/** Debian's upsd with drivers that are only simulated: what their files hold is what the UPSes say, within a second. */
export class Upsd {
  readonly host = HOST;
  readonly port: number;
  /** of the server's certificate, PEM; undefined without TLS */
  certificate: string | undefined;
  readonly #folder = mkdtempSync(join(tmpdir(), 'argo-upsd-'));
  readonly #names: readonly string[];
  readonly #drivers = new Map<string, ChildProcess>();
  #server: ChildProcess | undefined;
  #output = '';
  /** seconds since 1970, of the last file; no two have the same */
  #said = 0;

  private constructor(port: number, names: readonly string[]) {
    this.port = port;
    this.#names = names;
  }

  static async start({ names = ['rack1'], tls = false, variables = {} }: UpsdOptions = {}): Promise<Upsd> {
    const upsd = new Upsd(await freePort(), names);
    try {
      upsd.#write(tls, variables);
      if (tls) await upsd.#makeCertificate();
      for (const name of names) upsd.startDriver(name);
      await upsd.startServer();
      return upsd;
    } catch (error) {
      await upsd.stop();
      throw error;
    }
  }

  url(name = this.#names[0]!): string {
    return `nut://${HOST}:${this.port}/${name}`;
  }

  /** What upsd has said, for a test that fails. */
  get output(): string {
    return this.#output;
  }

  /** Lets a UPS say other things; what is not given is as on line. */
  say(variables: Variables, name = this.#names[0]!): void {
    const { 'ups.status': status = '', ...others } = { ...ON_LINE, ...variables };
    // The status comes last: whoever reads it reads the others too.
    const lines = Object.entries({ ...others, 'ups.status': status }).map(([variable, value]) => `${variable}: ${/["\\]/.test(value) ? quoted(value) : value}\n`);
    // In one go: the driver must not read half a file. It sees by the second of its time that it is another one.
    writeFileSync(this.#file('new'), lines.join(''));
    this.#said = Math.max(this.#said + 1, Math.floor(Date.now() / 1000));
    utimesSync(this.#file('new'), this.#said, this.#said);
    renameSync(this.#file('new'), this.#file(`${name}.dev`));
  }

  /** As {@link say}, and waits until upsd passes it on. */
  async says(variables: Variables, name = this.#names[0]!): Promise<void> {
    this.say(variables, name);
    const status = variables['ups.status'] ?? 'OL';
    await until(async () => (await this.upsc(name, 'ups.status')).stdout.trim() === status, START_TIMEOUT_MS, `upsd to say ${status}`);
  }

  /** What NUT's own client reads: `upsc NAME@HOST:PORT [VARIABLE]`. */
  upsc(name = this.#names[0]!, ...variable: readonly string[]): ReturnType<typeof runProgram> {
    return runProgram('upsc', [`${name}@${HOST}:${this.port}`, ...variable], { env: { PATH: process.env.PATH, NUT_CONFPATH: this.#folder } });
  }

  startDriver(name = this.#names[0]!): void {
    this.#drivers.set(name, this.#spawn(DRIVER, ['-a', name]));
  }

  /** Lets a driver hang, or go on: upsd calls its data stale after MAX_AGE seconds. */
  hangDriver(hangs: boolean, name = this.#names[0]!): void {
    this.#drivers.get(name)!.kill(hangs ? 'SIGSTOP' : 'SIGCONT');
  }

  async killDriver(name = this.#names[0]!): Promise<void> {
    await kill(this.#drivers.get(name));
    this.#drivers.delete(name);
    rmSync(this.#file(`dummy-ups-${name}`), { force: true });
  }

  async startServer(): Promise<void> {
    const server = this.#server = this.#spawn(SERVER, []);
    await until(async () => {
      if (server.exitCode !== null || server.signalCode !== null) throw new Error(`upsd ended: ${this.#output}`);
      return (await Promise.all(this.#names.map((name) => this.upsc(name, 'ups.status')))).every(({ code, stdout }) => code === 0 && stdout.trim() !== 'WAIT');
    }, START_TIMEOUT_MS, 'upsd to know its UPSes');
  }

  /** Lets the server hang, or go on. */
  hangServer(hangs: boolean): void {
    this.#server?.kill(hangs ? 'SIGSTOP' : 'SIGCONT');
  }

  async killServer(): Promise<void> {
    await kill(this.#server);
    this.#server = undefined;
  }

  async stop(): Promise<void> {
    await Promise.all([this.#server, ...this.#drivers.values()].map((child) => kill(child)));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #file(name: string): string {
    return join(this.#folder, name);
  }

  #spawn(program: string, args: readonly string[]): ChildProcess {
    // In the foreground; as who we are, since nobody else may read the folder.
    const child = spawn(program, [...args, '-u', process.getuid?.() === 0 ? 'root' : process.env.USER ?? '', '-D'], {
      env: { PATH: process.env.PATH, NUT_CONFPATH: this.#folder, NUT_STATEPATH: this.#folder, NUT_ALTPIDPATH: this.#folder },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => { this.#output = (this.#output + text).slice(-20_000); });
    return child;
  }

  #write(tls: boolean, variables: Variables): void {
    chmodSync(this.#folder, 0o700);
    const put = (name: string, lines: readonly string[]): void => writeFileSync(this.#file(name), `${lines.join('\n')}\n`, { mode: 0o600 });
    put('ups.conf', ['maxretry = 1', ...this.#names.flatMap((name) => [`[${name}]`, '  driver = dummy-ups', `  port = ${name}.dev`, '  mode = dummy-once', '  pollinterval = 1'])]);
    put('upsd.conf', [`LISTEN ${HOST} ${this.port}`, `MAXAGE ${MAX_AGE}`, ...(tls ? [`CERTPATH ${this.#file('certificates')}`, 'CERTIDENT upsd ""'] : [])]);
    put('upsd.users', [
      `[${SECONDARY.user}]`, `  password = ${quoted(SECONDARY.password)}`, '  upsmon secondary',
      `[${NOBODY.user}]`, `  password = ${NOBODY.password}`,
    ]);
    for (const name of this.#names) this.say(variables, name);
  }

  /** One that only itself vouches for, in the form that Debian's build (NSS) wants. */
  async #makeCertificate(): Promise<void> {
    const [key, cert, both, folder] = ['key.pem', 'cert.pem', 'both.p12', 'certificates'].map((name) => this.#file(name)) as [string, string, string, string];
    mkdirSync(folder, { mode: 0o700 });
    await must('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost');
    await must('openssl', 'pkcs12', '-export', '-in', cert, '-inkey', key, '-name', 'upsd', '-out', both, '-passout', 'pass:once');
    await must('certutil', '-N', '-d', folder, '--empty-password');
    await must('pk12util', '-i', both, '-d', folder, '-W', 'once');
    this.certificate = readFileSync(cert, 'utf8');
  }
}

async function must(program: string, ...args: readonly string[]): Promise<void> {
  const { code, stderr } = await runProgram(program, args, { env: process.env });
  if (code !== 0) throw new Error(`${program} ${args[0]}: ${stderr}`);
}

async function kill(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
