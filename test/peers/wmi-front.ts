import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fromRoot } from '../support/paths.js';
import { until } from '../support/until.js';

/** Debian's own, which has Debian's modules. */
const PYTHON = '/usr/bin/python3';
/** Parts that are no programs: the mechanism NTLM of GSS-API, and Python's GSS-API. */
const PARTS = { 'gss-ntlmssp': '/etc/gss/mech.d/mech.ntlmssp.conf', 'python3-gssapi': '/usr/lib/python3/dist-packages/gssapi' };
/** Two busy cores and a cold cache, ms. */
const START_TIMEOUT_MS = 60_000;

/** For the `skip` option of a test; as `lacks` of test/support/peers.ts. */
export function lacksFront(): string | false {
  if (process.env.CI === 'true') return false;
  const absent = Object.entries({ python3: PYTHON, ...PARTS }).filter(([, path]) => !existsSync(path)).map(([name]) => name);
  return absent.length > 0 && `needs ${absent.join(', ')}`;
}

/** An account that NTLM knows. */
export interface FrontUser {
  readonly domain: string;
  readonly user: string;
  readonly password: string;
}

export const FRONT_USER: FrontUser = { domain: 'TESTDOM', user: 'admin', password: 'Passw0rd! äß€' };

export interface FrontOptions {
  /** what speaks plain SOAP: `http://127.0.0.1:PORT/wsman` */
  readonly backend: string;
  readonly users?: readonly FrontUser[];
  /** as AllowUnencrypted=false: what is not sealed is answered with 500 and nothing */
  readonly requireSeal?: boolean;
  /** PEM; without it, plain HTTP */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** logins must be bound to the TLS channel, if they are bound at all */
  readonly bind?: boolean;
  /** the binding that it expects is that of another channel, as where somebody stands between */
  readonly otherBinding?: boolean;
  /** what it offers; `Negotiate` where nothing is said */
  readonly schemes?: readonly ('Negotiate' | 'Kerberos' | 'Basic')[];
  /** passwords for Basic, by user */
  readonly basic?: Readonly<Record<string, string>>;
  /** further variables of its environment, such as those of MIT Kerberos */
  readonly env?: Readonly<Record<string, string>>;
  /** a free one where nothing is said */
  readonly port?: number;
}

/** What it may do to its next sealed answer. */
export type Spoiling = 'signature' | 'sequence' | 'ciphertext' | 'cut' | 'silent';

type Event = Readonly<Record<string, unknown>>;

/** The door of a WinRM service (wmi-front.py): NTLM by gss-ntlmssp, sealing, TLS. */
export class WmiFront {
  /** everything that it said, in order */
  readonly events: Event[] = [];
  readonly #options: FrontOptions;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(options: FrontOptions, child: ChildProcess, folder: string) {
    this.#options = options;
    this.#child = child;
    this.#folder = folder;
  }

  static async start(options: FrontOptions): Promise<WmiFront> {
    const folder = mkdtempSync(join(tmpdir(), 'argo-wmi-front-'));
    const write = (name: string, content: string): string => {
      writeFileSync(join(folder, name), content, { mode: 0o600 });
      return join(folder, name);
    };
    const users = write('users', (options.users ?? [FRONT_USER]).map((each) => `${each.domain}:${each.user}:${each.password}\n`).join(''));
    const child = spawn(PYTHON, [fromRoot('test', 'peers', 'wmi-front.py')], {
      env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8', NTLM_USER_FILE: users, ...options.env }, stdio: ['pipe', 'pipe', 'inherit'],
    });
    const kill = (): void => { child.kill('SIGKILL'); };
    process.once('exit', kill);
    child.stdin.on('error', () => undefined);
    child.once('close', () => process.removeListener('exit', kill));
    const front = new WmiFront(options, child, folder);
    createInterface({ input: child.stdout }).on('line', (line) => front.events.push(JSON.parse(line) as Event));
    const { tls } = options;
    front.#tell({ ...options, users: undefined, tls: undefined, env: undefined, ...(tls && { cert: write('cert', tls.cert), key: write('key', tls.key) }) });
    await until(() => front.port !== 0 || child.exitCode !== null, START_TIMEOUT_MS, 'the front');
    if (front.port === 0) throw new Error('the front of the WMI peer did not start');
    return front;
  }

  get port(): number {
    return Number(this.events.find((event) => 'port' in event)?.port ?? 0);
  }

  get url(): string {
    return `${this.#options.tls ? 'https' : 'http'}://127.0.0.1:${this.port}/wsman`;
  }

  /** Who logged in, in order. */
  get logins(): string[] {
    return this.events.flatMap(({ login }) => (typeof login === 'string' ? [login] : []));
  }

  /** Why it did not let somebody in, in order. */
  get refusals(): string[] {
    return this.events.flatMap(({ refused }) => (typeof refused === 'string' ? [refused] : []));
  }

  /** How many sealed requests it opened. */
  get opened(): number {
    return this.events.filter((event) => 'opened' in event).length;
  }

  /** Lets its next sealed answer go wrong. */
  spoil(how: Spoiling): Promise<void> {
    return this.#order({ spoil: how });
  }

  /** Resolves when all that it has said until now is in `events`. */
  heard(): Promise<void> {
    return this.#order({});
  }

  /** Drops every connection. */
  drop(): Promise<void> {
    return this.#order({ drop: true });
  }

  async stop(): Promise<void> {
    this.#child.stdin?.end();
    await until(() => this.#child.exitCode !== null || this.#child.signalCode !== null, START_TIMEOUT_MS, 'the end of the front');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #tell(order: object): void {
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`);
  }

  async #order(order: object): Promise<void> {
    const before = this.events.filter((event) => 'done' in event).length;
    this.#tell(order);
    await until(() => this.events.filter((event) => 'done' in event).length > before, START_TIMEOUT_MS, 'the front to obey');
  }
}
