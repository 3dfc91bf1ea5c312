import { ArgoError } from '../../kit/errors.js';
import type { Autostart, Consoles, Disk, Facts, Load, Machine, PowerState } from '../driver.js';
import { readAutostart, setAutostart } from './autostart.js';
import { consolesOf } from './consoles.js';
import type { Dom0 } from './context.js';
import * as power from './power.js';
import * as readings from './readings.js';

/** A domain, or the configuration file of one that could be started. */
export class XenMachine implements Machine {
  readonly id: string;
  readonly type = 'vm';
  /** A PV guest finds the request in xenstore whenever it looks; an ACPI button is pressed only once. */
  readonly mayMissShutdown: boolean;
  /** a domain without a configuration file is there only while it runs */
  readonly isOffWhenGone = true;
  readonly bootMarkLasts = true;
  readonly start?: (signal: AbortSignal) => Promise<void>;
  readonly reset?: (signal: AbortSignal) => Promise<void>;
  readonly autostart?: Autostart;
  readonly #dom0: Dom0;

  /** @param name xl's key for a domain too: no two running domains share one, and uuids change from start to start */
  constructor(readonly name: string, dom0: Dom0) {
    this.#dom0 = dom0;
    this.id = name;
    const config = dom0.configs.get(name);
    this.mayMissShutdown = config?.definition.type !== 'pv';
    if (!config) return;
    this.start = (signal) => power.start(dom0, name, signal);
    this.reset = (signal) => power.reset(dom0, name, signal);
    this.autostart = { read: (signal) => readAutostart(dom0, name, signal), set: (isOn, signal) => setAutostart(dom0, name, isOn, signal) };
  }

  async status(signal: AbortSignal): Promise<PowerState> {
    const state = await this.#dom0.steadily(async () => {
      const row = await this.#dom0.find(this.name, signal);
      return this.#dom0.stateFrom(this.name, row, row ? undefined : await this.#dom0.saves.find(this.name));
    });
    if (!state) throw new ArgoError('NO SUCH INSTANCE');
    return state;
  }

  shutdown(signal: AbortSignal): Promise<void> {
    return power.shutdown(this.#dom0, this.name, signal);
  }

  powerOff(signal: AbortSignal): Promise<void> {
    return power.powerOff(this.#dom0, this.name, signal);
  }

  reboot(signal: AbortSignal): Promise<void> {
    return power.reboot(this.#dom0, this.name, signal);
  }

  pause(signal: AbortSignal): Promise<void> {
    return power.pause(this.#dom0, this.name, signal);
  }

  unpause(signal: AbortSignal): Promise<void> {
    return power.unpause(this.#dom0, this.name, signal);
  }

  suspend(signal: AbortSignal): Promise<void> {
    return power.suspend(this.#dom0, this.name, signal);
  }

  resume(signal: AbortSignal): Promise<void> {
    return power.resume(this.#dom0, this.name, signal);
  }

  get console(): Consoles {
    return consolesOf(this.#dom0, this.name);
  }

  bootMark(signal: AbortSignal): Promise<string> {
    return readings.readBootMark(this.#dom0, this.name, signal);
  }

  info(signal: AbortSignal): Promise<Facts> {
    return readings.readFacts(this.#dom0, this.name, signal);
  }

  ip(signal: AbortSignal): Promise<readonly string[]> {
    return readings.readAddresses(this.#dom0, this.name, signal);
  }

  mac(signal: AbortSignal): Promise<readonly string[]> {
    return readings.readMacs(this.#dom0, this.name, signal);
  }

  uptime(signal: AbortSignal): Promise<number> {
    return readings.readUptime(this.#dom0, this.name, signal);
  }

  rx(signal: AbortSignal): Promise<bigint> {
    return readings.readRx(this.#dom0, this.name, signal);
  }

  tx(signal: AbortSignal): Promise<bigint> {
    return readings.readTx(this.#dom0, this.name, signal);
  }

  load(signal: AbortSignal): Promise<Load> {
    return readings.readLoad(this.#dom0, this.name, signal);
  }

  disk(signal: AbortSignal): Promise<readonly Disk[]> {
    return readings.readDisks(this.#dom0, this.name, signal);
  }
}
