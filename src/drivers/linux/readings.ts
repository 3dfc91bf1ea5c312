import { ArgoError } from '../../kit/errors.js';
import { quote } from '../../protocols/ssh/connection.js';
import type { SshSession } from '../../protocols/ssh/session.js';
import type { Disk } from '../driver.js';
import { explainSsh } from '../ssh/errors.js';
import { DISKS_COMMAND, parseDisks } from './disks.js';
import { wordsOf, type Rights } from './orders.js';
import { parseVitals, vitalsCommand, type Vitals } from './vitals.js';

/** Milliseconds for which a reading is told again without asking: `info`, `load`, `uptime` in a row are one question. */
const FRESH_MS = 1_000;

/** Bytes of a kernel log; its ring buffer is smaller on most machines. */
const LOG_SIZE = 4 * 1024 * 1024;

const BOOT_ID = 'cat /proc/sys/kernel/random/boot_id';
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** What is read of one host over SSH. */
export class Readings {
  #vitals: { readonly value: Vitals; readonly at: number } | undefined;
  readonly #session: SshSession;
  readonly #uptimeCommand: string;
  readonly #timeout: number;
  readonly #rights: () => Rights;

  constructor(
    session: SshSession, uptimeCommand: string, timeout: number,
    rights: () => Rights,
  ) {
    this.#session = session;
    this.#uptimeCommand = uptimeCommand;
    this.#timeout = timeout;
    this.#rights = rights;
  }

  /** @throws ArgoError */
  async vitals(signal: AbortSignal): Promise<Vitals> {
    const known = this.#vitals;
    if (known !== undefined && performance.now() - known.at < FRESH_MS) return known.value;
    const at = performance.now();
    const value = parseVitals(await this.#ask(vitalsCommand(this.#uptimeCommand), signal));
    this.#vitals = { value, at };
    return value;
  }

  /** What was read is of no worth any more: the host goes down. */
  forget(): void {
    this.#vitals = undefined;
  }

  async disks(signal: AbortSignal): Promise<Disk[]> {
    return parseDisks(await this.#ask(DISKS_COMMAND, signal));
  }

  /** A value that each boot makes anew (random(4)). */
  async bootId(signal: AbortSignal): Promise<string> {
    const id = (await this.#ask(BOOT_ID, signal)).trim().split('\n').at(-1) ?? '';
    if (!UUID.test(id)) throw new ArgoError('FAILED', 'the host does not tell its boot id');
    return id;
  }

  /** The kernel's log, as root where others may not read it (kernel.dmesg_restrict). */
  async kernelLog(signal: AbortSignal): Promise<string> {
    const rights = this.#rights();
    const password = rights.by === 'sudo' ? rights.password?.reveal() : undefined;
    const asRoot = rights.by === 'nobody' ? '' : ` || LC_ALL=C sudo ${password === undefined ? '-n' : '-k -S -p \'\''} dmesg`;
    return this.#ask(`dmesg 2>/dev/null${asRoot}`, signal, { maxOutput: LOG_SIZE, ...(password === undefined ? {} : { stdin: `${password}\n` }) });
  }

  async #ask(script: string, signal: AbortSignal, more: { stdin?: string; maxOutput?: number } = {}): Promise<string> {
    const { code, signal: endedBy, stdout, stderr, truncated } = await this.#session
      .run('reads', `sh -c ${quote(script)}`, { signal, timeout: this.#timeout, ...more })
      .catch((error: unknown) => { throw explainSsh(error, 'reads'); });
    if (truncated) throw new ArgoError('FAILED', 'the host prints far more than was asked for');
    if (code !== 0) throw new ArgoError('FAILED', wordsOf(stderr) || (endedBy === undefined ? `exit status ${code}` : `ended by SIG${endedBy}`));
    return stdout;
  }
}
