import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ArgoError } from '../../kit/errors.js';
import { onAbort } from '../../kit/within.js';
import { SimConsole } from './console.js';
import type { Autostart, Consoles, Disk, Driver, DriverHost, Facts, Load, Machine, PowerState, Readings, Sighting } from '../driver.js';

/**
 * What is wrong with a simulated machine. `hang`: its calls never answer. `error`: they fail.
 * `flapping`: every second call finds the connection lost. `deaf`: it ignores a clean shutdown.
 */
export type Fault = 'hang' | 'error' | 'flapping' | 'deaf';

export interface SimOptions {
  readonly instances: readonly (string | { readonly name: string; readonly state: PowerState })[];
  /** further instances vm00001 …, all on */
  readonly count: number;
  /** milliseconds that each call takes */
  readonly latency: number;
  readonly faults: Readonly<Record<string, Fault>>;
}

/** bytes a second that a machine which is on receives and sends, so that counters count */
const RX_RATE = 1500;
const TX_RATE = 700;

const MEMORY = 256n * 1024n * 1024n;
/** milliseconds up to which a call that is told to end does so "soon" without doing anything for it */
const SHORT = 50;

const LOAD: Load = { averages: [0.1, 0.05, 0.01] };
const DISK_SIZE = 4n * 1024n * 1024n * 1024n;

/** What the machines of one simulated hypervisor have in common. */
interface World {
  /** another one in each process */
  readonly id: string;
  readonly host: DriverHost;
  /** milliseconds that each call takes */
  readonly latency: number;
  readonly faults: ReadonlyMap<string, Fault>;
  readonly startedAt: number;
}

/** What becomes of a machine that is used; most of a million never are. */
interface Past {
  boots: number;
  calls: number;
  bootedAt: number;
  startsWithHost: boolean;
}

/** A machine, and at the same time what a listing shows of it, so that listing a million costs nothing. */
class SimMachine implements Machine, Sighting {
  #state: PowerState;
  #pastOrNone: Past | undefined;
  readonly #world: World;

  constructor(readonly id: string, readonly name: string, state: PowerState, world: World) {
    this.#state = state;
    this.#world = world;
  }

