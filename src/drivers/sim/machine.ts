import { setTimeout as sleep } from 'node:timers/promises';
import { ArgoError } from '../../kit/errors.js';
import { onAbort } from '../../kit/within.js';
import type { Autostart, Consoles, Disk, DriverHost, Facts, Load, Machine, PowerState, Sample, Sighting } from '../driver.js';
import type { MachineAbilities } from '../management/contract.js';
import { SimConsole } from './console.js';
import type { SimHost } from './management/host.js';
import type { ManagedMachine, NewSimMachine, SimHardware } from './management/park.js';
import { disksOf, LOAD, SimSample, trafficAfter } from './sample.js';

/**
 * What is wrong with a simulated machine. `hang`: its calls never answer. `error`: they fail.
 * `flapping`: every second call finds the connection lost. `deaf`: it ignores a clean shutdown.
 */
export type Fault = 'hang' | 'error' | 'flapping' | 'deaf';

/** milliseconds up to which a call that is told to end does so "soon" without doing anything for it */
const SHORT = 50;

/** Of one at fault. */
const NOTHING: Sample = {};

/** What the machines of one simulated hypervisor have in common. */
export interface World {
  /** another one in each process */
  readonly id: string;
  readonly host: DriverHost;
  /** milliseconds that each call takes */
  readonly latency: number;
  readonly faults: ReadonlyMap<string, Fault>;
  readonly startedAt: number;
  /** what can be done with its host and with machines beyond power; made when somebody asks */
  management(): SimHost;
}

/** What becomes of a machine that is used; most of a million never are. */
interface Past {
  boots: number;
  calls: number;
  bootedAt: number;
  startsWithHost: boolean;
  /** what it was started with, where its hardware has changed since */
  running?: SimHardware;
  /** of one that came from another host */
  uuid?: string;
  /** its host does not have it any longer */
  isGone?: true;
}

/** A machine, and at the same time what a listing shows of it, so that listing a million costs nothing. */
export class SimMachine implements Machine, Sighting, ManagedMachine {
  #state: PowerState;
  #hardware: SimHardware;
  #pastOrNone: Past | undefined;
  readonly name: string;
  readonly #world: World;

  constructor(readonly id: string, { name, power, hardware, uuid }: NewSimMachine, world: World) {
    this.name = name;
    this.#state = power;
    this.#hardware = hardware;
    this.#world = world;
    if (uuid !== undefined) this.#past.uuid = uuid;
  }

  get type(): SimHardware['type'] {
    return this.#hardware.type;
  }

  get abilities(): MachineAbilities {
    return this.#world.management().abilitiesOf(this);
  }

  get power(): PowerState {
    return this.#state;
  }

  get hardware(): SimHardware {
    return this.#hardware;
  }

  /** Its host has it no longer: nothing that is asked of it is true. */
  leave(): void {
    this.#past.isGone = true;
  }

  /** What runs goes on with what it was started with. */
  set hardware(hardware: SimHardware) {
    this.#past.running ??= this.#hardware;
    this.#hardware = hardware;
  }

  get startsWithHost(): boolean {
    return this.#pastOrNone?.startsWithHost ?? false;
  }

  set startsWithHost(does: boolean) {
    this.#past.startsWithHost = does;
  }

  get machine(): Machine {
    return this;
  }

  /** What a listing shows: a listing does not suffer from the faults of single machines. */
  get state(): PowerState {
    const fault = this.#fault;
    return fault === 'hang' || fault === 'error' ? 'unknown' : this.#state;
  }

