import type { Autostart, Disk, Facts, Load, Machine, PowerState } from '../driver.js';
import { BootMarks } from '../wmi/readings.js';
import { setAutostart } from './autostart.js';
import type { Cluster } from './cluster.js';
import * as actions from './power.js';
import * as reads from './readings.js';

/** Hyper-V counts in milliseconds. */
const BOOT_SLACK_MS = 250;

/** A virtual machine of Hyper-V. A class, so that of thousands each costs but its own fields. */
export class Vm implements Machine {
  readonly type = 'vm';
  #boots: BootMarks | undefined;
  readonly #cluster: Cluster;

  /** @param id its GUID */
  constructor(cluster: Cluster, readonly id: string, readonly name: string) {
    this.#cluster = cluster;
  }

  status(signal: AbortSignal): Promise<PowerState> {
    return this.#cluster.state(this.id, signal);
  }

  start(signal: AbortSignal): Promise<void> {
    return this.#cluster.order(this.id, signal, actions.start);
  }

  shutdown(signal: AbortSignal): Promise<void> {
    return this.#cluster.order(this.id, signal, actions.shutdown);
  }

  powerOff(signal: AbortSignal): Promise<void> {
    return this.#cluster.order(this.id, signal, actions.powerOff);
  }

  reboot(signal: AbortSignal): Promise<void> {
    return this.#cluster.order(this.id, signal, actions.reboot);
  }

  reset(signal: AbortSignal): Promise<void> {
    return this.#cluster.order(this.id, signal, actions.reset);
  }

  pause(signal: AbortSignal): Promise<void> {
    return this.#cluster.order(this.id, signal, actions.pause);
  }

  unpause(signal: AbortSignal): Promise<void> {
    return this.#cluster.order(this.id, signal, actions.unpause);
  }

  suspend(signal: AbortSignal): Promise<void> {
    return this.#cluster.order(this.id, signal, actions.suspend);
  }

  resume(signal: AbortSignal): Promise<void> {
    return this.#cluster.order(this.id, signal, actions.resume);
  }

  get autostart(): Autostart {
    return {
      read: (signal) => this.#read(reads.readAutostart, signal),
      set: (isOn, signal) => this.#cluster.order(this.id, signal, setAutostart(isOn)),
    };
  }

  bootMark(signal: AbortSignal): Promise<string> {
    return this.#cluster.read(this.id, signal, async (context) => {
      const asked = performance.now();
      const uptime = await reads.readUptime(context, this.id, signal);
      this.#boots ??= new BootMarks(BOOT_SLACK_MS);
      return this.#boots.record({ uptime, asked, answered: performance.now(), carrier: context });
    });
  }

  async info(signal: AbortSignal): Promise<Facts> {
    const facts = await this.#read(reads.readFacts, signal);
    const host = this.#cluster.lastNode(this.id);
    return { ...facts, ...(host !== undefined && { host }) };
  }

  ip(signal: AbortSignal): Promise<string[]> {
    return this.#read(reads.readAddresses, signal);
  }

  mac(signal: AbortSignal): Promise<string[]> {
    return this.#read(reads.readMacs, signal);
  }

  async uptime(signal: AbortSignal): Promise<number> {
    return await this.#read(reads.readUptime, signal) / 1000;
  }

  load(signal: AbortSignal): Promise<Load> {
    return this.#read(reads.readLoad, signal);
  }

  disk(signal: AbortSignal): Promise<Disk[]> {
    return this.#read(reads.readDisks, signal);
  }

  #read<T>(read: reads.Read<T>, signal: AbortSignal): Promise<T> {
    return this.#cluster.read(this.id, signal, (context) => read(context, this.id, signal));
  }
}
