import type { Disk, Facts, Load, Machine, PowerState } from '../driver.js';
import type { HostPower } from '../host/power.js';
import { BootMarks } from './readings.js';
import { orderHost, suspendHost, type HostOrder, type OrderContext, type Pace, type Suspension } from './power.js';
import * as readings from './readings.js';
import type { WmiLink } from './link.js';

/** Windows may tell its times in whole seconds, ms. */
const BOOT_SLACK_MS = 1000;

export interface WindowsHostParts {
  readonly id: string;
  readonly power: HostPower;
  /** for orders */
  readonly control: WmiLink;
  /** for what may take its time; may be the same */
  readonly readings: WmiLink;
  /** how it is put to rest; undefined where it must not be */
  readonly suspension?: Suspension | undefined;
  /** of the look at what an order has come to whose answer was lost */
  readonly pace?: Pace | undefined;
}

/** A host with Windows: seen by ping, started by Wake-on-LAN, everything else through WMI. */
export class WindowsHost implements Machine {
  readonly id: string;
  readonly name: string;
  readonly type = 'host';
  readonly start?: (signal: AbortSignal) => Promise<void>;
  readonly suspend?: (signal: AbortSignal) => Promise<void>;
  readonly resume?: (signal: AbortSignal) => Promise<void>;
  readonly #parts: WindowsHostParts;
  /** we have put it to rest, and nothing has been heard of it since */
  #isSuspended = false;
  readonly #boots = new BootMarks(BOOT_SLACK_MS);

  constructor(parts: WindowsHostParts) {
    const { id, power, suspension } = parts;
    this.id = id;
    this.name = power.host.name;
    this.#parts = parts;
    if (power.canWake) this.start = (signal) => power.wake(signal);
    if (suspension === undefined) return;
    this.suspend = (signal) => this.#suspend(suspension, signal);
    if (this.start) this.resume = this.start;
  }

  status(signal: AbortSignal): Promise<PowerState> {
    return this.#status(signal);
  }

  /** As {@link status}, for a listing: questions of people go first. */
  look(signal: AbortSignal): Promise<PowerState> {
    return this.#status(signal, { background: true });
  }

  shutdown(signal: AbortSignal): Promise<void> {
    return this.#order('shutdown', signal);
  }

  powerOff(signal: AbortSignal): Promise<void> {
    return this.#order('powerOff', signal);
  }

  reboot(signal: AbortSignal): Promise<void> {
    return this.#order('reboot', signal);
  }

  reset(signal: AbortSignal): Promise<void> {
    return this.#order('reset', signal);
  }

  async bootMark(signal: AbortSignal): Promise<string> {
    const asked = performance.now();
    const { written, uptime } = await readings.readBoot(this.#parts.control, signal);
    return this.#boots.record({ written, uptime, asked, answered: performance.now() });
  }

  info(signal: AbortSignal): Promise<Facts> {
    return readings.readFacts(this.#parts.readings, signal);
  }

  ip(signal: AbortSignal): Promise<string[]> {
    return readings.readAddresses(this.#parts.readings, signal);
  }

  mac(signal: AbortSignal): Promise<string[]> {
    return readings.readMacs(this.#parts.readings, signal);
  }

  async uptime(signal: AbortSignal): Promise<number> {
    return (await readings.readBoot(this.#parts.control, signal)).uptime / 1000;
  }

  rx(signal: AbortSignal): Promise<bigint> {
    return readings.readTraffic(this.#parts.readings, 'Received', signal);
  }

  tx(signal: AbortSignal): Promise<bigint> {
    return readings.readTraffic(this.#parts.readings, 'Sent', signal);
  }

  load(signal: AbortSignal): Promise<Load> {
    return readings.readLoad(this.#parts.readings, signal);
  }

  disk(signal: AbortSignal): Promise<Disk[]> {
    return readings.readDisks(this.#parts.readings, signal);
  }

  /** Ends its connections; they are opened again when they are needed. */
  async close(): Promise<void> {
    await Promise.all([this.#parts.control.close(), this.#parts.readings.close()]);
  }

  /** The network shows a host that sleeps as it shows one that is off; only our own order tells them apart. */
  async #status(signal: AbortSignal, options: { background?: boolean } = {}): Promise<PowerState> {
    const state = await this.#parts.power.status(signal, options);
    if (state === 'on') this.#isSuspended = false;
    return state === 'off' && this.#isSuspended ? 'suspended' : state;
  }

  #order(order: HostOrder, signal: AbortSignal): Promise<void> {
    this.#isSuspended = false;
    return this.#parts.power.goDown(() => orderHost(this.#orderContext(), order, signal));
  }

  async #suspend(suspension: Suspension, signal: AbortSignal): Promise<void> {
    await this.#parts.power.goDown(() => suspendHost(this.#orderContext(), suspension, signal));
    this.#isSuspended = true;
  }

  #orderContext(): OrderContext {
    const { control: link, pace, power } = this.#parts;
    return {
      link, pace,
      bootMark: (within) => this.bootMark(within),
      isOff: async (within) => await power.status(within) === 'off',
    };
  }
}
