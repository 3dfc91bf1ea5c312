import type { Arguments, Properties } from './cim.js';
import { Jobs } from './jobs.js';
import { Vm, type Transition, type VmOptions, type VmState } from './vm.js';

/** What Hyper-V's management service does with virtual machines, in both of its versions. */

export type Version = 'v2' | 'v1';

/** Return codes of Msvm_* methods. */
export const RETURN = {
  ok: 0, job: 4096, failed: 32_768, accessDenied: 32_769, notSupported: 32_770, timeout: 32_772, badParameter: 32_773, inUse: 32_774, badState: 32_775,
  unavailable: 32_777, noMemory: 32_778, notReady: 32_780, locked: 32_781, inProgress: 32_782,
} as const;

interface Order {
  readonly from: readonly VmState[];
  readonly to: VmState;
  readonly by: Transition;
}

const START: Order = { from: ['off', 'saved', 'paused'], to: 'running', by: 'starting' };
const STOP: Order = { from: ['running', 'paused', 'saved'], to: 'off', by: 'stopping' };
const RESET: Order = { from: ['running', 'paused'], to: 'running', by: 'starting' };
const PAUSE: Order = { from: ['running'], to: 'paused', by: 'pausing' };
const SAVE: Order = { from: ['running', 'paused'], to: 'saved', by: 'saving' };

/** By RequestedState (RequestStateChange of Msvm_ComputerSystem, in root\virtualization and its v2). */
const ORDERS: Readonly<Record<Version, ReadonlyMap<number, Order>>> = {
  v2: new Map([[2, START], [3, STOP], [6, SAVE], [9, PAUSE], [11, RESET]]),
  v1: new Map([[2, START], [3, STOP], [10, RESET], [32_768, PAUSE], [32_769, SAVE]]),
};

/** EnabledState of what rests, and of what goes on. */
const STATES: Readonly<Record<Version, Readonly<Record<VmState | Transition, number>>>> = {
  v2: { running: 2, off: 3, saved: 6, paused: 9, starting: 10, stopping: 4, saving: 32_773, pausing: 32_776, resuming: 32_777 },
  v1: { running: 2, off: 3, saved: 32_769, paused: 32_768, starting: 32_770, stopping: 32_774, saving: 32_773, pausing: 32_776, resuming: 32_777 },
};

export interface HyperVOptions {
  readonly version?: Version;
  /** how many there are, as `vm-0`, `vm-1` and so on, all off; or which */
  readonly vms?: number | readonly (string | VmOptions)[];
  /** ms that a job takes, and a guest to shut down */
  readonly jobMs?: number;
  readonly guestMs?: number;
}

export class HyperV {
  readonly version: Version;
  /** as in `root/virtualization/v2` */
  readonly namespace: string;
  readonly jobs: Jobs;
  guestMs: number;
  /** returned by the next calls of a method, instead of what would be right */
  readonly returns = new Map<string, number[]>();
  readonly #vms = new Map<string, Vm>();
  readonly #settling = new Map<string, (isDone: boolean) => void>();
  readonly #guests = new Map<string, NodeJS.Timeout>();
  #created = 0;

  constructor({ version = 'v2', vms = 0, jobMs = 20, guestMs = 40 }: HyperVOptions) {
    this.version = version;
    this.namespace = version === 'v2' ? 'root/virtualization/v2' : 'root/virtualization';
    this.jobs = new Jobs(this.namespace, jobMs);
    this.guestMs = guestMs;
    const wanted = typeof vms === 'number' ? Array.from({ length: vms }, (_, index) => `vm-${index}`) : vms;
    for (const each of wanted) this.add(typeof each === 'string' ? { name: each } : each);
  }

