import type { Autostart, Consoles, Disk, Facts, Load, Machine, PowerState } from '../driver.js';
import { setAutostart } from './autostart.js';
import { consolesOf } from './consoles.js';
import type { PoolContext } from './context.js';
import * as power from './power.js';
import * as readings from './readings.js';

/**
 * A virtual machine. It is found by its uuid for as long as it exists. A class, so that of thousands
 * each costs but its own fields.
 */
export class Vm implements Machine {
  readonly type = 'vm';
  readonly #context: PoolContext;

  /** @param id its uuid */
  constructor(context: PoolContext, readonly id: string, readonly name: string) {
    this.#context = context;
  }

  status(signal: AbortSignal): Promise<PowerState> {
    return readings.readState(this.#context, this.id, signal);
  }

  start(signal: AbortSignal): Promise<void> {
    return power.start(this.#context, this.id, signal);
  }

  shutdown(signal: AbortSignal): Promise<void> {
    return power.shutdown(this.#context, this.id, signal);
  }

  powerOff(signal: AbortSignal): Promise<void> {
    return power.powerOff(this.#context, this.id, signal);
  }

  reboot(signal: AbortSignal): Promise<void> {
    return power.reboot(this.#context, this.id, signal);
  }

  reset(signal: AbortSignal): Promise<void> {
    return power.reset(this.#context, this.id, signal);
  }

  pause(signal: AbortSignal): Promise<void> {
    return power.pause(this.#context, this.id, signal);
  }

  unpause(signal: AbortSignal): Promise<void> {
    return power.unpause(this.#context, this.id, signal);
  }

  suspend(signal: AbortSignal): Promise<void> {
    return power.suspend(this.#context, this.id, signal);
  }

  resume(signal: AbortSignal): Promise<void> {
    return power.resume(this.#context, this.id, signal);
  }

  get autostart(): Autostart {
    return {
      read: (signal) => readings.readAutostart(this.#context, this.id, signal),
      set: (isOn, signal) => setAutostart(this.#context, this.id, isOn, signal),
    };
  }

  get console(): Consoles {
    return consolesOf(this.#context, this.id);
  }

  get bootMarkLasts(): true {
    return true;
  }

  bootMark(signal: AbortSignal): Promise<string> {
    return readings.readBootMark(this.#context, this.id, signal);
  }

  info(signal: AbortSignal): Promise<Facts> {
    return readings.readFacts(this.#context, this.id, signal);
  }

  ip(signal: AbortSignal): Promise<string[]> {
    return readings.readAddresses(this.#context, this.id, signal);
  }

  mac(signal: AbortSignal): Promise<string[]> {
    return readings.readMacs(this.#context, this.id, signal);
  }

  uptime(signal: AbortSignal): Promise<number> {
    return readings.readUptime(this.#context, this.id, signal);
  }

  rx(signal: AbortSignal): Promise<bigint> {
    return readings.readRx(this.#context, this.id, signal);
  }

  tx(signal: AbortSignal): Promise<bigint> {
    return readings.readTx(this.#context, this.id, signal);
  }

  load(signal: AbortSignal): Promise<Load> {
    return readings.readLoad(this.#context, this.id, signal);
  }

  disk(signal: AbortSignal): Promise<Disk[]> {
    return readings.readDisks(this.#context, this.id, signal);
  }
}
