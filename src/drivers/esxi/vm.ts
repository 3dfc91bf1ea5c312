import { ArgoError } from '../../kit/errors.js';
import { beforeSending } from '../../kit/within.js';
import type { Autostart, Consoles, Disk, Facts, Load, Machine, PowerState } from '../driver.js';
import { readAutostart, setAutostart } from './autostart.js';
import { consolesOf } from './consoles.js';
import type { Context } from './context.js';
import { objectName, refuseAnother, vmId, type Item } from './items.js';
import { askGuest, powerOn, powerTask } from './power.js';
import * as readings from './readings.js';

/** A virtual machine of vSphere. A class, so that of thousands each costs but its own fields. */
export class Vm implements Machine {
  readonly type = 'vm';
  readonly id: string;
  readonly name: string;
  readonly #context: Context;
  readonly #item: Item;

  constructor(context: Context, item: Item) {
    this.#context = context;
    this.#item = item;
    this.id = vmId(item);
    this.name = objectName(item);
  }

  status(signal: AbortSignal): Promise<PowerState> {
    return this.#read(readings.readState, signal);
  }

  start(signal: AbortSignal): Promise<void> {
    return this.#unlessGone(powerOn, signal);
  }

  shutdown(signal: AbortSignal): Promise<void> {
    return this.#unlessGone((context, item) => askGuest(context, item, 'ShutdownGuest', signal), signal);
  }

  powerOff(signal: AbortSignal): Promise<void> {
    return this.#unlessGone((context, item) => powerTask(context, item, 'PowerOffVM_Task', 'poweredOff', signal), signal);
  }

  reboot(signal: AbortSignal): Promise<void> {
    return this.#unlessGone((context, item) => askGuest(context, item, 'RebootGuest', signal), signal);
  }

  reset(signal: AbortSignal): Promise<void> {
    return this.#unlessGone(async (context, item) => {
      await powerTask(context, item, 'ResetVM_Task', undefined, signal);
      item.boots += 1;
    }, signal);
  }

  suspend(signal: AbortSignal): Promise<void> {
    return this.#unlessGone((context, item) => powerTask(context, item, 'SuspendVM_Task', 'suspended', signal), signal);
  }

  resume(signal: AbortSignal): Promise<void> {
    return this.#unlessGone(async (context, item) => {
      if (await beforeSending(signal, () => readings.readState(context, item, this.id, signal)) !== 'suspended') throw new ArgoError('WRONG STATE', 'it is not suspended');
      await powerOn(context, item, signal);
    }, signal);
  }

  get console(): Consoles {
    return consolesOf(this.#context, this.#item, this.id);
  }

  bootMark(signal: AbortSignal): Promise<string> {
    return this.#read(readings.readBootMark, signal);
  }

  get autostart(): Autostart {
    return {
      read: (signal) => this.#read(readAutostart, signal),
      set: (isOn, signal) => this.#unlessGone((context, item) => setAutostart(context, item, this.id, isOn, signal), signal),
    };
  }

  info(signal: AbortSignal): Promise<Facts> {
    return this.#read(readings.readFacts, signal);
  }

  ip(signal: AbortSignal): Promise<string[]> {
    return this.#read(readings.readIps, signal);
  }

  async mac(signal: AbortSignal): Promise<readonly string[]> {
    return (await this.#read(readings.readDevices, signal)).macs;
  }

  async disk(signal: AbortSignal): Promise<readonly Disk[]> {
    return (await this.#read(readings.readDevices, signal)).disks;
  }

  uptime(signal: AbortSignal): Promise<number> {
    return this.#read(readings.readUptime, signal);
  }

  load(signal: AbortSignal): Promise<Load> {
    return this.#read(readings.readLoad, signal);
  }

  rx(signal: AbortSignal): Promise<bigint> {
    return this.#read((context, item, id) => readings.readTraffic(context, item, id, 'rx', signal), signal);
  }

  tx(signal: AbortSignal): Promise<bigint> {
    return this.#read((context, item, id) => readings.readTraffic(context, item, id, 'tx', signal), signal);
  }

  #read<T>(reading: (context: Context, item: Item, id: string, signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    return this.#unlessGone((context, item) => reading(context, item, this.id, signal), signal);
  }

  /** A machine that is another one, or none any more, without a word of its server is looked at anew. */
  async #unlessGone<T>(work: (context: Context, item: Item, signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      refuseAnother(vmId(this.#item), this.id);
      return await work(this.#context, this.#item, signal);
    } catch (error) {
      if (error instanceof ArgoError && error.phrase === 'NO SUCH INSTANCE') void this.#context.inventory.doubt(this.#item);
      throw error;
    }
  }
}
