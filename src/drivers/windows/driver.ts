import type { Lockout } from '../../kit/lockout.js';
import type { Driver, DriverHost, Sighting } from '../driver.js';
import { withBoard } from '../host/board.js';
import { boardOf } from '../host/boards.js';
import { HostFleet } from '../host/fleet.js';
import { hostSettings, type HostEntry, type SharedOptions } from '../host/options.js';
import { HostPower, leasePinger, type PingerLease } from '../host/power.js';
import { linkTo, loginGuard, serviceSign, warnOfOpenness } from '../wmi/open-link.js';
import { isDomainAccount, type WmiOptions } from '../wmi/options.js';
import { WindowsHost } from '../wmi/host.js';
import type { Suspension } from '../wmi/power.js';

/** What a host may be said to have of its own. */
type Entry = HostEntry & Partial<Pick<WmiOptions, 'fingerprint' | 'kerberos'>>;

/** As index.ts reads them. */
export interface WindowsOptions extends WmiOptions, SharedOptions {
  readonly hosts: readonly Entry[];
  readonly 'hosts-file'?: string | undefined;
  readonly suspend?: Suspension | undefined;
}

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
    const { fingerprint = this.#options.fingerprint, kerberos = this.#options.kerberos } = entry;
    const given = { ...this.#options, fingerprint, kerberos };
    const link = linkTo(given, settings.address, this.#guard ?? loginGuard(this.#options, settings.address, log));
    const power = new HostPower(settings, { pinger: this.#lease.pinger, log, ...serviceSign(given, settings.address) });
    const own = new WindowsHost({ id: settings.name, power, control: link, readings: link, suspension: this.#options.suspend });
    return withBoard(own, boardOf(power, log, true));
  }
}
