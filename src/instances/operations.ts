import type { Disk, Facts, Load, Machine, PowerState } from '../drivers/driver.js';
import type { Log } from '../kit/log.js';
import { ArgoError, toArgoError } from '../kit/errors.js';
import { READ_TIMEOUT } from '../kit/limits.js';
import type { AuditLog } from '../store/audit-entry.js';
import { formatDuration } from '../kit/text.js';
import { notSupported, requireSupport, STEP_WORDS } from './actions.js';
import { Deadline, explainDeadline } from '../kit/deadline.js';
import type { Instance } from './instance.js';
import { OPERATIONS, type OperationName } from './operation-table.js';
import { describeOptions, softTime, type Call, type Milliseconds, type Outcome, type PowerOrder, type ReadCall } from './order.js';
import { PowerRun, type RunOutcome } from './power-run.js';
import type { Mandate, Permission } from './principal.js';
import type { Owner } from './owner.js';
import type { Registry } from './registry.js';

/** What can be read of a machine, by the operation that reads it. */
export interface Readings {
  /** `unknown` where it cannot be had */
  status: PowerState;
  info: Facts;
  ip: readonly string[];
  mac: readonly string[];
  /** seconds */
  uptime: number;
  /** bytes */
  rx: bigint;
  /** bytes */
  tx: bigint;
  load: Load;
  disk: readonly Disk[];
}

export type ReadingName = keyof Readings;

/** What the gate works with. */
export interface OperationsParts {
  readonly registry: Registry;
  readonly audit: AuditLog;
  readonly log: Log;
  /** milliseconds for a power action where neither request nor provider says */
  actionTimeout(): number;
}

