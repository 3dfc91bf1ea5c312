import { ArgoError, toArgoError } from '../../kit/errors.js';
import type { SshSession } from '../../protocols/ssh/session.js';
import { isAbort, within } from '../../kit/within.js';
import type { Driver, DriverHost, PowerState, Sighting } from '../driver.js';
import { HostList, warnOfSharedMacs } from '../host/hosts.js';
import { hostSettings, type HostEntry } from '../host/options.js';
import { inPortions } from '../host/portions.js';
import { HostPower } from '../host/power.js';
import { leasePinger, type PingerLease } from '../host/shared-pinger.js';
import { openJump, openSession, type SshPlace } from '../ssh/options.js';
import { LinuxHost, type Commands } from './machine.js';
import { rightsOf, type LinuxOptions } from './options.js';

/** Hosts whose logs are read at a time. */
const LOGS_AT_ONCE = 64;

/** Milliseconds for one of several logs: those of hosts that are off must not cost the others their time. */
const LOG_TIMEOUT_MS = 6_000;

/** What a host may be said to have of its own. */
type Entry = HostEntry & Omit<SshPlace, 'address'>;

/** A host with what the configuration said of it when it was made. */
interface Known {
  readonly stamp: string;
  readonly machine: LinuxHost;
}

/** Physical hosts with Linux, one or many, by ping, SSH and Wake-on-LAN. */
export class LinuxDriver implements Driver {
  readonly #options: LinuxOptions;
  readonly #host: DriverHost;
  readonly #hosts: HostList<Entry>;
  readonly #lease: PingerLease;
  readonly #jump: SshSession | undefined;
  readonly #commands: Commands;
  /** by name */
  #machines = new Map<string, Known>();

  constructor(options: LinuxOptions, host: DriverHost) {
    this.#options = options;
    this.#host = host;
    this.#hosts = new HostList<Entry>(options.hosts, options['hosts-file'], host.log);
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
    warnOfSharedMacs(options.hosts, host.log);
  }

  async list(signal: AbortSignal): Promise<readonly Sighting[]> {
    const machines = this.#refresh();
    return inPortions(machines, async (machine) => ({ machine, state: await this.#stateOf(machine, signal) }));
  }

  /** The kernel logs of all hosts, each line behind its host's name where there are several. */
  async dmesg(signal: AbortSignal): Promise<string> {
    const machines = this.#refresh();
    const [only] = machines;
    if (only !== undefined && machines.length === 1) return only.kernelLog(signal);
    const logs: string[] = [];
    for (let i = 0; i < machines.length; i += LOGS_AT_ONCE) {
      logs.push(...await Promise.all(machines.slice(i, i + LOGS_AT_ONCE).map((machine) => labelledLog(machine, signal))));
    }
    return logs.join('\n');
  }

  close(): Promise<void> {
    for (const { machine } of this.#machines.values()) machine.close();
    this.#machines.clear();
    this.#jump?.close();
    this.#lease.release();
    return Promise.resolve();
  }

  async #stateOf(machine: LinuxHost, signal: AbortSignal): Promise<PowerState> {
    try {
      return await machine.look(signal, true);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ArgoError) return 'unknown';
      throw error;
    }
  }

  /** The hosts as the configuration and the hosts file have them now; one that has not changed is kept. */
  #refresh(): LinuxHost[] {
    const machines = new Map<string, Known>();
    for (const entry of this.#hosts.read()) {
      const stamp = JSON.stringify(entry);
      const known = this.#machines.get(entry.name);
      machines.set(entry.name, known?.stamp === stamp ? known : { stamp, machine: this.#create(entry) });
    }
    for (const [name, { machine }] of this.#machines) if (machines.get(name)?.machine !== machine) machine.close();
    this.#machines = machines;
    return [...machines.values()].map(({ machine }) => machine);
  }

  #create(entry: Entry): LinuxHost {
    const options = this.#options;
    const { log } = this.#host;
    const { pinger } = this.#lease;
    const settings = hostSettings(entry, options);
    const place = { ...entry, address: settings.address };
    const { witness } = options;
    return new LinuxHost({
      power: new HostPower(settings, { pinger, log }),
      session: openSession(options, place, this.#jump),
      commands: this.#commands,
      rights: () => rightsOf(options, place.user ?? options.user),
      sshPort: this.#jump === undefined ? place['ssh-port'] ?? options['ssh-port'] : undefined,
      commandTimeout: options['command-timeout'],
      witness: witness === undefined ? undefined : async (signal) => (await pinger.ping(witness, { signal })).alive,
      log,
    });
  }
}

async function labelledLog(machine: LinuxHost, signal: AbortSignal): Promise<string> {
  const text = await within(LOG_TIMEOUT_MS, [signal], (limit) => machine.kernelLog(limit)).catch((error: unknown) => {
    signal.throwIfAborted();
    return isAbort(error) ? 'UNREACHABLE: no answer' : toArgoError(error).message;
  });
  return text.trimEnd().split('\n').map((line) => `${machine.name}: ${line}`).join('\n');
}
