import type { Disk, Facts, Load, Machine, PowerState } from '../drivers/driver.js';
import type { Log } from '../kit/log.js';
import { ArgoError, toArgoError } from '../kit/errors.js';
import { READ_TIMEOUT } from '../kit/limits.js';
import type { AuditLog } from '../store/audit-entry.js';
import { formatDuration } from '../kit/text.js';
import { notSupported, requireSupport, STEP_WORDS } from './actions.js';
import { Deadline, explainDeadline } from '../kit/deadline.js';
import type { Instance } from './instance.js';
import { PowerRun, type Order } from './power-run.js';
import type { Caller, Permission } from './principal.js';
import type { Provider } from './provider.js';
import type { Registry } from './registry.js';

/** What can be read of a machine. */
export interface Readings {
  info: Facts;
  ip: readonly string[];
  mac: readonly string[];
  uptime: number;
  rx: bigint;
  tx: bigint;
  load: Load;
  disk: readonly Disk[];
}

/** What the gate works with. */
export interface OperationsParts {
  readonly registry: Registry;
  readonly audit: AuditLog;
  readonly log: Log;
  /** milliseconds for a power action where neither request nor provider says */
  actionTimeout(): number;
}

/**
 * The one gate to the machines: every command word, every plugin and every other protocol in front
 * of the server comes through here. It authorises, gives each instance's actions their turns, sets
 * the deadline, carries out, verifies and records.
 */
export class Operations {
  readonly #runs = new Set<PowerRun>();
  #running = 0;
  #ending = false;
  #whenDone: (() => void) | undefined;
  readonly #parts: OperationsParts;

  constructor(parts: OperationsParts) {
    this.#parts = parts;
  }

  /**
   * A power action.
   * @param permission the command by which it is asked for
   * @throws ArgoError
   */
  async power(caller: Caller, permission: Permission, order: Order): Promise<void> {
    this.#authorise(caller, permission, order.instance);
    requireSupport(order.action, order.instance.name, order.instance.machine, order.force && order.timeout === undefined);
    if (this.#ending) throw new ArgoError('SHUTTING DOWN');
    this.#running += 1;
    const release = order.instance.owner.hold();
    try {
      await this.#recorded(caller, permission, order);
    } finally {
      release();
      this.#running -= 1;
      if (this.#running === 0) this.#whenDone?.();
    }
  }

  /** What a power action would do, in words. Nothing is sent. @throws ArgoError as the action would */
  async plan(caller: Caller, permission: Permission, order: Order): Promise<string> {
    const { instance, force, timeout } = order;
    this.#authorise(caller, permission, instance);
    const way = await this.#runOf(order).plan();
    if (way === 'already') return `nothing, it is ${instance.state} already`;
    if (way === 'under way') return `nothing, it is ${instance.state} already and would be waited for`;
    const then = way === 'shutdown' && force && timeout !== undefined ? `, then power off after ${formatDuration(timeout)}` : '';
    return `${STEP_WORDS[way]}${then} (it is ${instance.state})`;
  }

  /** The state now, asked of the machine; `unknown` where that cannot be had. @throws ArgoError NOT ALLOWED */
  async status(caller: Caller, permission: Permission, instance: Instance, timeout = READ_TIMEOUT): Promise<PowerState> {
    this.#authorise(caller, permission, instance);
    try {
      const state = await this.#ask(instance, timeout, (machine, signal) => machine.status(signal));
      this.#parts.registry.see(instance, state);
      return state;
    } catch (thrown) {
      this.#parts.log('debug', 'status unknown', { instance: instance.fullName, reason: String(thrown) });
      return 'unknown';
    }
  }

  /** One reading of a machine. @throws ArgoError */
  async read<Name extends keyof Readings>(
    caller: Caller, permission: Permission, instance: Instance, name: Name, timeout = READ_TIMEOUT,
  ): Promise<Readings[Name]> {
    this.#authorise(caller, permission, instance);
    const read = instance.machine[name] as ((signal: AbortSignal) => Promise<Readings[Name]>) | undefined;
    if (!read) throw notSupported(instance.name, name);
    return this.#ask(instance, timeout, (machine, signal) => read.call(machine, signal));
  }

  /** The hypervisor's log. @throws ArgoError */
  async dmesg(caller: Caller, permission: Permission, provider: Provider, timeout = READ_TIMEOUT): Promise<string> {
    if (!caller.principal.allowsProvider(provider.name, permission)) throw new ArgoError('NOT ALLOWED');
    const deadline = new Deadline(timeout);
    try {
      return await provider.dmesg(deadline);
    } catch (thrown) {
      throw explainDeadline(thrown, provider.name);
    } finally {
      deadline.clear();
    }
  }

  /**
   * Takes no further power actions and waits for those that run; those that run longer are told to end.
   * @param ms how long they may go on
   * @param last milliseconds after that in which they have to say what is known
   */
  async drain(ms: number, last: number): Promise<void> {
    this.#ending = true;
    if (await this.#allDone(ms)) return;
    this.#runs.forEach((run) => run.abandon());
    await this.#allDone(last);
  }

  async #allDone(ms: number): Promise<boolean> {
    if (this.#running === 0) return true;
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), ms);
      this.#whenDone = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }

  #authorise(caller: Caller, permission: Permission, instance: Instance): void {
    if (!caller.principal.allows(instance, permission)) throw new ArgoError('NOT ALLOWED');
  }

  #runOf(order: Order): PowerRun {
    return new PowerRun(order, this.#parts.registry, order.instance.owner.actionTimeout ?? this.#parts.actionTimeout());
  }

  async #ask<T>(instance: Instance, timeout: number, work: (machine: Machine, signal: AbortSignal) => Promise<T>): Promise<T> {
    const deadline = new Deadline(timeout);
    try {
      return await instance.owner.call(deadline, (signal) => work(instance.machine, signal));
    } catch (thrown) {
      throw explainDeadline(thrown, instance.name);
    } finally {
      deadline.clear();
    }
  }

  async #recorded(caller: Caller, permission: Permission, order: Order): Promise<void> {
    const { audit, log } = this.#parts;
    const facts = {
      account: caller.principal.name,
      from: caller.from,
      command: permission.word,
      instance: order.instance.fullName,
      options: describeOptions(order),
    };
    const id = await audit.begin(facts);
    const began = performance.now();
    const run = this.#runOf(order);
    this.#runs.add(run);
    try {
      const outcome = await run.run();
      await audit.end(id, outcome, performance.now() - began);
      log('info', 'action', { ...facts, outcome });
    } catch (thrown) {
      const error = toArgoError(thrown);
      await audit.end(id, error.message, performance.now() - began);
      log('warn', 'action', { ...facts, outcome: error.message, cause: error.cause });
      throw error;
    } finally {
      this.#runs.delete(run);
    }
  }
}

function describeOptions({ force, timeout, wait }: Order): string {
  const words = [];
  if (force) words.push('--force');
  if (timeout !== undefined) words.push(`--timeout=${timeout / 1000}`);
  if (wait !== false) words.push(wait === true ? '--wait' : `--wait=${wait / 1000}`);
  return words.join(' ');
}