  get type(): 'vm' {
    return 'vm';
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
  get sample(): Partial<Readings> {
    if (this.#fault !== undefined && this.#fault !== 'deaf') return {};
    const isUp = this.#state === 'on' || this.#state === 'paused';
    return {
      status: this.#state, ...this.#traffic, disk: this.#disks,
      ...(isUp ? { uptime: this.#secondsUp } : {}),
      ...(this.#state === 'on' ? { load: LOAD } : {}),
    };
  }

  async status(signal: AbortSignal): Promise<PowerState> {
    await this.#answer(signal);
    return this.#state;
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.#answer(signal);
    this.#expect('off', 'crashed');
    this.#boot();
    this.#become('on');
  }

  async shutdown(signal: AbortSignal): Promise<void> {
    await this.#answer(signal);
    this.#expect('on');
    if (this.#fault !== 'deaf') this.#become('off');
  }

  async powerOff(signal: AbortSignal): Promise<void> {
    await this.#answer(signal);
    this.#become('off');
  }

  async reboot(signal: AbortSignal): Promise<void> {
    await this.#answer(signal);
    this.#expect('on');
    if (this.#fault !== 'deaf') this.#boot();
  }

  async reset(signal: AbortSignal): Promise<void> {
    await this.#answer(signal);
    this.#expect('on', 'paused', 'crashed');
    this.#boot();
    this.#become('on');
  }

  async pause(signal: AbortSignal): Promise<void> {
    await this.#answer(signal);
    this.#expect('on');
    this.#become('paused');
  }

  async unpause(signal: AbortSignal): Promise<void> {
    await this.#answer(signal);
    this.#expect('paused');
    this.#become('on');
  }

  async suspend(signal: AbortSignal): Promise<void> {
    await this.#answer(signal);
    this.#expect('on', 'paused');
    this.#become('suspended');
  }

  async resume(signal: AbortSignal): Promise<void> {
    await this.#answer(signal);
    this.#expect('suspended');
    this.#become('on');
  }

  /** With their process simulated machines begin anew, and so does what tells their boots. */
  async bootMark(signal: AbortSignal): Promise<string> {
    await this.#answer(signal);
    return `${this.#world.id}.${this.#past.boots}`;
  }

  get bootMarkLasts(): true {
    return true;
  }

  async info(signal: AbortSignal): Promise<Facts> {
    await this.#answer(signal);
    return { uuid: this.#uuid, cpus: 1, memory: MEMORY, ips: [this.#address], macs: [this.#hardwareAddress], disks: this.#disks, host: 'simulated', persistent: true, autostart: this.#past.startsWithHost };
  }

  get autostart(): Autostart {
    return {
      read: async (signal) => {
        await this.#answer(signal);
        return this.#past.startsWithHost;
      },
      set: async (isOn, signal) => {
        await this.#answer(signal);
        if (this.#fault !== 'deaf') this.#past.startsWithHost = isOn;
      },
    };
  }

  get console(): Consoles {
    return {
      text: async ({ signal, size }) => {
        await this.#answer(signal);
        this.#expect('on', 'paused');
        const stream = new SimConsole(this.name, size);
        return { stream, resize: (to) => stream.resize(to) };
      },
    };
  }

  async ip(signal: AbortSignal): Promise<readonly string[]> {
    await this.#answer(signal);
    return [this.#address];
  }

  async mac(signal: AbortSignal): Promise<readonly string[]> {
    await this.#answer(signal);
    return [this.#hardwareAddress];
  }

  async uptime(signal: AbortSignal): Promise<number> {
    await this.#answer(signal);
    this.#expect('on', 'paused');
    return this.#secondsUp;
  }

  async rx(signal: AbortSignal): Promise<bigint> {
    await this.#answer(signal);
    return this.#traffic.rx;
  }

  async tx(signal: AbortSignal): Promise<bigint> {
    await this.#answer(signal);
    return this.#traffic.tx;
  }

  async load(signal: AbortSignal): Promise<Load> {
    await this.#answer(signal);
    this.#expect('on');
    return LOAD;
  }

  async disk(signal: AbortSignal): Promise<readonly Disk[]> {
    await this.#answer(signal);
    return this.#disks;
  }

  get #traffic(): { readonly rx: bigint; readonly tx: bigint } {
    const seconds = this.#state === 'on' ? this.#secondsUp : 0;
    return { rx: BigInt(Math.floor(seconds * RX_RATE)), tx: BigInt(Math.floor(seconds * TX_RATE)) };
  }

  get #disks(): readonly Disk[] {
    return [{ target: 'xvda', type: 'file', format: 'ext4', size: DISK_SIZE, source: `/srv/sim/${this.name}.img` }];
  }

  get #secondsUp(): number {
    return (performance.now() - (this.#pastOrNone?.bootedAt ?? this.#world.startedAt)) / 1000;
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

  get #uuid(): string {
    return `00000000-0000-4000-8000-${this.#index.toString(16).padStart(12, '0')}`;
  }

  /** From the network for documentation, RFC 5737 and beyond it the one for benchmarks, RFC 2544. */
  get #address(): string {
    return this.#index < 255 ? `192.0.2.${this.#index}` : `198.18.${(this.#index >> 8) & 255}.${this.#index & 255}`;
  }

  get #hardwareAddress(): string {
    const digits = this.#index.toString(16).padStart(6, '0').slice(-6);
    return `00:16:3e:${digits.slice(0, 2)}:${digits.slice(2, 4)}:${digits.slice(4)}`;
  }

  #boot(): void {
    this.#past.boots += 1;
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
  #answer(signal: AbortSignal): Promise<void> | undefined {
    signal.throwIfAborted();
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
async function pass(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > SHORT) await sleep(ms, undefined, { signal });
  else await new Promise((resolve) => { setTimeout(resolve, ms); });
  signal.throwIfAborted();
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => { onAbort(signal, reject); });
}

/** The simulated hypervisor. */
export class SimDriver implements Driver {
  readonly #machines: SimMachine[] = [];
  readonly #world: World;

  constructor({ instances, count, latency, faults }: SimOptions, host: DriverHost) {
    this.#world = { id: randomUUID(), host, latency, faults: new Map(Object.entries(faults)), startedAt: performance.now() };
    for (const instance of instances) {
      if (typeof instance === 'string') this.#add(instance, 'on');
      else this.#add(instance.name, instance.state);
    }
    for (let number = 1; number <= count; number += 1) this.#add(`vm${String(number).padStart(5, '0')}`, 'on');
  }

  list(): Promise<readonly Sighting[]> {
    return Promise.resolve(this.#machines);
  }

  /** One call, which takes as long as one to a machine. */
  async sample(signal: AbortSignal): Promise<ReadonlyMap<string, Partial<Readings>>> {
    if (this.#world.latency > 0) await pass(this.#world.latency, signal);
    return new Map(this.#machines.map((machine) => [machine.id, machine.sample]));
  }

  dmesg(): Promise<string> {
    return Promise.resolve(`Simulated hypervisor ${this.#world.host.name}: ${this.#machines.length} machines\n`);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #add(name: string, state: PowerState): void {
    this.#machines.push(new SimMachine(String(this.#machines.length + 1), name, state, this.#world));
  }
}
