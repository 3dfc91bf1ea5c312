import { ArgoError } from '../../kit/errors.js';
import { CannotTell } from '../../protocols/ping/outcome.js';
import { probeTcp } from '../../protocols/ping/tcp.js';
import { HostKeyError, SshAuthenticationError } from '../../protocols/ssh/errors.js';
import type { SshSession } from '../../protocols/ssh/session.js';
import { within } from '../../kit/within.js';
import type { Consoles, Facts, Load, Machine, PowerState } from '../driver.js';
import type { Log } from '../../kit/log.js';
import type { HostPower } from '../host/power.js';
import { HostStatistics } from '../management/host-statistics.js';
import { commandsBy } from '../management/ssh-commands.js';
import type { Statistics } from '../management/statistics.js';
import { loginShell } from '../ssh/shell.js';
import { Readings } from './readings.js';
import { giveOrder, SudoPasswords, type Rights } from './power.js';
import { parseLoad, parseUptime } from './vitals.js';

/** Milliseconds for the look at the SSH port of a host that boots. */
const PORT_TIMEOUT_MS = 2_000;

/** Milliseconds after an order to start until an answer to ping counts as `on` even without SSH. */
const START_WINDOW_MS = 600_000;

/** What a host may be ordered, in shell commands; an absent one is not supported. */
export interface Commands {
  readonly shutdown: string;
  readonly reboot: string;
  readonly powerOff: string | undefined;
  readonly reset: string | undefined;
  readonly uptime: string;
  readonly bootId: string;
}

export interface LinuxHostParts {
  readonly power: HostPower;
  readonly session: SshSession;
  readonly commands: Commands;
  /** whether somebody may be given a shell with our own login */
  readonly mayShell?: boolean;
  readonly rights: () => Rights;
  /** whose sudo is asked, and where: `user@host:port` */
  readonly account: string;
  /** where sshd listens; undefined where it can only be seen from a jump host */
  readonly sshPort: number | undefined;
  /** milliseconds for a reading, or the answer to an order */
  readonly commandTimeout: number;
  /** whether a neighbour answers; undefined where none is configured */
  readonly witness: ((signal: AbortSignal) => Promise<boolean>) | undefined;
  readonly log: Log;
}

/**
 * A physical host with Linux: seen by ping, started by Wake-on-LAN, everything else over SSH. Its
 * power steps are there or not by what is configured, as the driver's contract wants it.
 */
export class LinuxHost implements Machine {
  readonly id: string;
  readonly name: string;
  readonly type = 'host';
  readonly start?: (signal: AbortSignal) => Promise<void>;
  readonly powerOff?: (signal: AbortSignal) => Promise<void>;
  readonly reset?: (signal: AbortSignal) => Promise<void>;
  readonly console?: Consoles;
  readonly figures: Statistics['host'];
  readonly bootMarkLasts = true;
  readonly #parts: LinuxHostParts;
  readonly #readings: Readings;
  readonly #passwords: SudoPasswords;
  #complaint: string | undefined;
  /** when it was told to start, until its sshd has been seen */
  #startedAt: number | undefined;

  constructor(parts: LinuxHostParts) {
    const { power, session, commands, rights, account, commandTimeout } = parts;
    this.#parts = parts;
    this.#passwords = new SudoPasswords(account);
    this.id = power.host.name;
    this.name = power.host.name;
    this.#readings = new Readings(session, commands, commandTimeout, rights, this.#passwords);
    this.figures = new HostStatistics(commandsBy(session)).host;
    const { powerOff, reset } = commands;
    if (parts.mayShell === true) this.console = { shell: loginShell(session) };
    if (power.canWake) this.start = (signal) => this.#wake(signal);
    if (powerOff !== undefined) this.powerOff = (signal) => this.#order(powerOff, signal);
    if (reset !== undefined) this.reset = (signal) => this.#order(reset, signal);
  }

  status(signal: AbortSignal): Promise<PowerState> {
    return this.look(signal, false);
  }

  /** @param background one of a listing */
  async look(signal: AbortSignal, background: boolean): Promise<PowerState> {
    const state = await this.#parts.power.status(signal, { background });
    if (state === 'off' || state === 'stopping') await this.#trustSilence(signal);
    if (state !== 'on') return state;
    return await this.#isStarting(signal) ? 'starting' : 'on';
  }

  shutdown(signal: AbortSignal): Promise<void> {
    return this.#order(this.#parts.commands.shutdown, signal);
  }

  reboot(signal: AbortSignal): Promise<void> {
    return this.#order(this.#parts.commands.reboot, signal);
  }

