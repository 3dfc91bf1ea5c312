import type { Driver, DriverHost, Machine, Sighting, Sightings } from '../driver.js';
import { withBoard } from '../host/board.js';
import { boardOf } from '../host/boards.js';
import { singleHostSettings, type SingleHostOptions } from '../host/options.js';
import { HostPower, leasePinger, type PingerLease } from '../host/power.js';
import { listSilentHypervisor } from '../host/roster.js';
import type { WmiLink } from '../wmi/link.js';
import { linkTo, loginGuard, serviceSign, warnOfOpenness } from '../wmi/open-link.js';
import { WindowsHost } from '../wmi/host.js';
import type { WmiOptions } from '../wmi/options.js';
import { HyperVContext } from './context.js';
import type { VmEntry } from './inventory.js';
import { Vm } from './vm.js';

/** The id of the host among its provider's machines: no GUID. */
const HOST_ID = 'host';

/** As index.ts reads them. */
export interface HyperVOptions extends WmiOptions, SingleHostOptions {
  readonly 'close-programs': boolean;
}

/** The ways to a host, for orders and for readings. */
export interface HyperVLinks {
  readonly control: WmiLink;
  readonly readings: WmiLink;
}

/** A Hyper-V host and its virtual machines. */
export class HyperVDriver implements Driver {
  readonly #context: HyperVContext;
  readonly #machine: WindowsHost;
  readonly #lease: PingerLease;
  #vms = new Map<string, Vm>();
  #hasListed = false;
  readonly #host: DriverHost;

  constructor(options: HyperVOptions, host: DriverHost, links: HyperVLinks = linksTo(options, host)) {
    this.#host = host;
    warnOfOpenness(options, host.log);
    this.#lease = leasePinger(host.log);
    const power = new HostPower(singleHostSettings(host.name, options), { pinger: this.#lease.pinger, log: host.log, ...serviceSign(options, options.address) });
    this.#machine = withBoard(new WindowsHost({ id: HOST_ID, power, ...links }), boardOf(power, host.log, true));
    this.#context = new HyperVContext({ ...links, host, closesPrograms: options['close-programs'] });
  }

  async list(signal: AbortSignal): Promise<Sightings> {
    try {
      const entries = await this.#context.use('reads', () => this.#context.inventory.list(signal));
      this.#hasListed = true;
      // The host that has just answered us needs no ping.
      return [{ machine: this.#machine, state: 'on' }, ...this.#sightings(entries)];
    } catch (error) {
      signal.throwIfAborted();
      const state = await this.#machine.look(signal).catch(() => 'unknown' as const);
      const hasListed = this.#hasListed;
      this.#hasListed = true;
      return listSilentHypervisor({ machine: this.#machine, state, guests: [...this.#vms.values()], hasListed }, this.#host, error as Error);
    }
  }

  async close(): Promise<void> {
    this.#lease.release();
    await this.#machine.close();
  }

  /** Machines that stay keep their objects, and with them what is known of their boots. */
  #sightings(entries: readonly VmEntry[]): Sighting[] {
    const before = this.#vms;
    this.#vms = new Map(entries.map(({ id, name }) => {
      const known = before.get(id);
      return [id, known?.name === name ? known : new Vm(this.#context, id, name)];
    }));
    return entries.map(({ id, state }) => ({ machine: this.#vms.get(id) as Machine, state }));
  }
}

/** Two connections: a reading that takes seconds must not delay orders. Both log in with one account. */
function linksTo(options: HyperVOptions, { log }: DriverHost): HyperVLinks {
  const guard = loginGuard(options, options.address, log);
  return { control: linkTo(options, options.address, guard), readings: linkTo(options, options.address, guard) };
}
