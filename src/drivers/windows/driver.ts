import { ArgoError } from '../../kit/errors.js';
import type { Lockout } from '../../kit/lockout.js';
import type { Driver, DriverHost, Sighting } from '../driver.js';
import { withBoard } from '../host/board.js';
import { boardOf } from '../host/boards.js';
import { HostList, warnOfSharedMacs } from '../host/hosts.js';
import { hostSettings, type HostEntry } from '../host/options.js';
import { HostPower } from '../host/power.js';
import { leasePinger, type PingerLease } from '../host/shared-pinger.js';
import { Sightings } from '../host/sightings.js';
import { linkTo, loginGuard, serviceSign } from '../wmi/open-link.js';
import { isDomainAccount } from '../wmi/options.js';
import { warnOfOpenness } from '../wmi/transport.js';
import { WindowsHost } from '../wmi/host.js';
import type { WindowsOptions } from './options.js';

/** What a host may be said to have of its own. */
type Entry = HostEntry & Pick<WindowsOptions['hosts'][number], 'fingerprint'>;

/** A host with what the configuration said of it when it was made. */
interface Known {
  readonly stamp: string;
  readonly machine: WindowsHost;
}

/** Hosts with Windows, one or many, by ping, WMI and Wake-on-LAN. */
export class WindowsDriver implements Driver {
  readonly #hosts: HostList<Entry>;
  readonly #lease: PingerLease;
  readonly #sightings: Sightings;
  /** of the account that all hosts share; each has its own where the account is the host's */
  readonly #guard: Lockout | undefined;
  /** by name */
  #machines = new Map<string, Known>();
  /** what was said of hosts that are left out */
  #refused = new Set<string>();
  readonly #options: WindowsOptions;
  readonly #host: DriverHost;

  constructor(options: WindowsOptions, host: DriverHost) {
    this.#options = options;
    this.#host = host;
    const { log } = host;
    warnOfOpenness(options, log);
    warnOfSharedMacs(options.hosts, log);
    this.#hosts = new HostList<Entry>(options.hosts, options['hosts-file'], log);
    this.#lease = leasePinger(log);
    this.#sightings = new Sightings(host);
    this.#guard = isDomainAccount(options) ? loginGuard(options, '', log) : undefined;
  }

  // Hosts are known at once from the configuration: one that is silent must not hide its neighbours.
  async list(): Promise<readonly Sighting[]> {
    return this.#sightings.list(await this.#refresh());
  }

  async close(): Promise<void> {
    this.#sightings.close();
    const machines = [...this.#machines.values()];
    this.#machines.clear();
    this.#lease.release();
    await Promise.all(machines.map(({ machine }) => machine.close()));
  }

  /** The hosts as the configuration and the hosts file have them now; one that has not changed is kept. */
  async #refresh(): Promise<WindowsHost[]> {
    const before = this.#machines;
    const told = this.#refused;
    this.#refused = new Set();
    this.#machines = new Map(this.#hosts.read().flatMap((entry: Entry) => {
      const stamp = JSON.stringify(entry);
      const known = before.get(entry.name);
      const machine = known?.stamp === stamp ? known.machine : this.#tryCreate(entry, stamp, told);
      return machine ? [[entry.name, known?.machine === machine ? known : { stamp, machine }]] : [];
    }));
    const gone = [...before].filter(([name, known]) => this.#machines.get(name) !== known);
    await Promise.all(gone.map(([, { machine }]) => machine.close()));
    return [...this.#machines.values()].map(({ machine }) => machine);
  }

  /** @returns undefined for a host that there cannot be, which is told once: the others are there all the same */
  #tryCreate(entry: Entry, stamp: string, told: ReadonlySet<string>): WindowsHost | undefined {
    try {
      return this.#create(entry);
    } catch (error) {
      if (!(error instanceof ArgoError)) throw error;
      this.#refused.add(stamp);
      if (!told.has(stamp)) this.#host.log('warn', 'a host is left out', { host: entry.name, reason: error.detail });
      return undefined;
    }
  }

  #create(entry: Entry): WindowsHost {
    const { log } = this.#host;
    const settings = hostSettings(entry, this.#options);
    const { fingerprint = this.#options.fingerprint } = entry;
    const given = { ...this.#options, fingerprint };
    const link = linkTo(given, settings.address, this.#guard ?? loginGuard(this.#options, settings.address, log));
    const power = new HostPower(settings, { pinger: this.#lease.pinger, log, ...serviceSign(given, settings.address) });
    return withBoard(new WindowsHost({ id: settings.name, power, control: link, readings: link }), boardOf(power, log, true));
  }
}
