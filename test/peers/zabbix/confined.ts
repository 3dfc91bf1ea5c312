import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { randomInt } from 'node:crypto';
import { chmodSync, closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Neither zabbix_server nor zabbix_proxy takes a higher one; the kernel gives only higher ones to others. */
const PORTS = { lowest: 20_000, highest: 32_767 } as const;
const PORT_TRIES = 200;
const HOST = '127.0.0.1';
/** For a program that was asked to end. */
const END_TIMEOUT_MS = 30_000;

/** A port of 127.0.0.1 that was free a moment ago and that Zabbix's programs accept. */
export async function lowPort(): Promise<number> {
  for (let i = 0; i < PORT_TRIES; i += 1) {
    const port = randomInt(PORTS.lowest, PORTS.highest + 1);
    const server = createServer().listen(port, HOST);
    const isFree = await once(server, 'listening').then(() => true, () => false);
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
  throw new Error('no free port that Zabbix takes');
}

const PREFIX = 'argo-zabbix-run-';

/** A folder that everybody may enter, which is removed with this process; those of others that were killed are, too. */
export function runFolder(): string {
  for (const name of readdirSync(tmpdir())) {
    const owner = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
    if (owner !== undefined && !existsSync(`/proc/${owner}`)) rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
  const folder = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
  chmodSync(folder, 0o755);
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface ConfinedOptions {
  readonly user: string;
  /** takes what it prints */
  readonly log: string;
  readonly env?: Readonly<Record<string, string>>;
  /** folders that it sees in place of the machine's, by the path that they hide */
  readonly binds?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/**
 * A program and all processes that come of it, in a process namespace of their own: when its first process ends, the kernel
 * ends the others; when this process ends, however, the kernel ends the first.
 */
export class Confined {
  readonly #child: ChildProcess;
  readonly #log: string;

  constructor(program: string, args: readonly string[], { user, log, env = {}, binds = {}, cwd }: ConfinedOptions) {
    this.#log = log;
    const output = openSync(log, 'a');
    const mounts = Object.entries(binds).map(([to, from]) => `mount --bind '${from}' '${to}' && `).join('');
    this.#child = spawn('setpriv', [
      '--pdeathsig', 'KILL', 'unshare', '--pid', '--mount', '--propagation', 'private', '--fork', '--kill-child',
      'sh', '-c', `${mounts}exec setpriv --reuid=${user} --regid=${user} --init-groups --pdeathsig KILL "$@"`, 'sh', program, ...args,
    ], { stdio: ['ignore', output, output], env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8', ...env }, ...(cwd !== undefined && { cwd }) });
    closeSync(output);
    this.#child.on('error', () => undefined);
  }

  get ended(): boolean {
    return this.#child.pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Of its first process, on this machine; the namespace has others. */
  get pid(): number | undefined {
    const { pid } = this.#child;
    const file = `/proc/${pid}/task/${pid}/children`;
    if (pid === undefined || !existsSync(file)) return undefined;
    const first = Number(readFileSync(file, 'utf8').trim().split(' ')[0]);
    return first > 0 ? first : undefined;
  }

  /** All its processes: the first one and what came of it. */
  get pids(): readonly number[] {
    const { pid } = this;
    return pid === undefined ? [] : [pid, ...childrenOf(pid)];
  }

  get output(): string {
    return existsSync(this.#log) ? readFileSync(this.#log, 'utf8').slice(-20_000) : '';
  }

  /** Asks the first process to end, and waits for it; one that hangs while it ends, as zabbix_proxy may just after its start, is killed. */
  async end(signal: NodeJS.Signals): Promise<void> {
    const { pid } = this;
    if (pid !== undefined) process.kill(pid, signal);
    const timer = setTimeout(() => void this.kill(), END_TIMEOUT_MS);
    await this.#gone();
    clearTimeout(timer);
  }

  /** As a crash: all processes at once. */
  async kill(): Promise<void> {
    if (this.ended) return;
    const { pid } = this;
    try {
      if (pid !== undefined) process.kill(pid, 'SIGKILL');
      else this.#child.kill('SIGKILL');
    } catch { /* it has just ended */ }
    await this.#gone();
  }

  async #gone(): Promise<void> {
    if (!this.ended) await once(this.#child, 'exit');
  }
}

function childrenOf(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
    return children.flatMap((child) => [child, ...childrenOf(child)]);
  } catch {
    return [];
  }
}
