import { setTimeout as sleep } from 'node:timers/promises';
import { ArgoError } from '../../kit/errors.js';
import { beforeSending, onAbort } from '../../kit/within.js';
import type { Disk, Facts, Load, Machine, PowerState } from '../driver.js';
import type { Esxi, PowerVerb } from './commands.js';
import type { Inventory } from './inventory.js';
import type { VmSummary } from './readings.js';

/** Looks at the state after ESXi said that an order failed without a reason. */
const LOOKS_AFTER_FAILURE = 3;

/** Milliseconds. */
export interface VmPace {
  /** between looks whether a machine that is being started or stopped asks a question */
  readonly question: number;
  /** between looks at the state after a failure without a reason */
  readonly look: number;
}

export const VM_PACE: VmPace = { question: 2000, look: 500 };

/** What a machine needs of its host. */
export interface VmContext {
  readonly esxi: Esxi;
  readonly inventory: Inventory;
  /** address of the host, for people */
  readonly address: string;
  readonly pace: VmPace;
  /** The machine is not what was listed: list again soon. */
  relist(): void;
}

/** A virtual machine of a free ESXi. */
export class EsxiVm implements Machine {
  readonly type = 'vm';
  readonly #context: VmContext;

  /** @param id its key in the inventory */
  constructor(readonly id: string, readonly name: string, context: VmContext) {
    this.#context = context;
  }

  async status(signal: AbortSignal): Promise<PowerState> {
    return (await this.#find(signal)).state;
  }

  start(signal: AbortSignal): Promise<void> {
    return this.#order('power.on', 'on', signal);
  }

  shutdown(signal: AbortSignal): Promise<void> {
    return this.#order('power.shutdown', 'off', signal);
  }

  powerOff(signal: AbortSignal): Promise<void> {
    return this.#order('power.off', 'off', signal);
  }

  reboot(signal: AbortSignal): Promise<void> {
    return this.#order('power.reboot', undefined, signal);
  }

  async reset(signal: AbortSignal): Promise<void> {
    await this.#order('power.reset', undefined, signal);
    this.#context.inventory.boots.reset(this.id);
  }

  async bootMark(signal: AbortSignal): Promise<string> {
    return this.#context.inventory.boots.mark(this.id, await this.#find(signal));
  }

  suspend(signal: AbortSignal): Promise<void> {
    return this.#order('power.suspend', 'suspended', signal);
  }

  resume(signal: AbortSignal): Promise<void> {
    return this.#order('power.on', 'on', signal);
  }

  async info(signal: AbortSignal): Promise<Facts> {
    const summary = await this.#find(signal);
    const { uuid, cpus, memory, file, guestName, question, tools, accessible } = summary;
    const hardware = accessible ? await this.#context.esxi.hardware(summary.vmid, signal) : undefined;
    const ips = summary.state === 'on' ? await this.#addresses(summary, signal) : undefined;
    return {
      ...(uuid !== undefined && { uuid }),
      ...(cpus !== undefined && { cpus }),
      ...(memory !== undefined && { memory }),
      ...(ips && { ips }),
      ...(hardware && { macs: hardware.macs, disks: hardware.disks }),
      host: this.#context.address,
      more: {
        vmid: String(summary.vmid),
        file,
        ...(guestName !== undefined && { guest: guestName }),
        ...(tools !== undefined && { tools: tools.replace(/^guestTools/, '').toLowerCase() }),
        ...(question !== undefined && { question }),
        ...(!accessible && { access: 'ESXi cannot read its files' }),
      },
    };
  }

  /** Those that VMware Tools told. */
  async ip(signal: AbortSignal): Promise<readonly string[]> {
    const summary = await this.#running(signal);
    const ips = await this.#addresses(summary, signal);
    if (ips.length === 0 && summary.tools !== 'guestToolsRunning') {
      throw new ArgoError('FAILED', 'VMware Tools does not run in it, so ESXi does not know its address');
    }
    return ips;
  }

  async mac(signal: AbortSignal): Promise<readonly string[]> {
    return (await this.#context.esxi.hardware((await this.#readable(signal)).vmid, signal)).macs;
  }

  async disk(signal: AbortSignal): Promise<readonly Disk[]> {
    return (await this.#context.esxi.hardware((await this.#readable(signal)).vmid, signal)).disks;
  }

  async uptime(signal: AbortSignal): Promise<number> {
    const { uptime } = await this.#running(signal);
    if (uptime === undefined) throw new ArgoError('FAILED', 'ESXi does not tell its uptime');
    return uptime;
  }

  /** The share of what its virtual CPUs could use at the most. */
  async load(signal: AbortSignal): Promise<Load> {
    const { cpuUsed, cpuMost } = await this.#running(signal);
    if (cpuUsed === undefined || !cpuMost) throw new ArgoError('FAILED', 'ESXi does not tell its load');
    return { cpuPercent: Math.min(100, (cpuUsed / cpuMost) * 100) };
  }

  async #find(signal: AbortSignal): Promise<VmSummary> {
    try {
      return await this.#context.inventory.find(this.id, signal);
    } catch (thrown) {
      if (thrown instanceof ArgoError && thrown.phrase === 'NO SUCH INSTANCE') this.#context.relist();
      throw thrown;
    }
  }

  async #readable(signal: AbortSignal): Promise<VmSummary> {
    const summary = await this.#find(signal);
    if (!summary.accessible) throw new ArgoError('WRONG STATE', 'ESXi cannot read its files');
    return summary;
  }

  async #running(signal: AbortSignal): Promise<VmSummary> {
    const summary = await this.#readable(signal);
    if (summary.state !== 'on') throw new ArgoError('WRONG STATE', `it is ${summary.state}`);
    return summary;
  }

