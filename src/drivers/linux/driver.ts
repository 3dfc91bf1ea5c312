import { ArgoError, toArgoError } from '../../kit/errors.js';
import type { SshSession } from '../../protocols/ssh/session.js';
import { isAbort, within } from '../../kit/within.js';
import type { Driver, DriverHost, Sighting } from '../driver.js';
import { withBoard } from '../host/board.js';
import { boardOf } from '../host/boards.js';
import { HostFleet } from '../host/fleet.js';
import { hostSettings, type HostEntry } from '../host/options.js';
import { HostPower, leasePinger, type PingerLease } from '../host/power.js';
import type { ProviderAbilities } from '../management/contract.js';
import { openJump, openSession, type SshPlace } from '../ssh/options.js';
import { serviceSign } from '../ssh/service-sign.js';
import { LinuxHost, type Commands } from './host.js';
import { rightsOf, type LinuxOptions } from './options.js';

/** Hosts whose logs are read at a time. */
const LOGS_AT_ONCE = 64;

/** Milliseconds for one of several logs: those of hosts that are off must not cost the others their time. */
const LOG_TIMEOUT_MS = 6_000;

/** What a host may be said to have of its own. */
type Entry = HostEntry & Omit<SshPlace, 'address'>;

/** Physical hosts with Linux, one or many, by ping, SSH and Wake-on-LAN. */
export class LinuxDriver implements Driver {
  readonly abilities: ProviderAbilities = { statistics: { host: async (args, call) => (await this.#only()).figures(args, call) } };
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

  /** @throws ArgoError NOT SUPPORTED where there are several, of which none is meant */
  async #only(): Promise<LinuxHost> {
    const [only, ...others] = await this.#fleet.refresh();
    if (only === undefined || others.length > 0) throw new ArgoError('NOT SUPPORTED', 'figures are of one host: give it a provider of its own');
    return only;
  }

  #create(entry: Entry): LinuxHost {
    const options = this.#options;
    const { log } = this.#host;
    const { pinger } = this.#lease;
    const settings = hostSettings(entry, options);
    const place = { ...entry, address: settings.address };
    const { witness, 'jump-host': jump } = options;
    const sshPort = place['ssh-port'] ?? options['ssh-port'];
    const account = `${place.user ?? options.user}@${place.address}:${sshPort}`;
    const power = new HostPower(settings, { pinger, log, ...serviceSign(this.#jump, place.address, sshPort) });
    return withBoard(new LinuxHost({
      power,
      session: openSession(options, place, this.#jump),
      commands: this.#commands,
      mayShell: options.shell,
      rights: () => rightsOf(options, place.user ?? options.user),
      account: jump === undefined ? account : `${account} via ${jump.host}:${jump.port}`,
      sshPort: this.#jump === undefined ? sshPort : undefined,
      commandTimeout: options['command-timeout'],
      witness: witness === undefined ? undefined : async (signal) => (await pinger.ping(witness, { signal })).alive,
      log,
    }), boardOf(power, log, true));
  }
}

async function labelledLog(machine: LinuxHost, signal: AbortSignal): Promise<string> {
  const text = await within(LOG_TIMEOUT_MS, [signal], (limit) => machine.kernelLog(limit)).catch((error: unknown) => {
    signal.throwIfAborted();
    return isAbort(error) ? 'UNREACHABLE: no answer' : toArgoError(error).message;
  });
  return text.trimEnd().split('\n').map((line) => `${machine.name}: ${line}`).join('\n');
}