/**
 * The one gate to the machines. It authorises by what is done, gives each instance's actions their
 * turns, sets the deadline, carries out, verifies and records. Whoever asks holds an actor, which is
 * all that leaves this room.
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

  /** Whether a mandate holds for an operation on an instance, by what the account's grants are now. */
  allows(mandate: Mandate, operation: OperationName, instance: Instance): boolean {
    const permission = permissionFor(mandate, operation);
    return permission !== undefined && mandate.identity.principal.allows(instance, permission);
  }

  /** As {@link allows}, for an operation on a provider as a whole. */
  allowsProvider(mandate: Mandate, operation: OperationName, provider: string): boolean {
    const permission = permissionFor(mandate, operation);
    return permission !== undefined && mandate.identity.principal.allowsProvider(provider, permission);
  }

  /** A power action. @throws ArgoError */
  async power(mandate: Mandate, instance: Instance, order: PowerOrder, call: Call): Promise<Outcome> {
    this.#authorise(mandate, order.action, instance);
    requireSupport(order.action, instance.name, instance.machine, order.mode === 'hard');
    if (this.#ending) throw new ArgoError('SHUTTING DOWN');
    this.#running += 1;
    const release = instance.owner.hold();
    try {
      return await this.#recorded(mandate, instance, order, call.deadline);
    } finally {
      release();
      this.#running -= 1;
      if (this.#running === 0) this.#whenDone?.();
    }
  }

  /** What a power action would do, in words. Nothing is sent. @throws ArgoError as the action would */
  async plan(mandate: Mandate, instance: Instance, order: PowerOrder, call: Call): Promise<string> {
    this.#authorise(mandate, order.action, instance);
    const way = await this.#runOf(mandate, instance, order, call.deadline).plan();
    if (way === 'already') return `nothing, it is ${instance.state} already`;
    if (way === 'under way') return `nothing, it is ${instance.state} already and would be waited for`;
    const softFor = softTime(order);
    const then = way === 'shutdown' && softFor !== undefined ? `, then power off after ${formatDuration(softFor)}` : '';
    return `${STEP_WORDS[way]}${then} (it is ${instance.state})`;
  }

  /** One reading of a machine, asked of it now. @throws ArgoError */
  async read<Name extends ReadingName>(mandate: Mandate, instance: Instance, name: Name, call: ReadCall): Promise<Readings[Name]> {
    this.#authorise(mandate, name, instance);
    if (name === 'status') return await this.#status(instance, call) as Readings[Name];
    const read = instance.machine[name] as ((signal: AbortSignal) => Promise<Readings[Name]>) | undefined;
    if (!read) throw notSupported(instance.name, name);
    return this.#ask(instance, call, (machine, signal) => read.call(machine, signal));
  }

  /** The hypervisor's log. @throws ArgoError */
  async dmesg(mandate: Mandate, provider: Owner, { deadline: ms = READ_TIMEOUT }: Call): Promise<string> {
    if (!this.allowsProvider(mandate, 'dmesg', provider.name)) throw new ArgoError('NOT ALLOWED');
    const deadline = new Deadline(ms);
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

  #authorise(mandate: Mandate, operation: OperationName, instance: Instance): void {
    if (!this.allows(mandate, operation, instance)) throw new ArgoError('NOT ALLOWED');
  }

  #runOf(mandate: Mandate, instance: Instance, order: PowerOrder, deadline: Milliseconds | undefined): PowerRun {
    const { registry, actionTimeout } = this.#parts;
    return new PowerRun({
      instance, order, deadline, registry,
      actionTimeout: instance.owner.actionTimeout ?? actionTimeout(),
      permit: () => this.#authorise(mandate, order.action, instance),
    });
  }

  /** The state now; `unknown` where that cannot be had, whatever the reason. */
  async #status(instance: Instance, call: Call): Promise<PowerState> {
    try {
      const state = await this.#ask(instance, call, (machine, signal) => machine.status(signal));
      this.#parts.registry.see(instance, state);
      return state;
    } catch (thrown) {
      this.#parts.log('debug', 'status unknown', { instance: instance.fullName, reason: String(thrown) });
      return 'unknown';
    }
  }

  async #ask<T>(instance: Instance, { deadline: ms = READ_TIMEOUT }: Call, work: (machine: Machine, signal: AbortSignal) => Promise<T>): Promise<T> {
    const deadline = new Deadline(ms);
    try {
      return await instance.owner.call(deadline, (signal) => work(instance.machine, signal));
    } catch (thrown) {
      throw explainDeadline(thrown, instance.name);
    } finally {
      deadline.clear();
    }
  }

  async #recorded(mandate: Mandate, instance: Instance, order: PowerOrder, deadline: Milliseconds | undefined): Promise<Outcome> {
    const { audit, log } = this.#parts;
    const facts = {
      account: mandate.identity.name,
      from: mandate.origin,
      command: commandOf(mandate, order),
      instance: instance.fullName,
      options: describeOptions(order, deadline),
    };
    const auditId = await audit.begin(facts);
    const tell = (outcome: string, ms?: number): void => {
      const { account, command, options } = facts;
      this.#parts.registry.events?.add({ type: 'action', instance: instance.fullName, account, command, options, auditId, outcome, ...(ms === undefined ? {} : { ms }) }, instance);
    };
    tell('begun');
    const began = performance.now();
    const run = this.#runOf(mandate, instance, order, deadline);
    this.#runs.add(run);
    try {
      const outcome = await run.run();
      const words = outcomeWords(outcome);
      await audit.end(auditId, words, performance.now() - began);
      tell(words, performance.now() - began);
      log('info', 'action', { ...facts, outcome: words });
      return { ...outcome, auditId };
    } catch (thrown) {
      const error = toArgoError(thrown);
      await audit.end(auditId, error.message, performance.now() - began);
      tell(error.message, performance.now() - began);
      log('warn', 'action', { ...facts, outcome: error.message, cause: error.cause });
      throw error;
    } finally {
      this.#runs.delete(run);
    }
  }
}

/** What the audit names as the command: `stop`, or `cycle: stop` where a command of another name does it. */
function commandOf({ through }: Mandate, { action }: PowerOrder): string {
  return through === undefined || through.word === action ? action : `${through.word}: ${action}`;
}

/** How the audit says that it went well. */
const outcomeWords = ({ result }: RunOutcome): string => (result === 'done' ? 'done' : 'already so');

/**
 * By what an operation is decided: the command through which it is asked for, where that command's own
 * right covers it, else nothing. So a command that says `read` of itself can never switch anything,
 * whoever uses it.
 */
function permissionFor({ through }: Mandate, operation: OperationName): Permission | undefined {
  const { right } = OPERATIONS[operation];
  if (through === undefined) return { word: operation, right };
  return through.right === right || right === 'read' ? through : undefined;
}
