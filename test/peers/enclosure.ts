import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromRoot } from '../support/paths.js';
import { until } from '../support/until.js';

/** How long the first process of an enclosure may take to come up, ms. */
const START_TIMEOUT_MS = 60_000;
/** How long the kernel may take to end all processes of an enclosure, ms. */
const END_TIMEOUT_MS = 60_000;
const OUTPUT_LIMIT_BYTES = 16 * 1024 * 1024;
const PREFIX = 'argo-enclosure-';
/** In each scratch folder: the process whose enclosure it is. */
const OWNER_FILE = 'owner';
/**
 * Moves itself into the enclosure's cgroups, then becomes the program of its arguments: who enters
 * the namespace only keeps a place outside of it, which libvirt-lxc can't work with.
 */
const JOIN_GROUPS = 'for group in $(grep " cgroup " /proc/mounts | cut -d " " -f 2 | sort -u); do echo 0 > "$group/cgroup.procs"; done; exec "$@"';

/** Daemons live in folders that a person's PATH may lack; outputs are read by tests, so in English. */
const ENV = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`, LC_ALL: 'C.UTF-8' };

/** What a program gave back. */
export interface Outcome {
  /** exit code; -1 when it was ended by a signal or its deadline */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, without a shell. Never rejects: a program that is missing has code -1. */
export function run(program: string, args: readonly string[], withinMs = 60_000, cwd?: string): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { timeout: withinMs, killSignal: 'SIGKILL', maxBuffer: OUTPUT_LIMIT_BYTES, env: ENV, ...(cwd !== undefined && { cwd }) } as const;
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, stdout, stderr: code === -1 ? `${stderr}${error?.message ?? ''}` : stderr });
    });
    child.stdin?.end();
  });
}

/** As {@link run}, for a step of set-up that must work: its output, or an error with its words. */
export async function must(program: string, args: readonly string[], withinMs = 60_000, cwd?: string): Promise<string> {
  const { code, stdout, stderr } = await run(program, args, withinMs, cwd);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} failed with ${code}: ${stderr || stdout}`);
  return stdout;
}

/**
 * A part of this machine with mounts, network, processes and cgroups of its own, in which real
 * daemons run without meeting those of the machine. It hangs on a pipe from this process: however
 * this process ends, the kernel kills everything inside.
 */
export class Enclosure {
  readonly #entered = new Set<ChildProcess>();
  readonly #keeper: ChildProcess;
  readonly #first: number;

  private constructor(
    /** A folder for everything that lives only as long as the enclosure. */
    readonly scratch: string,
    keeper: ChildProcess,
    /** its first process, as a process id of the machine */
    first: number,
  ) {
    this.#keeper = keeper;
    this.#first = first;
  }

  /**
   * @param prepare called with the scratch folder before anything is mounted; returns which folders
   *   and files (existing paths) are bound over which of the machine's
   * @throws Error where namespaces can't be made (not root, not Linux)
   */
  static async start(prepare: (scratch: string) => Readonly<Record<string, string>>): Promise<Enclosure> {
    removeLeftovers();
    const scratch = mkdtempSync(join(tmpdir(), PREFIX));
    writeFileSync(join(scratch, OWNER_FILE), String(process.pid));
    const binds = Object.entries(prepare(scratch)).map(([from, to]) => `${from}=${to}`);
    const keeper = spawn('unshare', [
      '--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc', '--propagation', 'private',
      'sh', fromRoot('test', 'peers', 'enclosure.sh'), scratch, ...binds,
    ], { stdio: ['pipe', 'pipe', 'pipe'], env: ENV });
    let said = '';
    keeper.stdout.on('data', (chunk: Buffer) => { said += chunk.toString(); });
    keeper.stderr.on('data', (chunk: Buffer) => { said += chunk.toString(); });
    keeper.stdin.on('error', () => undefined);
    await until(() => said.includes('enclosed\n') || keeper.exitCode !== null, START_TIMEOUT_MS, 'an enclosure');
    if (keeper.exitCode !== null) {
      removeScratch(scratch);
      throw new Error(`the namespaces for a peer could not be made: ${said}`);
    }
    const children = readFileSync(`/proc/${keeper.pid}/task/${keeper.pid}/children`, 'utf8');
    keeper.unref();
    return new Enclosure(scratch, keeper, Number(children.trim().split(' ')[0]));
  }

