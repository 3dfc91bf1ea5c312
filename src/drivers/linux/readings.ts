import { ArgoError } from '../../kit/errors.js';
import type { CommandResult } from '../../protocols/ssh/command.js';
import { quote } from '../../protocols/ssh/connection.js';
import type { SshSession } from '../../protocols/ssh/session.js';
import type { Disk } from '../driver.js';
import { explainSsh } from '../ssh/errors.js';
import { refusalOfSudo, sudoFlags, wordsOf, type Rights, type SudoPasswords } from './power.js';
import type { Interface } from '../management/interfaces.js';
import { DISKS_COMMAND, parseDisks, parseVitals, vitalsCommand, type Vitals } from './vitals.js';

/** Milliseconds for which a reading is told again without asking: `info`, `load`, `uptime` in a row are one question. */
const FRESH_MS = 1_000;

/** Bytes of a kernel log; its ring buffer is smaller on most machines. */
const LOG_SIZE = 4 * 1024 * 1024;

/** What is read of one host over SSH. */
export class Readings {
  #vitals: { readonly value: Vitals; readonly at: number } | undefined;
  readonly #session: SshSession;
  readonly #commands: { readonly uptime: string; readonly bootId: string };
  readonly #timeout: number;
  readonly #rights: () => Rights;
  readonly #passwords: SudoPasswords;

  constructor(
    session: SshSession, commands: { readonly uptime: string; readonly bootId: string }, timeout: number,
    rights: () => Rights, passwords: SudoPasswords,
  ) {
    this.#session = session;
    this.#commands = commands;
    this.#timeout = timeout;
    this.#rights = rights;
    this.#passwords = passwords;
  }

  /** @throws ArgoError */
  async vitals(signal: AbortSignal): Promise<Vitals> {
    const known = this.#vitals;
    if (known !== undefined && performance.now() - known.at < FRESH_MS) return known.value;
    const at = performance.now();
    const value = parseVitals(await this.#ask(vitalsCommand(this.#commands.uptime), signal));
    this.#vitals = { value, at };
    return value;
  }

  /** @throws ArgoError, also where the host does not tell it, being no Linux */
  async interface(signal: AbortSignal): Promise<Interface> {
    const { interface: card } = await this.vitals(signal);
    if (card === undefined) throw new ArgoError('FAILED', 'the host does not tell of its network what a Linux host tells; is it one?');
    return card;
  }

  /** What was read is of no worth any more: the host goes down. */
  forget(): void {
    this.#vitals = undefined;
  }

  async disks(signal: AbortSignal): Promise<Disk[]> {
    return parseDisks(await this.#ask(DISKS_COMMAND, signal));
  }

  /** A value that each boot makes anew, such as that of random(4). */
  async bootId(signal: AbortSignal): Promise<string> {
    const { code, stdout, truncated } = await this.#run(this.#commands.bootId, signal);
    const id = stdout.trim().split('\n').at(-1)?.trim() ?? '';
    if (code !== 0 || truncated || id === '') throw new ArgoError('FAILED', 'the host does not tell its boot id; set boot-id-command');
    return id;
  }

  /** The kernel's log, as root where others may not read it (kernel.dmesg_restrict). */
  async kernelLog(signal: AbortSignal): Promise<string> {
    const plain = await this.#run('dmesg 2>/dev/null', signal, { maxOutput: LOG_SIZE });
    const rights = this.#rights();
    if (plain.code === 0 || rights.by === 'nobody') return outputOf(plain);
    return this.#passwords.use(rights, async (input) => {
      const result = await this.#run(`LC_ALL=C sudo ${sudoFlags(rights)} dmesg`, signal, { maxOutput: LOG_SIZE, ...input });
      if (result.code !== 0 && result.stderr.includes('sudo:')) throw refusalOfSudo(result.stderr, wordsOf(result.stderr));
      return outputOf(result);
    });
  }

  async #ask(script: string, signal: AbortSignal): Promise<string> {
    return outputOf(await this.#run(script, signal));
  }

  #run(script: string, signal: AbortSignal, more: { stdin?: string; maxOutput?: number } = {}): Promise<CommandResult> {
    return this.#session
      .run('reads', `sh -c ${quote(script)}`, { signal, timeout: this.#timeout, ...more })
      .catch((error: unknown) => { throw explainSsh(error, 'reads'); });
  }
}

function outputOf({ code, signal, stdout, stderr, truncated }: CommandResult): string {
  if (truncated) throw new ArgoError('FAILED', 'the host prints far more than was asked for');
  if (code !== 0) throw new ArgoError('FAILED', wordsOf(stderr) || (signal === undefined ? `exit status ${code}` : `ended by SIG${signal}`));
  return stdout;
}