  async #addresses(summary: VmSummary, signal: AbortSignal): Promise<readonly string[]> {
    const { ips } = await this.#context.esxi.guest(summary.vmid, signal);
    return ips.length > 0 ? ips : summary.ip ? [summary.ip] : [];
  }

  /** The machine as it is now, in case that it is still the one that people know by this name. */
  async #ready(verb: PowerVerb, signal: AbortSignal): Promise<VmSummary> {
    const summary = await this.#readable(signal);
    if (summary.name !== this.name) {
      this.#context.relist();
      throw new ArgoError('NO SUCH INSTANCE', 'it has another name by now');
    }
    if (summary.question !== undefined && verb !== 'power.off') throw new ArgoError('NEEDS ANSWER', summary.question);
    return summary;
  }

  /**
   * Gives one order. What ESXi says of it is not always true (6.x may say that it failed when it did
   * not), so a failure counts only while the state is not the one that was to be reached.
   *
   * @param goal undefined where the state before and after is the same
   */
  async #order(verb: PowerVerb, goal: PowerState | undefined, signal: AbortSignal): Promise<void> {
    const { vmid } = await beforeSending(signal, () => this.#ready(verb, signal));
    try {
      await this.#unlessAsked(vmid, signal, (own) => this.#context.esxi.power(verb, vmid, own));
    } catch (thrown) {
      if (!(thrown instanceof ArgoError) || thrown.phrase === 'UNREACHABLE' || thrown.phrase === 'ACCESS DENIED') throw thrown;
      // A refusal with a reason comes at once; a failure without one may come before the state does.
      const looks = thrown.phrase === 'FAILED' || thrown.phrase === 'UNCERTAIN' ? LOOKS_AFTER_FAILURE : 1;
      if (goal !== undefined && await this.#hasReached(goal, looks, signal)) return;
      if (verb === 'power.on' && await this.#context.esxi.inMaintenance(signal).catch(() => false)) {
        throw new ArgoError('WRONG STATE', 'the host is in maintenance mode', { cause: thrown });
      }
      throw thrown;
    }
  }

  /**
   * Does the work; where it takes long, looks whether the machine waits for an answer meanwhile, as
   * vim-cmd itself does without a word.
   */
  async #unlessAsked(vmid: number, signal: AbortSignal, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const own = new AbortController();
    const forget = onAbort(signal, (reason) => own.abort(reason));
    const done = work(own.signal).finally(() => own.abort());
    try {
      await Promise.race([done, this.#asked(vmid, own.signal)]);
    } finally {
      own.abort();
      done.catch(() => undefined);
      forget();
    }
  }

  /** Rejects with the question once there is one; else never ends before the signal does. */
  async #asked(vmid: number, signal: AbortSignal): Promise<never> {
    while (!signal.aborted) {
      await sleep(this.#context.pace.question, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) break;
      const summary = await this.#context.esxi.summary(vmid, signal).catch(() => undefined);
      if (summary?.question !== undefined) throw new ArgoError('NEEDS ANSWER', summary.question);
    }
    return new Promise<never>(() => undefined);
  }

  async #hasReached(goal: PowerState, looks: number, signal: AbortSignal): Promise<boolean> {
    for (let look = 0; look < looks; look += 1) {
      if (look > 0) await sleep(this.#context.pace.look, undefined, { signal });
      const summary = await this.#find(signal).catch(() => undefined);
      if (summary?.state === goal) return true;
      if (summary?.question !== undefined) throw new ArgoError('NEEDS ANSWER', summary.question);
    }
    return false;
  }
}