  get vms(): readonly Vm[] {
    return [...this.#vms.values()];
  }

  /** The first with a name, or the one with an id. */
  vm(nameOrId: string): Vm {
    const found = this.#vms.get(nameOrId.toUpperCase()) ?? this.vms.find(({ name }) => name === nameOrId);
    if (!found) throw new Error(`no VM ${nameOrId}`);
    return found;
  }

  find(id: string): Vm | undefined {
    return this.#vms.get(id.toUpperCase());
  }

  add(options: VmOptions): Vm {
    const vm = new Vm(++this.#created, options);
    this.#vms.set(vm.id.toUpperCase(), vm);
    return vm;
  }

  /** Lets another host of its cluster have a VM as it is; what is being done with it ends here. */
  handOver(nameOrId: string, to: HyperV): void {
    const vm = this.vm(nameOrId);
    this.remove(vm.id);
    vm.transition = undefined;
    to.#vms.set(vm.id.toUpperCase(), vm);
  }

  /** Deletes a VM. What is being done with it fails. */
  remove(nameOrId: string): void {
    const { id } = this.vm(nameOrId);
    this.#vms.delete(id.toUpperCase());
    clearTimeout(this.#guests.get(id));
    const settle = this.#settling.get(id);
    if (settle) this.jobs.abandon(settle);
  }

  /** Lets the next calls of a method return a code and do nothing. */
  refuse(method: string, code: number, times = 1): void {
    this.returns.set(method, [...this.returns.get(method) ?? [], ...Array.from({ length: times }, () => code)]);
  }

  stop(): void {
    this.jobs.stop();
    this.#guests.forEach((timer) => clearTimeout(timer));
  }

  enabledState({ state, transition }: Vm): number {
    return STATES[this.version][transition ?? state];
  }

  /** RequestStateChange. */
  requestStateChange(vm: Vm, { RequestedState }: Arguments): Properties {
    const told = this.#told('RequestStateChange');
    if (told !== undefined) return { Job: null, ReturnValue: told };
    const order = ORDERS[this.version].get(Number(RequestedState));
    if (!order) return { Job: null, ReturnValue: RETURN.badParameter };
    if (!order.from.includes(vm.state) || vm.transition) return { Job: null, ReturnValue: RETURN.badState };
    const before = vm.state;
    vm.transition = order.to === 'running' && before === 'paused' && order !== RESET ? 'resuming' : order.by;
    const settle = (isDone: boolean): void => {
      this.#settling.delete(vm.id);
      clearTimeout(this.#guests.get(vm.id));
      vm.transition = undefined;
      if (!isDone) return;
      if (order === RESET) vm.restart();
      else vm.become(order.to);
    };
    this.#settling.set(vm.id, settle);
    return { Job: this.jobs.start('Changing the state of the virtual machine', settle), ReturnValue: RETURN.job };
  }

  /** InitiateShutdown of Msvm_ShutdownComponent: the guest begins, and nobody tells when it is done. */
  initiateShutdown(vm: Vm, { Force }: Arguments, isReboot = false): Properties {
    const told = this.#told(isReboot ? 'InitiateReboot' : 'InitiateShutdown');
    if (told !== undefined) return { ReturnValue: told };
    const isForced = Force === 'true' || Force === '1';
    if (vm.state !== 'running') return { ReturnValue: RETURN.badState };
    if (vm.guest === 'not ready') return { ReturnValue: RETURN.notReady };
    if (vm.guest === 'locked' && !isForced) return { ReturnValue: RETURN.locked };
    if (this.#guests.has(vm.id)) return { ReturnValue: RETURN.inProgress };
    this.#guests.set(vm.id, setTimeout(() => {
      this.#guests.delete(vm.id);
      if (vm.guest === 'deaf' || vm.state !== 'running') return;
      if (isReboot) vm.restart();
      else vm.become('off');
    }, this.guestMs).unref());
    return { ReturnValue: RETURN.ok };
  }

  /** ModifySystemSettings of Msvm_VirtualSystemManagementService, as far as it goes here. @param settings by their properties */
  modifySystemSettings(settings: ReadonlyMap<string, string> | undefined): Properties {
    const told = this.#told('ModifySystemSettings');
    if (told !== undefined) return { Job: null, ReturnValue: told };
    const vm = this.find(settings?.get('InstanceID')?.replace(/^Microsoft:/, '') ?? '');
    const startup = Number(settings?.get('AutomaticStartupAction'));
    if (!vm || ![2, 3, 4].includes(startup)) return { Job: null, ReturnValue: RETURN.badParameter };
    return { Job: this.jobs.start('Modifying virtual machine settings', (isDone) => { if (isDone) vm.startup = startup; }), ReturnValue: RETURN.job };
  }

  #told(method: string): number | undefined {
    return this.returns.get(method)?.shift();
  }
}