  /** What is known of it without asking it: one that is at fault tells nothing. */
  get sample(): Sample {
    if (this.#fault !== undefined && this.#fault !== 'deaf') return NOTHING;
    return new SimSample(this.name, this.#state, this.#inUse, this.#isUp ? this.secondsUp : undefined);
  }

  async status(signal: AbortSignal): Promise<PowerState> {
    await this.answer(signal);
    return this.#state;
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.answer(signal);
    this.#expect('off', 'crashed');
    this.#boot();
    this.#become('on');
  }

  async shutdown(signal: AbortSignal): Promise<void> {
    await this.answer(signal);
    this.#expect('on');
    if (this.#fault !== 'deaf') this.#become('off');
  }

  async powerOff(signal: AbortSignal): Promise<void> {
    await this.answer(signal);
    this.#become('off');
  }

  async reboot(signal: AbortSignal): Promise<void> {
    await this.answer(signal);
    this.#expect('on');
    if (this.#fault !== 'deaf') this.#boot();
  }

  async reset(signal: AbortSignal): Promise<void> {
    await this.answer(signal);
    this.#expect('on', 'paused', 'crashed');
    this.#boot();
    this.#become('on');
  }

  async pause(signal: AbortSignal): Promise<void> {
    await this.answer(signal);
    this.#expect('on');
    this.#become('paused');
  }

  async unpause(signal: AbortSignal): Promise<void> {
    await this.answer(signal);
    this.#expect('paused');
    this.#become('on');
  }

  async suspend(signal: AbortSignal): Promise<void> {
    await this.answer(signal);
    this.#expect('on', 'paused');
    this.#become('suspended');
  }

  async resume(signal: AbortSignal): Promise<void> {
    await this.answer(signal);
    this.#expect('suspended');
    this.#become('on');
  }

  /** With their process simulated machines begin anew, and so does what tells their boots. */
  async bootMark(signal: AbortSignal): Promise<string> {
    await this.answer(signal);
    return `${this.#world.id}.${this.#past.boots}`;
  }

  get bootMarkLasts(): true {
    return true;
  }

  async info(signal: AbortSignal): Promise<Facts> {
    await this.answer(signal);
    const { vcpus, memory } = this.#inUse;
    return { uuid: this.uuid, cpus: vcpus, memory, ips: [this.#address], macs: [this.#hardwareAddress], disks: this.#disks, host: 'simulated', persistent: true, autostart: this.startsWithHost };
  }

  get autostart(): Autostart {
    return {
      read: async (signal) => {
        await this.answer(signal);
        return this.startsWithHost;
      },
      set: async (isOn, signal) => {
        await this.answer(signal);
        if (this.#fault !== 'deaf') this.startsWithHost = isOn;
      },
    };
  }

  get console(): Consoles {
    return {
      text: async ({ signal, size }) => {
        await this.answer(signal);
        this.#expect('on', 'paused');
        const stream = new SimConsole(this.name, size);
        return { stream, resize: (to) => stream.resize(to) };
      },
    };
  }

  async ip(signal: AbortSignal): Promise<readonly string[]> {
    await this.answer(signal);
    return [this.#address];
  }

  async mac(signal: AbortSignal): Promise<readonly string[]> {
    await this.answer(signal);
    return [this.#hardwareAddress];
  }

  async uptime(signal: AbortSignal): Promise<number> {
    await this.answer(signal);
    this.#expect('on', 'paused');
    return this.secondsUp;
  }

  async rx(signal: AbortSignal): Promise<bigint> {
    await this.answer(signal);
    return this.traffic.rx;
  }

  async tx(signal: AbortSignal): Promise<bigint> {
    await this.answer(signal);
    return this.traffic.tx;
  }

  async load(signal: AbortSignal): Promise<Load> {
    await this.answer(signal);
    this.#expect('on');
    return LOAD;
  }

  async disk(signal: AbortSignal): Promise<readonly Disk[]> {
    await this.answer(signal);
    return this.#disks;
  }

  get traffic(): { readonly rx: bigint; readonly tx: bigint } {
    return trafficAfter(this.#state === 'on' ? this.secondsUp : 0);
  }

  get #disks(): readonly Disk[] {
    return disksOf(this.name, this.#inUse);
  }

  get secondsUp(): number {
    return this.#isUp ? (performance.now() - (this.#pastOrNone?.bootedAt ?? this.#world.startedAt)) / 1000 : 0;
  }

  get #isUp(): boolean {
    return this.#state === 'on' || this.#state === 'paused';
  }

  get #inUse(): SimHardware {
    return this.#isUp ? this.#pastOrNone?.running ?? this.#hardware : this.#hardware;
  }

  get #past(): Past {
    this.#pastOrNone ??= { boots: 0, calls: 0, bootedAt: this.#world.startedAt, startsWithHost: false };
    return this.#pastOrNone;
  }

  get #fault(): Fault | undefined {
    const { faults } = this.#world;
    return faults.size > 0 ? faults.get(this.name) : undefined;
  }

  /** Ids are counted up from 1. */
  get #index(): number {
    return Number(this.id);
  }

  get uuid(): string {
    return this.#pastOrNone?.uuid ?? `00000000-0000-4000-8000-${this.#index.toString(16).padStart(12, '0')}`;
  }

  /** From the network for documentation, RFC 5737 and beyond it the one for benchmarks, RFC 2544. */
  get #address(): string {
    const { address } = this.#inUse;
    if (address !== undefined) return address;
    return this.#index < 255 ? `192.0.2.${this.#index}` : `198.18.${(this.#index >> 8) & 255}.${this.#index & 255}`;
  }

  get #hardwareAddress(): string {
    const digits = this.#index.toString(16).padStart(6, '0').slice(-6);
    return `00:16:3e:${digits.slice(0, 2)}:${digits.slice(2, 4)}:${digits.slice(4)}`;
  }

  #boot(): void {
    this.#past.boots += 1;
    this.#past.running = this.#hardware;
    this.#past.bootedAt = performance.now();
  }

  #become(state: PowerState): void {
    this.#state = state;
    this.#world.host.changed(this.id, state);
  }

  #expect(...states: PowerState[]): void {
    if (!states.includes(this.#state)) throw new ArgoError('WRONG STATE', `${this.name} is ${this.#state}`);
  }

  /** One call to the simulated hypervisor: the time it takes, and what is wrong with it. Undefined where it is neither: there is nothing to wait for. */
  answer(signal: AbortSignal): Promise<void> | undefined {
    signal.throwIfAborted();
    if (this.#pastOrNone?.isGone === true) throw new ArgoError('NO SUCH INSTANCE', this.name);
    const fault = this.#fault;
    return fault === undefined && this.#world.latency === 0 ? undefined : this.#answerLate(signal, fault);
  }

  async #answerLate(signal: AbortSignal, fault: Fault | undefined): Promise<void> {
    if (fault === 'hang') await untilAborted(signal);
    if (this.#world.latency > 0) await pass(this.#world.latency, signal);
    if (fault === undefined) return;
    this.#past.calls += 1;
    if (fault === 'error') throw new ArgoError('FAILED', 'simulated fault');
    if (fault === 'flapping' && this.#past.calls % 2 === 1) throw new ArgoError('UNREACHABLE', 'simulated loss of the connection');
  }
}

/** Lets time pass. To listen to the signal costs more than all the rest of a reading, so a short time is waited for to its end. */
export async function pass(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > SHORT) await sleep(ms, undefined, { signal });
  else await new Promise((resolve) => { setTimeout(resolve, ms); });
  signal.throwIfAborted();
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => { onAbort(signal, reject); });
}
