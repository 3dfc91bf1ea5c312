import type { Lockout } from '../../kit/lockout.js';
import type { Driver, DriverHost, Sighting } from '../driver.js';
import { HostFleet } from '../host/fleet.js';
import { hostSettings, type HostEntry } from '../host/options.js';
import { HostPower } from '../host/power.js';
import { leasePinger, type PingerLease } from '../host/shared-pinger.js';
import { linkTo, loginGuard, serviceSign } from '../wmi/open-link.js';
import { isDomainAccount } from '../wmi/options.js';
import { warnOfOpenness } from '../wmi/transport.js';
import { WindowsHost } from '../wmi/host.js';
import type { WindowsOptions } from './options.js';

/** What a host may be said to have of its own. */
type Entry = HostEntry & Pick<WindowsOptions['hosts'][number], 'fingerprint'>;

/** Hosts with Windows, one or many, by ping, WMI and Wake-on-LAN. */
export class WindowsDriver implements Driver {
  readonly #fleet: HostFleet<Entry, WindowsHost>;
  readonly #lease: PingerLease;
  /** of the account that all hosts share; each has its own where the account is the host's */
  readonly #guard: Lockout | undefined;
  readonly #options: WindowsOptions;
  readonly #host: DriverHost;

  constructor(options: WindowsOptions, host: DriverHost) {
    this.#options = options;
    this.#host = host;
    const { log } = host;
    warnOfOpenness(options, log);
    this.#fleet = new HostFleet<Entry, WindowsHost>(options, host, (entry) => this.#create(entry));
    this.#lease = leasePinger(log);
    this.#guard = isDomainAccount(options) ? loginGuard(options, '', log) : undefined;
  }

  list(): Promise<readonly Sighting[]> {
    return this.#fleet.list();
  }

  async close(): Promise<void> {
    this.#lease.release();
    await this.#fleet.close();
  }

  #create(entry: Entry): WindowsHost {
    const { log } = this.#host;
    const settings = hostSettings(entry, this.#options);
    const { fingerprint = this.#options.fingerprint } = entry;
    const given = { ...this.#options, fingerprint };
    const link = linkTo(given, settings.address, this.#guard ?? loginGuard(this.#options, settings.address, log));
    const power = new HostPower(settings, { pinger: this.#lease.pinger, log, ...serviceSign(given, settings.address) });
    return new WindowsHost({ id: settings.name, power, control: link, readings: link });
  }
}
