import { execFile } from 'node:child_process';
import { familyOf } from './address.js';
import { Fifo } from './fifo.js';
import { MOST_PROCESSES, PROCESS_GRACE, PROCESS_OUTPUT } from './limits.js';
import { CannotTell, type PingResult } from './outcome.js';

/** The system's `ping`, which has the right that we lack: that of iputils, or of busybox. */

/** Where Debian and others keep it; the daemon's own PATH may be empty. */
const PATH = '/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin';

export interface ProgramOptions {
  readonly signal: AbortSignal;
  readonly retries: number;
  /** milliseconds; each request is waited for by whole seconds, the least that every `ping` knows */
  readonly timeout: number;
}

interface Ended {
  /** exit code, or why it did not run: ENOENT */
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** A waiting room for a bounded number of processes. */
export class PingProgram {
  #running = 0;
  readonly #waiting = new Fifo<() => void>();
  #lacking: CannotTell | undefined;
  readonly #program: string;

  constructor(program = 'ping') {
    this.#program = program;
  }

  /** Why it is of no use; undefined as long as nothing is known against it. */
  get useless(): CannotTell | undefined {
    return this.#lacking;
  }

  /** @throws CannotTell, or the signal's reason */
  async ask(address: string, { signal, retries, timeout }: ProgramOptions): Promise<PingResult> {
    const seconds = Math.max(1, Math.round(timeout / 1000 / (retries + 1)));
    for (let left = retries; ; left -= 1) {
      const ended = await this.#inTurn(signal, () => this.#run(address, seconds, signal));
      signal.throwIfAborted();
      const result = this.#read(address, ended);
      if (result.alive || left === 0 || !result.reason.startsWith(SILENT)) return result;
    }
  }

  async #inTurn<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.#running >= MOST_PROCESSES) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running += 1;
    try {
      signal.throwIfAborted();
      if (this.#lacking) throw this.#lacking;
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running -= 1;
    }
  }

  #run(address: string, seconds: number, signal: AbortSignal): Promise<Ended> {
    const args = ['-n', '-c', '1', '-W', String(seconds), ...(familyOf(address) === 6 ? ['-6'] : []), address];
    const options = {
      signal, timeout: seconds * 1000 + PROCESS_GRACE, killSignal: 'SIGKILL', maxBuffer: PROCESS_OUTPUT, env: { PATH, LC_ALL: 'C' },
    } as const;
    return new Promise((resolve) => {
      execFile(this.#program, args, options, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : error.code ?? -1, stdout, stderr });
      });
    });
  }

  #read(address: string, { code, stdout, stderr }: Ended): PingResult {
    if (code === 0) return { alive: true, ms: Number(/time[=<]([\d.]+)/.exec(stdout)?.[1] ?? 0), address, by: 'program' };
    const words = (stderr.trim().split('\n').at(-1) ?? '').slice(0, 200);
    if (typeof code === 'string' || /socket.*(not permitted|denied)|lacking privilege|must be root/i.test(stderr)) {
      this.#lacking = new CannotTell('no right', typeof code === 'string' ? `the program ${this.#program} cannot be run (${code})` : words);
      throw this.#lacking;
    }
    const about = /^From (\S+?):? icmp_seq=\d+ (.+)$/im.exec(stdout);
    if (about?.[1] === address) return { alive: true, ms: 0, address, by: 'program' };
    if (about) return readError(about[1] ?? '', about[2]?.toLowerCase() ?? '');
    if (code === 1 && words === '') return { alive: false, reason: SILENT };
    throw new CannotTell('not sent', `ping could not ask ${address}: ${words || `it ended with ${code}`}`);
  }
}

const SILENT = 'no answer to ping';

/** What another than the host says of it, in the words of iputils. @throws CannotTell where that is no word on the host */
function readError(source: string, words: string): PingResult {
  const reason = `${words}, says ${source}`;
  if (/(?:host|address) (?:unreachable|unknown)|unknown host/.test(words)) return { alive: false, isTold: true, reason };
  throw new CannotTell(/filtered|prohibited/.test(words) ? 'prohibited' : 'not sent', reason);
}
