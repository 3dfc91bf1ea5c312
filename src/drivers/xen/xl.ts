import { spawn, type ChildProcess } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import { ArgoError } from '../../kit/errors.js';
import { Places } from '../../kit/places.js';
import { onAbort } from '../../kit/within.js';
import { refusal } from './errors.js';

/** xl processes at a time: each opens xenstore and takes a few MB; creates queue behind xl's own lock. */
const MAX_PROCESSES = 4;
/** Calls that may wait for a place. */
const MAX_WAITING = 256;
/** Bytes of standard output: a listing has about 120 a domain, the hypervisor's log 16 KiB to some MiB. */
const MAX_OUTPUT = 8 * 1024 * 1024;
/** Bytes of standard error that are kept. */
const MAX_COMPLAINTS = 64 * 1024;
/** Milliseconds from SIGTERM to SIGKILL. */
const GRACE = 2000;
/** Milliseconds for what is still in the pipes after xl has ended; a daemon it left behind may hold them open. */
const DRAIN = 250;
/** Folders where distributions keep xl, beyond PATH. */
const SYSTEM_FOLDERS = ['/usr/sbin', '/sbin', '/usr/local/sbin'];

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

/** Runs the xl program: without a shell, a few at a time, never longer than the caller's signal allows. */
export class Xl {
  readonly #places = new Places(MAX_PROCESSES, MAX_WAITING);
  readonly #program: string | undefined;

  /** @param program the full path; where it is missing, xl is looked for in PATH and the system's folders */
  constructor(program?: string) {
    this.#program = program;
  }

  /**
   * @returns what xl printed, when it ended with 0
   * @throws ArgoError by the table of refusals; `UNREACHABLE` when xl cannot be started, or was not
   *   before the signal came; when that came later, `UNCERTAIN` for a change and `UNREACHABLE` for a read
   */
  async run(args: readonly string[], options: RunOptions): Promise<Output> {
    const leave = await this.#place(options.signal);
    let child: ChildProcess;
    try {
      const program = this.#program ?? await findXl();
      refuseWhenAborted(options.signal);
      options.onStart?.();
      child = spawn(program, args, {
        cwd: '/',
        // Nothing of our environment: it may hold other providers' passwords.
        env: { PATH: process.env.PATH ?? SYSTEM_FOLDERS.join(delimiter), LC_ALL: 'C' },
        stdio: ['ignore', 'pipe', 'pipe'],
        // A session of its own: ^C at our terminal must not cut a create short, and helpers die with xl.
        detached: true,
      });
    } catch (error) {
      leave();
      throw error instanceof ArgoError ? error : unstartable(error);
    }
    return outcome(child, options, leave);
  }

  /** @returns what gives the place back */
  async #place(signal: AbortSignal): Promise<() => void> {
    refuseWhenAborted(signal);
    return this.#places.take(signal).catch((error: unknown) => { throw signal.aborted ? new ArgoError('UNREACHABLE', 'other xl calls took all the time') : error; });
  }
}

/** What a process comes to; its place is given back when it has ended. */
function outcome(child: ChildProcess, { signal, changes = false }: RunOptions, leave: () => void): Promise<Output> {
  return new Promise((resolve, reject) => {
    const out = new Gatherer(MAX_OUTPUT);
    const complaints = new Gatherer(MAX_COMPLAINTS);
    let killer: NodeJS.Timeout | undefined;
    const stop = (why: ArgoError): void => {
      reject(why);
      if (killer) return;
      signalGroup(child, 'SIGTERM');
      killer = setTimeout(() => signalGroup(child, 'SIGKILL'), GRACE);
    };
    const lost = (detail: string): ArgoError => new ArgoError(changes ? 'UNCERTAIN' : 'UNREACHABLE', detail);
    const finish = (): void => {
      clearTimeout(killer);
      forget();
      leave();
    };
    child.stdout?.on('data', (bytes: Buffer) => {
      if (!out.add(bytes)) stop(new ArgoError(changes ? 'UNCERTAIN' : 'FAILED', `xl printed more than ${MAX_OUTPUT} bytes`));
    });
    child.stderr?.on('data', (bytes: Buffer) => void complaints.add(bytes));
    child.once('error', (error) => {
      if (child.pid !== undefined) return;
      finish();
      reject(unstartable(error));
    });
    child.once('exit', (code, killedBy) => {
      finish();
      void drained(child).then(() => {
        if (code === 0) resolve({ stdout: out.text(), stderr: complaints.text() });
        else if (code === null) reject(new ArgoError(changes ? 'UNCERTAIN' : 'FAILED', `xl was ended by ${killedBy}`));
        else reject(refusal(complaints.text(), code));
      });
    });
    const forget = onAbort(signal, () => stop(lost('xl did not end before the deadline')));
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

async function findXl(): Promise<string> {
  const folders = [...(process.env.PATH ?? '').split(delimiter).filter(isAbsolute), ...SYSTEM_FOLDERS];
  for (const folder of folders) {
    const path = join(folder, 'xl');
    const usable = await access(path, constants.X_OK).then(() => true, () => false);
    if (usable) return path;
  }
  throw new ArgoError('UNREACHABLE', 'this host has no xl program: install xen-utils, or set `xl`');
}

function unstartable(error: unknown): ArgoError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  if (code === 'EACCES') return new ArgoError('ACCESS DENIED', 'the xl program may not be executed', { cause: error });
  return new ArgoError('UNREACHABLE', `the xl program cannot be started (${code})`, { cause: error });
}

function refuseWhenAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new ArgoError('UNREACHABLE', 'there was no time left to call xl');
}

/** The whole group: xl's helpers with it, but not the monitor daemon, which has a session of its own. */
function signalGroup(child: ChildProcess, name: 'SIGTERM' | 'SIGKILL'): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, name);
  } catch {
    // It has just ended.
  }
}

/** Waits until both pipes have ended or DRAIN is over, then lets go of them. */
function drained(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      child.stdout?.destroy();
      child.stderr?.destroy();
      resolve();
    };
    const timer = setTimeout(done, DRAIN);
    child.once('close', done);
  });
}
