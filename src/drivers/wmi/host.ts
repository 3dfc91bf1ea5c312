import type { Disk, Facts, Load, Machine, PowerState } from '../driver.js';
import type { HostPower } from '../host/power.js';
import { BootMarks } from './boot-marks.js';
import { orderHost, type HostOrder, type Pace } from './power.js';
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
  /** of the look at what an order has come to whose answer was lost */
  readonly pace?: Pace | undefined;
}

/** A host with Windows: seen by ping, started by Wake-on-LAN, everything else through WMI. */
export class WindowsHost implements Machine {
  readonly id: string;
  readonly name: string;
  readonly type = 'host';
  readonly start?: (signal: AbortSignal) => Promise<void>;
  readonly #parts: WindowsHostParts;
  readonly #boots = new BootMarks(BOOT_SLACK_MS);

  constructor(parts: WindowsHostParts) {
    const { id, power } = parts;
    this.id = id;
    this.name = power.host.name;
    this.#parts = parts;
    if (power.canWake) this.start = (signal) => power.wake(signal);
  }

  status(signal: AbortSignal): Promise<PowerState> {
    return this.#parts.power.status(signal);
  }

  /** As {@link status}, for a listing: questions of people go first. */
  look(signal: AbortSignal): Promise<PowerState> {
    return this.#parts.power.status(signal, { background: true });
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
    return this.#boots.see({ written, uptime, asked, answered: performance.now() });
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

  #order(order: HostOrder, signal: AbortSignal): Promise<void> {
    const { control: link, pace, power } = this.#parts;
    const context = {
      link, pace,
      bootMark: (within: AbortSignal) => this.bootMark(within),
      isOff: async (within: AbortSignal) => await power.status(within) === 'off',
    };
    return power.goDown(() => orderHost(context, order, signal));
  }
}
