import { spawn, type ChildProcess, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { access, constants, readdir } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import { ArgoError } from '../../kit/errors.js';
import { Places } from '../../kit/places.js';
import { bareEnvironment, endGroup, pipesDrained } from '../../kit/programs.js';
import { onAbort } from '../../kit/within.js';
import { inOrder } from '../../kit/text.js';
import { refusal } from './errors.js';

/** Processes of one program at a time: each opens xenstore and takes a few MB; creates queue behind xl's own lock. */
const MAX_PROCESSES = 4;
/** Calls that may wait for a place. */
const MAX_WAITING = 256;
/** Bytes of standard output: a listing has about 120 a domain, the hypervisor's log 16 KiB to some MiB. */
const MAX_OUTPUT = 8 * 1024 * 1024;
/** Bytes of standard error that are kept. */
const MAX_COMPLAINTS = 64 * 1024;
/** Folders where distributions keep what Xen gives to people, beyond PATH. */
const SYSTEM_FOLDERS = ['/usr/sbin', '/sbin', '/usr/local/sbin'];
/** Where they keep what it has for itself: Debian's has a folder a version below the first, and there may be several. */
const LIBRARIES = '/usr/lib';
const PRIVATE_FOLDERS = ['/usr/lib/xen/bin', '/usr/libexec/xen/bin', '/usr/lib64/xen/bin', '/usr/local/lib/xen/bin', '/usr/local/libexec/xen/bin'];

export interface RunOptions {
  readonly signal: AbortSignal;
  /** Whether the command changes something: once it has begun, no lost answer may then pass as "nothing was done". */
  readonly changes?: boolean;
  /** called when the process is about to start, which it then does */
  readonly onStart?: () => void;
}

export interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

/** What is used of Xen's programs on this host, each of which can be set to a full path by its name. */
export type ProgramName = 'xl' | 'xenstore-read' | 'xenconsole';

/** Runs one of Xen's programs: without a shell, a few at a time, never longer than the caller's signal allows. */
export class XenProgram {
  readonly #places = new Places(MAX_PROCESSES, MAX_WAITING);
  readonly #name: ProgramName;
  readonly #path: string | undefined;

  /** @param path the full one; where it is missing, it is looked for in PATH and the system's folders */
  constructor(name: ProgramName, path?: string) {
    this.#name = name;
    this.#path = path;
  }

  /**
   * @returns what it printed, when it ended with 0
   * @throws ArgoError by the table of refusals; `UNREACHABLE` when it cannot be started, or was not
   *   before the signal came; when that came later, `UNCERTAIN` for a change and `UNREACHABLE` for a read
   */
  async run(args: readonly string[], options: RunOptions): Promise<Output> {
    const leave = await this.#place(options.signal);
    let child: ChildProcess;
    try {
      child = await this.#spawn(args, 'ignore', options);
    } catch (error) {
      leave();
      throw error;
    }
    return outcome(child, this.#name, options, leave);
  }

  /** Starts one that lives for as long as somebody works at it, and that takes no place. All three of its pipes are ours. @throws as {@link run} */
  start(args: readonly string[], signal: AbortSignal): Promise<ChildProcessWithoutNullStreams> {
    return this.#spawn(args, 'pipe', { signal }) as Promise<ChildProcessWithoutNullStreams>;
  }

  async #spawn(args: readonly string[], input: 'ignore' | 'pipe', { signal, onStart }: RunOptions): Promise<ChildProcess> {
    try {
      const path = this.#path ?? await find(this.#name);
      refuseWhenAborted(signal, this.#name);
      onStart?.();
      // A session of its own: ^C at our terminal must not cut a create short, and helpers die with it.
      return spawn(path, args, { cwd: '/', env: bareEnvironment(SYSTEM_FOLDERS.join(delimiter)), stdio: [input, 'pipe', 'pipe'], detached: true });
    } catch (error) {
      throw error instanceof ArgoError ? error : unstartable(error, this.#name);
    }
  }

  /** @returns what gives the place back */
  async #place(signal: AbortSignal): Promise<() => void> {
    refuseWhenAborted(signal, this.#name);
    return this.#places.take(signal).catch((error: unknown) => { throw signal.aborted ? new ArgoError('UNREACHABLE', `other ${this.#name} calls took all the time`) : error; });
  }
}

/** What a process comes to; its place is given back when it has ended. */
function outcome(child: ChildProcess, name: ProgramName, { signal, changes = false }: RunOptions, leave: () => void): Promise<Output> {
  return new Promise((resolve, reject) => {
    const out = new Gatherer(MAX_OUTPUT);
    const complaints = new Gatherer(MAX_COMPLAINTS);
    let ended: (() => void) | undefined;
    const stop = (why: ArgoError): void => {
      reject(why);
      // its helpers end with it, but not the monitor daemon, which has a session of its own
      ended ??= endGroup(child);
    };
    const lost = (detail: string): ArgoError => new ArgoError(changes ? 'UNCERTAIN' : 'UNREACHABLE', detail);
    const finish = (): void => {
      ended?.();
      forget();
      leave();
    };
    child.stdout?.on('data', (bytes: Buffer) => {
      if (!out.add(bytes)) stop(new ArgoError(changes ? 'UNCERTAIN' : 'FAILED', `${name} printed more than ${MAX_OUTPUT} bytes`));
    });
    child.stderr?.on('data', (bytes: Buffer) => void complaints.add(bytes));
    child.once('error', (error) => {
      if (child.pid !== undefined) return;
      finish();
      reject(unstartable(error, name));
    });
    child.once('exit', (code, killedBy) => {
      finish();
      void pipesDrained(child).then(() => {
        if (code === 0) resolve({ stdout: out.text(), stderr: complaints.text() });
        else if (code === null) reject(new ArgoError(changes ? 'UNCERTAIN' : 'FAILED', `${name} was ended by ${killedBy}`));
        else reject(refusal(complaints.text(), code));
      });
    });
    const forget = onAbort(signal, () => stop(lost(`${name} did not end before the deadline`)));
  });
}

/** Bytes up to a limit. */
class Gatherer {
  readonly #chunks: Buffer[] = [];
  #size = 0;
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @returns false when it was too much; what came before is kept */
  add(bytes: Buffer): boolean {
    if (this.#size + bytes.length > this.#limit) return false;
    this.#size += bytes.length;
    this.#chunks.push(bytes);
    return true;
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }
}

async function find(name: ProgramName): Promise<string> {
  const versions = name === 'xenconsole' ? (await readdir(LIBRARIES).catch(() => [])).filter((entry) => /^xen-\d/.test(entry)) : [];
  const newest = inOrder(versions, (entry) => entry).reverse().map((entry) => join(LIBRARIES, entry, 'bin'));
  const folders = name === 'xenconsole' ? [...newest, ...PRIVATE_FOLDERS] : [...(process.env.PATH ?? '').split(delimiter).filter(isAbsolute), ...SYSTEM_FOLDERS];
  for (const folder of folders) {
    const path = join(folder, name);
    const usable = await access(path, constants.X_OK).then(() => true, () => false);
    if (usable) return path;
  }
  throw new ArgoError('UNREACHABLE', `this host has no ${name} program: install xen-utils, or set \`${name}\``);
}

export function unstartable(error: unknown, name: ProgramName): ArgoError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  if (code === 'EACCES') return new ArgoError('ACCESS DENIED', `the ${name} program may not be executed`, { cause: error });
  return new ArgoError('UNREACHABLE', `the ${name} program cannot be started (${code})`, { cause: error });
}

function refuseWhenAborted(signal: AbortSignal, name: ProgramName): void {
  if (signal.aborted) throw new ArgoError('UNREACHABLE', `there was no time left to call ${name}`);
}
