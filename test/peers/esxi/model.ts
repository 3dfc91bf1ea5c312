import { randomUUID } from 'node:crypto';
import type { EsxiVersion } from './printing.js';

export type VmState = 'poweredOn' | 'poweredOff' | 'suspended';

/** A virtual machine of the simulated ESXi. */
export interface Vm {
  readonly vmid: number;
  name: string;
  /** `[datastore] folder/file.vmx` */
  file: string;
  guestId: string;
  hardware: string;
  annotation: string;
  uuid: string;
  state: VmState;
  /** whether VMware Tools runs while the machine does */
  tools: boolean;
  hostName: string | undefined;
  ips: readonly string[];
  mac: string;
  template: boolean;
  connection: 'connected' | 'inaccessible' | 'invalid' | 'orphaned';
  /** what it asks at its next start, before it goes on */
  asks: string | undefined;
  /** what it waits for an answer to */
  question: string | undefined;
  /** a guest that hears of a shutdown and does nothing */
  deaf: boolean;
  /** in the list of those that the kernel runs only */
  unregistered: boolean;
  /** of its last start, of the clock of Date.now() */
  since: number;
  /** resets and clean reboots that it went through */
  boots: number;
}

/** What a test may have the ESXi do instead of an answer to a command. */
export interface Fault {
  /** the commands that it befalls */
  readonly on: RegExp;
  /**
   * `hang`: no answer ever. `flood`: megabytes. `cut`: half of the answer, then the connection is gone.
   * `killed`: half of the answer, then the program is gone.
   * `lost`: the command is carried out, then the connection is gone without an answer.
   * Or these words, with exit code 1, instead of the command. `lie`: the command is carried out and
   * said to have failed.
   */
  readonly does: 'hang' | 'flood' | 'cut' | 'killed' | 'lost' | 'lie' | { readonly says: string };
  /** how many commands; without it, all */
  times?: number;
}

/** The state of a simulated free ESXi host. */
export class EsxiModel {
  readonly vms: Vm[] = [];
  readonly faults: Fault[] = [];
  /** every command that came, in order */
  readonly commands: string[] = [];
  maintenance = false;
  /** when it was booted, of the clock of Date.now() */
  booted = Date.now() - 86_400_000;
  /** what was ordered of the host, once it was accepted */
  goingDown: 'poweroff' | 'reboot' | undefined;
  /** called when the host is to go down */
  onDown: (way: 'poweroff' | 'reboot', delaySeconds: number) => void = () => undefined;
  /** called before each command is carried out: a machine may vanish just then */
  before: (command: string) => void = () => undefined;
  /** milliseconds from a clean shutdown's acceptance to the end */
  shutdownTime = 150;
  /** milliseconds for which VMware Tools is gone in a clean reboot */
  rebootTime = 0;

  constructor(readonly version: EsxiVersion) {}

  /** Registers a machine; what is not given is as usual. */
  add(name: string, given: Partial<Vm> = {}): Vm {
    const vmid = given.vmid ?? 1 + Math.max(0, ...this.vms.map((other) => other.vmid));
    const vm: Vm = {
      vmid, name, file: `[datastore1] ${name}/${name}.vmx`, guestId: 'debian10_64Guest', hardware: 'vmx-13', annotation: '', uuid: `564d${randomUUID().slice(4)}`,
      state: 'poweredOff', tools: true, hostName: name, ips: [`192.0.2.${vmid % 250}`, 'fe80::20c:29ff:fe62:e86d'],
      mac: `00:0C:29:00:00:${(vmid % 256).toString(16).padStart(2, '0')}`, template: false, connection: 'connected', asks: undefined, question: undefined,
      deaf: false, unregistered: false, since: Date.now(), boots: 0, ...given,
    };
    this.vms.push(vm);
    return vm;
  }

  get(name: string): Vm {
    const vm = this.vms.find((candidate) => candidate.name === name);
    if (!vm) throw new Error(`no machine ${name}`);
    return vm;
  }

  remove(name: string): void {
    this.vms.splice(this.vms.indexOf(this.get(name)), 1);
  }

  byId(vmid: number): Vm | undefined {
    return this.vms.find((vm) => vm.vmid === vmid && !vm.unregistered);
  }

  /** The fault that befalls a command, used up by this. */
  faultFor(command: string): Fault['does'] | undefined {
    const fault = this.faults.find(({ on, times }) => times !== 0 && on.test(command));
    if (fault?.times !== undefined) fault.times -= 1;
    return fault?.does;
  }

  /** Boots a machine anew as its guest would. */
  rebooted(vm: Vm): void {
    vm.boots += 1;
    if (this.rebootTime === 0) return;
    vm.tools = false;
    setTimeout(() => { vm.tools = true; }, this.rebootTime).unref();
  }

  /** Ends a machine as its guest or its user would. */
  stopped(vm: Vm): void {
    vm.state = 'poweredOff';
  }
}
