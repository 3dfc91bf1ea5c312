import { toArgoError } from '../../kit/errors.js';
import { TCP_TIMEOUT } from '../../protocols/ping/limits.js';
import { CannotTell, type PingResult } from '../../protocols/ping/outcome.js';
import type { SshSession } from '../../protocols/ssh/session.js';
import { isAbort, within } from '../../kit/within.js';
import type { Driver, DriverHost, Sighting } from '../driver.js';
import { withBoard } from '../host/board.js';
import { boardOf } from '../host/boards.js';
import { HostFleet } from '../host/fleet.js';
import { hostSettings, type HostEntry } from '../host/options.js';
import { HostPower, type HostPowerParts, leasePinger, type PingerLease } from '../host/power.js';
import { openJump, openSession, type SshPlace } from '../ssh/options.js';
import { LinuxHost, type Commands } from './host.js';
import { rightsOf, type LinuxOptions } from './options.js';

/** Hosts whose logs are read at a time. */
const LOGS_AT_ONCE = 64;

/** Milliseconds for one of several logs: those of hosts that are off must not cost the others their time. */
const LOG_TIMEOUT_MS = 6_000;

/** The code by which a jump host says that it has tried, and that its connection failed (RFC 4254, 5.1). */
const CONNECT_FAILED = 2;

/** Where nobody listens on a jump host: to be told so shows that it is not the jump host that hangs. */
const LOOPBACK = '127.0.0.1';
const DISCARD_PORT = 9;

/** What a host may be said to have of its own. */
type Entry = HostEntry & Omit<SshPlace, 'address'>;

/** Physical hosts with Linux, one or many, by ping, SSH and Wake-on-LAN. */
export class LinuxDriver implements Driver {
  readonly #options: LinuxOptions;
  readonly #host: DriverHost;
  readonly #fleet: HostFleet<Entry, LinuxHost>;
  readonly #lease: PingerLease;
  readonly #jump: SshSession | undefined;
  readonly #commands: Commands;

  constructor(options: LinuxOptions, host: DriverHost) {
    this.#options = options;
    this.#host = host;
    this.#lease = leasePinger(host.log);
    this.#jump = openJump(options);
    this.#commands = {
      shutdown: options['shutdown-command'],
      reboot: options['reboot-command'],
      powerOff: options['power-off-command'],
      reset: options['reset-command'],
      uptime: options['uptime-command'],
      bootId: options['boot-id-command'],
    };
    this.#fleet = new HostFleet<Entry, LinuxHost>(options, host, (entry) => this.#create(entry));
  }

  list(): Promise<readonly Sighting[]> {
    return this.#fleet.list();
  }

  /** The kernel logs of all hosts, each line behind its host's name where there are several. */
  async dmesg(signal: AbortSignal): Promise<string> {
    const machines = await this.#fleet.refresh();
    const [only] = machines;
    if (only !== undefined && machines.length === 1) return only.kernelLog(signal);
    const logs: string[] = [];
    for (let i = 0; i < machines.length; i += LOGS_AT_ONCE) {
      logs.push(...await Promise.all(machines.slice(i, i + LOGS_AT_ONCE).map((machine) => labelledLog(machine, signal))));
    }
    return logs.join('\n');
  }

  async close(): Promise<void> {
    await this.#fleet.close();
    this.#jump?.close();
    this.#lease.release();
  }

  /** sshd's port shows that a host is up which drops pings. */
  #serviceSign(place: SshPlace): Pick<HostPowerParts, 'port' | 'otherwise'> {
    const port = place['ssh-port'] ?? this.#options['ssh-port'];
    const jump = this.#jump;
    return jump === undefined ? { port } : { otherwise: (signal) => askThrough(jump, place.address, port, signal) };
  }

  #create(entry: Entry): LinuxHost {
    const options = this.#options;
    const { log } = this.#host;
    const { pinger } = this.#lease;
    const settings = hostSettings(entry, options);
    const place = { ...entry, address: settings.address };
    const { witness, 'jump-host': jump } = options;
    const account = `${place.user ?? options.user}@${place.address}:${place['ssh-port'] ?? options['ssh-port']}`;
    const power = new HostPower(settings, { pinger, log, ...this.#serviceSign(place) });
    return withBoard(new LinuxHost({
      power,
      session: openSession(options, place, this.#jump),
      commands: this.#commands,
      rights: () => rightsOf(options, place.user ?? options.user),
      account: jump === undefined ? account : `${account} via ${jump.host}:${jump.port}`,
      sshPort: this.#jump === undefined ? place['ssh-port'] ?? options['ssh-port'] : undefined,
      commandTimeout: options['command-timeout'],
      witness: witness === undefined ? undefined : async (signal) => (await pinger.ping(witness, { signal })).alive,
      log,
    }), boardOf(power, log, true));
  }
}

/** Whether a host answers to a jump host, which alone may reach it. @throws CannotTell where the jump host does not tell */
async function askThrough(jump: SshSession, address: string, port: number, signal: AbortSignal): Promise<PingResult> {
  const began = performance.now();
  const refusal = await connectThrough(jump, address, port, signal);
  const isTold = jumpHasRefused(refusal);
  if (refusal === undefined || (isTold && /refused/i.test(refusal.message))) return { alive: true, ms: performance.now() - began, address, by: 'tcp' };
  if (isTold || (isAbort(refusal) && jumpHasRefused(await connectThrough(jump, LOOPBACK, DISCARD_PORT, signal)))) {
    return { alive: false, reason: 'no answer to the jump host' };
  }
  throw new CannotTell('not sent', `the jump host does not tell: ${refusal.message}`, { cause: refusal });
}

/** @returns why not; undefined where there is a connection. @throws the signal's reason */
async function connectThrough(jump: SshSession, address: string, port: number, signal: AbortSignal): Promise<Error | undefined> {
  try {
    (await within(TCP_TIMEOUT, [signal], (limit) => jump.openTcp(address, port, limit))).destroy();
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    return error as Error;
  }
}

/** Whether the jump host has tried, and its connection failed: ssh2 gives that reason to the error that it makes of the answer. */
const jumpHasRefused = (error: Error | undefined): boolean =>
  error?.cause instanceof Error && 'reason' in error.cause && error.cause.reason === CONNECT_FAILED;

async function labelledLog(machine: LinuxHost, signal: AbortSignal): Promise<string> {
  const text = await within(LOG_TIMEOUT_MS, [signal], (limit) => machine.kernelLog(limit)).catch((error: unknown) => {
    signal.throwIfAborted();
    return isAbort(error) ? 'UNREACHABLE: no answer' : toArgoError(error).message;
  });
  return text.trimEnd().split('\n').map((line) => `${machine.name}: ${line}`).join('\n');
}
