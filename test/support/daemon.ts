import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fromRoot } from './paths.js';
import { until } from './until.js';

/** Until the daemon listens, ms: two busy cores and a cold cache. */
const START_TIMEOUT_MS = 60_000;
/** Beyond the time the daemon itself gives to what still runs. */
const STOP_TIMEOUT_MS = 60_000;
/** Until a line that a reply came before is in the log, ms: lines are gathered, and the pipe is read when there is time. */
const LOG_TIMEOUT_MS = 10_000;
/** What is kept of each of its outputs; what comes later is dropped. Characters. */
const OUTPUT_LIMIT = 16 * 1024 * 1024;

export interface DaemonOptions {
  /**
   * The text of argo-server.conf. `listen` (a free port of 127.0.0.1) and `state-dir` are added to
   * its [server] table where it has none. Without a text, no `--config` is given.
   */
  readonly config?: string;
  /** further arguments: before them come `--config` and its file */
  readonly args?: readonly string[];
  /** on top of this process's own environment, in which HOME is the daemon's folder; undefined takes one away */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** further files, by their path below the daemon's folder, which is also its working directory */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** the folder of an earlier daemon, to start on the state that it left; the caller removes it */
  readonly folder?: string;
  /** how many listeners to wait for */
  readonly listeners?: number;
}

/** How a daemon ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Daemon {
  /** of its first listener */
  readonly port: number;
  /** of all its listeners, in the order in which it named them */
  readonly ports: readonly number[];
  readonly pid: number;
  /** holds argo-server.conf, the files, and the state in `state` */
  readonly folder: string;
  readonly state: string;
  readonly exited: Promise<Exit>;
  stdout(): string;
  stderr(): string;
  /** Waits until the log has what is looked for: a line may come after the reply that it belongs to. @throws Error when it does not come */
  logs(wanted: string | RegExp): Promise<true>;
  signal(name: NodeJS.Signals): void;
  /** Writes a new argo-server.conf, with the same additions; SIGHUP is the caller's. */
  reconfigure(config: string): void;
  /** Ends it as an operator does (SIGTERM) and removes its folder. May be called after it ended. */
  stop(): Promise<Exit>;
}

/** A daemon that ended before it listened. */
export class StartFailure extends Error {
  constructor(readonly exit: Exit, readonly stdout: string, readonly stderr: string) {
    super(`argo-server did not listen (exit ${exit.code ?? exit.signal}): ${stderr || stdout}`);
  }
}

/** What ends a daemon and removes its folder, for when this process ends before it stopped it. */
const running = new Map<ChildProcess, () => void>();
process.once('exit', () => {
  for (const [child, remove] of running) {
    child.kill('SIGKILL');
    remove();
  }
});

/** Starts the built daemon as an operator does and waits until it listens. @throws StartFailure */
export async function startDaemon(options: DaemonOptions = {}): Promise<Daemon> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'argo-daemon-'));
  const state = join(folder, 'state');
  mkdirSync(state, { recursive: true, mode: 0o700 });
  for (const [name, content] of Object.entries(options.files ?? {})) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content, { mode: 0o600 });
  }
  const configFile = join(folder, 'argo-server.conf');
  const configure = (text: string): void => {
    writeFileSync(configFile, complete(text, { listen: '["127.0.0.1:0"]', 'state-dir': JSON.stringify(state) }), { mode: 0o600 });
  };
  if (options.config !== undefined) configure(options.config);
  const args = [...(options.config === undefined ? [] : ['--config', configFile]), ...(options.args ?? [])];
  const remove = (): void => { if (options.folder === undefined) rmSync(folder, { recursive: true, force: true }); };

  const child = spawn(process.execPath, [fromRoot('bin', 'argo-server.js'), ...args], {
    cwd: folder, env: { ...process.env, HOME: folder, ARGO_CONFIG: undefined, ...options.env }, stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.set(child, remove);
  const output = { stdout: '', stderr: '' };
  const exited = new Promise<Exit>((resolve, reject) => {
    child.once('error', reject);
    // Not `exit`: its last output may still be on its way then.
    child.once('close', (code, signal) => { running.delete(child); resolve({ code, signal }); });
  });
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      if (output[name].length < OUTPUT_LIMIT) output[name] += text;
    });
  }
  try {
    const ports = await listening(child, exited, output, options.listeners ?? 1);
    return {
      port: ports[0] ?? 0, ports, pid: child.pid ?? 0, folder, state, exited,
      stdout: () => output.stdout,
      stderr: () => output.stderr,
      logs: async (wanted) => {
        await until(() => (typeof wanted === 'string' ? output.stderr.includes(wanted) : wanted.test(output.stderr)), LOG_TIMEOUT_MS, `${String(wanted)} in ${output.stderr}`);
        return true;
      },
      signal: (name) => { child.kill(name); },
      reconfigure: configure,
      stop: async () => {
        child.kill('SIGTERM');
        const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
        const exit = await exited;
        clearTimeout(timer);
        remove();
        return exit;
      },
    };
  } catch (error) {
    child.kill('SIGKILL');
    await exited.catch(() => undefined);
    remove();
    throw error;
  }
}

/** Waits until the daemon's log names its listeners. @returns their ports */
function listening(child: ChildProcess, exited: Promise<Exit>, output: { stdout: string; stderr: string }, count: number): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      const ports = listeners(output.stderr);
      if (ports.length >= count) settle(() => resolve(ports));
    };
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      child.stderr?.removeListener('data', look);
      act();
    };
    const timer = setTimeout(() => settle(() => reject(new Error(`argo-server does not listen: ${output.stderr}`))), START_TIMEOUT_MS);
    child.stderr?.on('data', look);
    exited.then((exit) => settle(() => reject(new StartFailure(exit, output.stdout, output.stderr))), (error: unknown) => settle(() => reject(error)));
  });
}

/** The ports of the `listening` lines of a log: one JSON object a line, among which others may stand. */
function listeners(log: string): number[] {
  return log.split('\n').slice(0, -1).flatMap((line) => {
    if (!line.includes('"msg":"listening"')) return [];
    const { address } = JSON.parse(line) as { address?: string };
    return address === undefined ? [] : [Number(address.slice(address.lastIndexOf(':') + 1))];
  });
}

/** Adds keys to the [server] table of a configuration where it does not set them itself. */
function complete(text: string, keys: Readonly<Record<string, string>>): string {
  const header = /^\[server\][^\n]*$/m;
  const whole = header.test(text) ? text : `[server]\n\n${text}`;
  const table = whole.slice(whole.search(header)).split(/^\[(?!server\])/m)[0] ?? '';
  const missing = Object.entries(keys).filter(([key]) => !new RegExp(`^${key}\\s*=`, 'm').test(table));
  return whole.replace(header, (line) => [line, ...missing.map(([key, value]) => `${key} = ${value}`)].join('\n'));
}
