import type { Disk, Facts, Load, Machine, PowerState } from '../driver.js';
import { BootMarks } from '../wmi/boot-marks.js';
import type { HyperVContext } from './context.js';
import * as actions from './power.js';
import * as reads from './readings.js';

/** Hyper-V counts in milliseconds. */
const BOOT_SLACK_MS = 250;

/** A virtual machine of Hyper-V. A class, so that of thousands each costs but its own fields. */
export class Vm implements Machine {
  readonly type = 'vm';
  #boots: BootMarks | undefined;
  readonly #context: HyperVContext;

  /** @param id its GUID */
  constructor(context: HyperVContext, readonly id: string, readonly name: string) {
    this.#context = context;
  }

  status(signal: AbortSignal): Promise<PowerState> {
    return this.#context.use('reads', () => this.#context.inventory.state(this.id, signal));
  }

  start(signal: AbortSignal): Promise<void> {
    return actions.start(this.#context, this.id, signal);
  }

  shutdown(signal: AbortSignal): Promise<void> {
    return actions.shutdown(this.#context, this.id, signal);
  }

  powerOff(signal: AbortSignal): Promise<void> {
    return actions.powerOff(this.#context, this.id, signal);
  }

  reboot(signal: AbortSignal): Promise<void> {
    return actions.reboot(this.#context, this.id, signal);
  }

  reset(signal: AbortSignal): Promise<void> {
    return actions.reset(this.#context, this.id, signal);
  }

  pause(signal: AbortSignal): Promise<void> {
    return actions.pause(this.#context, this.id, signal);
  }

  unpause(signal: AbortSignal): Promise<void> {
    return actions.unpause(this.#context, this.id, signal);
  }

  suspend(signal: AbortSignal): Promise<void> {
    return actions.suspend(this.#context, this.id, signal);
  }

  resume(signal: AbortSignal): Promise<void> {
    return actions.resume(this.#context, this.id, signal);
  }

  async bootMark(signal: AbortSignal): Promise<string> {
    const asked = performance.now();
    const uptime = await reads.readUptime(this.#context, this.id, signal);
    this.#boots ??= new BootMarks(BOOT_SLACK_MS);
    return this.#boots.see({ uptime, asked, answered: performance.now() });
  }

  info(signal: AbortSignal): Promise<Facts> {
    return reads.readFacts(this.#context, this.id, signal);
  }

  ip(signal: AbortSignal): Promise<string[]> {
    return reads.readAddresses(this.#context, this.id, signal);
  }

  mac(signal: AbortSignal): Promise<string[]> {
    return reads.readMacs(this.#context, this.id, signal);
  }

  async uptime(signal: AbortSignal): Promise<number> {
    return await reads.readUptime(this.#context, this.id, signal) / 1000;
  }

  load(signal: AbortSignal): Promise<Load> {
    return reads.readLoad(this.#context, this.id, signal);
  }

  disk(signal: AbortSignal): Promise<Disk[]> {
    return reads.readDisks(this.#context, this.id, signal);
  }
}