  bootMark(signal: AbortSignal): Promise<string> {
    return this.#readings.bootId(signal);
  }

  /** What it complained of after it had accepted the order that was the last, such as an inhibitor. */
  get complaint(): string | undefined {
    return this.#complaint;
  }

  async info(signal: AbortSignal): Promise<Facts> {
    const [vitals, disks] = await Promise.all([
      this.#readings.vitals(signal),
      this.#readings.disks(signal).catch((error: unknown) => {
        if (error instanceof ArgoError) return undefined;
        throw error;
      }),
    ]);
    const { interface: card, uuid, cpus, memory, hostname, kernel, system } = vitals;
    const more = { hostname, system, kernel, interface: card?.name };
    return {
      ...(uuid === undefined ? {} : { uuid }),
      ...(cpus === undefined ? {} : { cpus }),
      ...(memory === undefined ? {} : { memory }),
      ips: card?.ips ?? [],
      macs: card?.mac === undefined ? [] : [card.mac],
      ...(disks === undefined ? {} : { disks }),
      more: Object.fromEntries(Object.entries(more).filter((entry): entry is [string, string] => entry[1] !== undefined)),
    };
  }

  async ip(signal: AbortSignal): Promise<readonly string[]> {
    return (await this.#readings.interface(signal)).ips;
  }

  async mac(signal: AbortSignal): Promise<readonly string[]> {
    const { mac } = await this.#readings.interface(signal);
    return mac === undefined ? [] : [mac];
  }

  async uptime(signal: AbortSignal): Promise<number> {
    return parseUptime((await this.#readings.vitals(signal)).uptime);
  }

  async rx(signal: AbortSignal): Promise<bigint> {
    return (await this.#readings.interface(signal)).rx;
  }

  async tx(signal: AbortSignal): Promise<bigint> {
    return (await this.#readings.interface(signal)).tx;
  }

  async load(signal: AbortSignal): Promise<Load> {
    return parseLoad((await this.#readings.vitals(signal)).load);
  }

  disk(signal: AbortSignal) {
    return this.#readings.disks(signal);
  }

  kernelLog(signal: AbortSignal): Promise<string> {
    return this.#readings.kernelLog(signal);
  }

  /** Lets go of its SSH session. */
  close(): void {
    this.#parts.session.close();
  }

  async #wake(signal: AbortSignal): Promise<void> {
    await this.#parts.power.wake(signal);
    this.#startedAt = performance.now();
  }

  async #order(command: string, signal: AbortSignal): Promise<void> {
    const { session, rights, log, power, commandTimeout } = this.#parts;
    this.#startedAt = undefined;
    this.#readings.forget();
    this.#complaint = undefined;
    await power.goDown(() => giveOrder(session, {
      command, rights: rights(), passwords: this.#passwords, signal, timeout: commandTimeout,
      onComplaint: (words) => {
        this.#complaint = words;
        log('warn', 'a host complained after it had accepted an order', { host: this.name, words });
      },
    }));
  }

  /** Whether it is booting after a start of ours: the kernel answers ping well before sshd is there. */
  async #isStarting(signal: AbortSignal): Promise<boolean> {
    if (this.#startedAt === undefined) return false;
    if (performance.now() - this.#startedAt > START_WINDOW_MS || await this.#sshIsUp(signal)) {
      this.#startedAt = undefined;
      return false;
    }
    return true;
  }

  async #sshIsUp(signal: AbortSignal): Promise<boolean> {
    const { session, sshPort, power: { host: { address } } } = this.#parts;
    try {
      if (sshPort === undefined) {
        await within(PORT_TIMEOUT_MS, [signal], (limit) => session.run('reads', ':', { signal: limit }));
        return true;
      }
      const answer = await probeTcp(address, sshPort, { signal, timeout: PORT_TIMEOUT_MS });
      return answer.alive && answer.open;
    } catch (error) {
      signal.throwIfAborted();
      // Whoever refuses our credentials is there; to ask again with each look would lock the account.
      if (error instanceof SshAuthenticationError || error instanceof HostKeyError) return true;
      if (sshPort === undefined || error instanceof CannotTell) return false;
      throw error;
    }
  }

  /** Silence of everybody is a cable of ours that is out, not a host that is off. */
  async #trustSilence(signal: AbortSignal): Promise<void> {
    const { witness } = this.#parts;
    if (witness !== undefined && !await witness(signal)) {
      throw new ArgoError('UNREACHABLE', `it cannot be told whether ${this.name} is on: the witness is silent too`);
    }
  }
}