  #enter(network: 'own' | 'machine', args: readonly string[]): string[] {
    const namespaces = ['--mount', '--pid', '--cgroup', ...(network === 'own' ? ['--net'] : [])];
    return [`--target=${this.#first}`, ...namespaces, '--', 'sh', '-c', JOIN_GROUPS, 'sh', ...args];
  }

  /** A network cable between the machine and the inside, with an interface at each end; it goes with the enclosure. */
  async cable(outer: string, inner: string): Promise<void> {
    await must('ip', ['link', 'add', outer, 'type', 'veth', 'peer', 'name', inner, 'netns', String(this.#first)]);
  }

  /** A network cable to another enclosure, with an interface at each end. */
  async cableTo(other: Enclosure, mine: string, theirs: string): Promise<void> {
    await must('ip', ['link', 'add', mine, 'netns', String(this.#first), 'type', 'veth', 'peer', 'name', theirs, 'netns', String(other.#first)]);
  }

  /** What runs a program inside, for who starts it in a way of his own. */
  command(...args: readonly string[]): string[] {
    return ['nsenter', ...this.#enter('own', args)];
  }

  /** Runs a program inside to its end. */
  run(...args: readonly string[]): Promise<Outcome> {
    return run('nsenter', this.#enter('own', args));
  }

  /** As {@link run}, in the machine's own network. */
  runBeside(...args: readonly string[]): Promise<Outcome> {
    return run('nsenter', this.#enter('machine', args));
  }

  /**
   * Starts a daemon inside; it must stay in the foreground. The process returned is the one that
   * entered for it and ends with it; a signal to it does not reach the daemon.
   * @param network `machine` leaves it in the machine's own network, reachable on 127.0.0.1
   */
  daemon(args: readonly string[], logFile: string, network: 'own' | 'machine' = 'own'): ChildProcess {
    const log = openSync(logFile, 'a');
    try {
      const child = spawn('nsenter', this.#enter(network, args), { stdio: ['ignore', log, log], env: ENV });
      child.on('error', () => undefined);
      child.once('exit', () => this.#entered.delete(child));
      this.#entered.add(child);
      child.unref();
      return child;
    } finally {
      closeSync(log);
    }
  }

  /** Waits for the end of a daemon that was told to end. */
  async ended(daemon: ChildProcess): Promise<void> {
    await until(() => {
      wake(daemon);
      return hasEnded(daemon);
    }, END_TIMEOUT_MS, `the end of ${daemon.spawnargs.join(' ')}`);
  }

  /** Ends everything inside and removes its files. */
  async stop(): Promise<void> {
    this.#keeper.stdin?.destroy();
    await until(() => {
      this.#entered.forEach(wake);
      return hasEnded(this.#keeper);
    }, END_TIMEOUT_MS, 'the end of an enclosure');
    await until(() => removeScratch(this.scratch), END_TIMEOUT_MS, `the removal of ${this.scratch}`);
  }
}

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

/** nsenter stops itself when its program is stopped, and would then never see its end. */
function wake(entered: ChildProcess): void {
  entered.kill('SIGCONT');
}

/** Removes what enclosures of processes that are gone left behind; their processes ended with them. */
function removeLeftovers(): void {
  for (const entry of readdirSync(tmpdir()).filter((name) => name.startsWith(PREFIX))) {
    const folder = join(tmpdir(), entry);
    const ownerFile = join(folder, OWNER_FILE);
    if (existsSync(ownerFile) && !existsSync(`/proc/${readFileSync(ownerFile, 'utf8')}`)) removeScratch(folder);
  }
}

/** Removes a scratch folder and its cgroups. @returns whether all is gone */
function removeScratch(scratch: string): boolean {
  try {
    const name = scratch.slice(scratch.lastIndexOf('/') + 1);
    for (const controller of existsSync('/sys/fs/cgroup') ? readdirSync('/sys/fs/cgroup') : []) {
      const branch = join('/sys/fs/cgroup', controller, name);
      if (existsSync(branch)) removeGroups(branch);
    }
    rmSync(scratch, { recursive: true, force: true });
    return true;
  } catch {
    return false;
  }
}

function removeGroups(branch: string): void {
  for (const entry of readdirSync(branch, { withFileTypes: true })) {
    if (entry.isDirectory()) removeGroups(join(branch, entry.name));
  }
  rmdirSync(branch);
}

/** Makes folders below a scratch folder. */
export function makeFolders(scratch: string, ...names: readonly string[]): void {
  for (const name of names) mkdirSync(join(scratch, name), { recursive: true, mode: 0o755 });
}
