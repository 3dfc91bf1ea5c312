import type { PowerState, Readings } from '../drivers/driver.js';
import { PacedLog } from '../kit/paced-log.js';
import { LinkedList } from '../kit/linked-list.js';
import type { Log } from '../kit/log.js';
import { ArgoError } from '../kit/errors.js';
import { FORCED_LOOK, READ_TIMEOUT } from '../kit/limits.js';
import type { AuditLog } from '../store/audit-entry.js';
import type { TaskStore } from '../store/tasks.js';
import { formatDuration } from '../kit/text.js';
import { mustBeChecked, notSupported, refuseSecond, requireSupport, requireVerifiable, STEP_WORDS, wayOf, type Way } from './actions.js';
import { DeadlineExceeded, explainDeadline } from '../kit/deadline.js';
import { Signals } from '../kit/signals.js';
import { notLonger, onAbort } from '../kit/within.js';
import type { ConsoleOrder } from './console-order.js';
import { Consoles, type ConsoleHolder, type HeldConsole, type OpenConsole } from './consoles.js';
import { Shares } from './fan-out.js';
import { checkSecond, farChange, farPower, type FarRun } from './far-run.js';
import type { Instance } from './instance.js';
import type { OperationName } from './operation-table.js';
import { describeOptions, isForced, softTime, type Call, type Change, type ChangeOutcome, type Milliseconds, type Outcome, type PowerOrder, type ReadCall } from './order.js';
import { PowerRun, type RunOutcome } from './power-run.js';
import { SettingRun, valueWord, type SettingOutcome, type SettingRunParts } from './setting-run.js';
import { allows, allowsProvider } from './permits.js';
import type { Mandate } from './principal.js';
import type { Owner } from './owner.js';
import type { Asking, Question } from './readings.js';
import type { Registry } from './registry.js';
import { RunningTasks, type TaskInfo } from './running-tasks.js';
import { WorkTasks } from './work-tasks.js';
import { Works } from './works.js';

export type { TaskInfo } from './running-tasks.js';
export type { Readings } from '../drivers/driver.js';
export type ReadingName = keyof Readings;

/** What the gate works with. */
export interface OperationsParts {
  readonly registry: Registry;
  readonly audit: AuditLog;
  readonly log: Log;
  /** where work that is a task is written down; left out: there is none */
  readonly workTasks?: TaskStore;
  /** milliseconds for a power action where neither request nor provider says */
  actionTimeout(): number;
}

/**
 * The one gate to the machines. It authorises by what is done, gives each instance's actions their
 * turns, sets the deadline, carries out, verifies and records. Whoever asks holds an actor, which is
 * all that leaves this room.
 */
export class Operations {
  /** of what an account reads at a time */
  readonly readingShares = new Shares();
  /** management beyond power */
  readonly works: Works;
  /** of that, what is a task */
  readonly written: WorkTasks;
  readonly #signals = new Signals();
  readonly #tasks: RunningTasks;
  readonly #consoles: Consoles;
  /** the server ends: why nothing is read any longer */
  #readingsOver: ArgoError | undefined;
  readonly #parts: OperationsParts;
  /** a driver with a fault has it with each of its machines */
  readonly #unknown: PacedLog;

  constructor(parts: OperationsParts) {
    this.#parts = parts;
    this.#unknown = new PacedLog(parts.log, 'status unknown', { level: 'error', count: 'unknown' });
    this.#tasks = new RunningTasks(parts);
    this.#consoles = new Consoles(parts);
    this.written = new WorkTasks({ store: parts.workTasks, log: parts.log });
    this.works = new Works({ ...parts, tasks: this.#tasks, written: this.written, signals: this.#signals, ask: (...asked) => this.#ask(...asked) });
  }

  /** A power action. @throws ArgoError */
  async power(mandate: Mandate, instance: Instance, order: PowerOrder, call: Call): Promise<Outcome> {
    this.#authorise(mandate, order.action, instance);
    requireSupport(order.action, instance.name, instance.machine, order.mode === 'hard');
    return this.#tasks.carryOut(mandate, instance, {
      operation: order.action,
      options: describeOptions(order, call.deadline),
      isAllowed: () => allows(mandate, order.action, instance),
      begin: () => this.#runOf(mandate, instance, order, call.deadline),
    });
  }

  /** A change of a machine's settings. @throws ArgoError */
  async configure(mandate: Mandate, instance: Instance, change: Change, call: Call): Promise<ChangeOutcome> {
    this.#authorise(mandate, change.operation, instance);
    if (!instance.machine[change.operation]) throw notSupported(instance.name, change.operation);
    return this.#tasks.carryOut(mandate, instance, {
      operation: change.operation,
      options: valueWord(change),
      isAllowed: () => allows(mandate, change.operation, instance),
      begin: () => this.#settingRunOf(mandate, instance, change, call.deadline),
    });
  }

  /** How a setting of a machine is now, for who may change it; undefined where it is neither on nor off. @throws ArgoError */
  async setting(mandate: Mandate, instance: Instance, name: Change['operation'], call: Call, open?: LinkedList<Asking>): Promise<boolean | undefined> {
    this.#authorise(mandate, name, instance);
    const { machine, owner } = instance;
    const setting = machine[name];
    if (!setting) throw notSupported(instance.name, name);
    return this.#ask(owner, {
      id: machine.id, name, account: mandate.identity.name, ms: call.deadline ?? READ_TIMEOUT,
      ask: (signal) => setting.read(signal),
      isAllowed: () => allows(mandate, name, instance),
    }, call.signal, open).catch((thrown: unknown) => { throw explainDeadline(thrown, instance.name); });
  }

  /** What a change would do, in words. @throws ArgoError as the change would */
  async planChange(mandate: Mandate, instance: Instance, change: Change, call: Call, open?: LinkedList<Asking>): Promise<string> {
    const isOn = await this.setting(mandate, instance, change.operation, call, open);
    const now = isOn === undefined ? 'neither on nor off' : valueWord({ value: isOn });
    return isOn === change.value ? `nothing, ${change.operation} is ${now} already` : `${change.operation} ${valueWord(change)} (it is ${now})`;
  }

  /**
   * What a power action would do, in words. Nothing is sent: it is a reading, with a reading's place and end.
   * @throws ArgoError as the action would
   */
  async plan(mandate: Mandate, instance: Instance, order: PowerOrder, call: Call, open?: LinkedList<Asking>): Promise<string> {
    this.#authorise(mandate, order.action, instance);
    if (instance.machine.far) return this.#planFar(mandate, instance, order, call, open);
    const state = await this.#stateFor(mandate, instance, order, call, open);
    const isAfterStop = order.action === 'start' && instance.isGoingDown(state);
    const way = wayOf(order, instance.name, instance.machine, isAfterStop ? 'off' : state);
    refuseSecond(order, way, instance.name, () => this.#placeElsewhere(mandate, instance));
    if (way !== 'already') requireVerifiable(order, instance.name, instance.machine);
    const words = isAfterStop ? `start, when an earlier stop has ended (it is ${state})` : planWords(way, state, softTime(order));
    const { holder } = instance.turn;
    if (holder === undefined) return words;
    return isForced(order) ? `${words}, in place of another action that holds it: ${holder.title}` : `${words}, after another action that holds it: ${holder.title}`;
  }

  /**
   * One reading of a machine, asked of it now or not longer ago than the call allows.
   * @param open holds it while it is under way, so that it can be ended early
   * @throws ArgoError
   */
  read<Name extends ReadingName>(mandate: Mandate, instance: Instance, name: Name, call: ReadCall, open?: LinkedList<Asking>): Promise<Readings[Name]> {
    if (!allows(mandate, name, instance)) return Promise.reject(new ArgoError('NOT ALLOWED'));
    const read = instance.machine[name] as ((signal: AbortSignal) => Promise<Readings[Name]>) | undefined;
    if (!read) return Promise.reject(notSupported(instance.name, name));
    const answer = this.#ask(instance.owner, {
      id: instance.machine.id, name, account: mandate.identity.name, ms: call.deadline ?? READ_TIMEOUT, maxAge: call.maxAge,
      ask: (signal) => read.call(instance.machine, signal),
      isAllowed: () => allows(mandate, name, instance),
    }, call.signal, open);
    return name === 'status' ? this.#asStatus(instance, answer as Promise<PowerState>, call.signal) as Promise<Readings[Name]>
      : answer.catch((thrown: unknown) => { throw explainDeadline(thrown, instance.name); });
  }

  /** What each boot of a machine changes, also for another process; undefined where it has no such mark. @throws ArgoError */
  async bootMark(mandate: Mandate, instance: Instance, call: Call, open?: LinkedList<Asking>): Promise<string | undefined> {
    this.#authorise(mandate, 'reboot', instance);
    const { machine, owner } = instance;
    if (!machine.bootMark || machine.bootMarkLasts !== true) return undefined;
    return this.#ask(owner, {
      id: machine.id, name: 'bootMark', account: mandate.identity.name, ms: call.deadline ?? READ_TIMEOUT,
      ask: (signal) => machine.bootMark!(signal),
      isAllowed: () => allows(mandate, 'reboot', instance),
    }, call.signal, open).catch((thrown: unknown) => { throw explainDeadline(thrown, instance.name); });
  }

  /** A console; of a screen, who may only look is given no more. @param held told of it before it is opened @throws ArgoError */
  async openConsole(mandate: Mandate, instance: Instance, order: ConsoleOrder, call: Call, held: (one: HeldConsole) => () => void): Promise<OpenConsole> {
    const operation = this.#consoleOperation(mandate, instance, order);
    this.#authorise(mandate, operation, instance);
    return this.#consoles.open(mandate, instance, operation, order, call, held);
  }

  /** Who has a console of an instance, for who may open one. @throws ArgoError NOT ALLOWED */
  consoleHolders(mandate: Mandate, instance: Instance): readonly ConsoleHolder[] {
    const may = (['console.open', 'console.view', 'console.shell'] as const).some((one) => allows(mandate, one, instance));
    if (!may) throw new ArgoError('NOT ALLOWED');
    return this.#consoles.holders(instance);
  }

  /** Whoever may touch may look. */
  #consoleOperation(mandate: Mandate, instance: Instance, { kind, viewOnly }: ConsoleOrder): OperationName {
    if (kind === 'shell') return 'console.shell';
    return viewOnly === true && !allows(mandate, 'console.open', instance) ? 'console.view' : 'console.open';
  }

  /** The hypervisor's log. @throws ArgoError */
  async dmesg(mandate: Mandate, provider: Owner, call: Call, open?: LinkedList<Asking>): Promise<string> {
    const isAllowed = (): boolean => allowsProvider(mandate, 'dmesg', provider.name);
    if (!isAllowed()) throw new ArgoError('NOT ALLOWED');
    try {
      return await this.#ask(provider, {
        id: '', name: 'dmesg', account: mandate.identity.name, ms: call.deadline ?? READ_TIMEOUT, isAllowed,
        ask: (signal) => provider.dmesg(signal),
      }, call.signal, open);
    } catch (thrown) {
      throw explainDeadline(thrown, provider.name);
    }
  }

  /** The actions under way that a mandate may know of. */
  tasks(mandate: Mandate): readonly TaskInfo[] {
    return this.#tasks.list(mandate);
  }

  /** Ends the waiting of an action. What was sent stays sent. @throws ArgoError NO SUCH TASK */
  cancel(mandate: Mandate, id: string): void {
    this.#tasks.cancel(mandate, id);
  }

  /** After a reload: what somebody waits for and may not do any longer is ended. */
  review(): void {
    const reason = ({ isAllowed }: Question): Error | undefined => (isAllowed() ? undefined : new ArgoError('NOT ALLOWED'));
    this.#parts.registry.providers().forEach((provider) => provider.endReadings(reason));
    this.#consoles.review(allows);
    this.#tasks.review();
  }

  /**
   * Takes no further power actions and waits for those that run; those that run longer are told to end,
   * and so are readings.
   * @param ms how long they may go on
   * @param last milliseconds after that in which they have to say what is known
   */
  async drain(ms: number, last: number): Promise<void> {
    setTimeout(() => this.#endReadings(), ms).unref();
    await Promise.all([this.#tasks.drain(ms, last), this.#consoles.drain(ms + last)]);
    await notLonger(last, this.written.settled());
  }

  /** Ends what runs without a further look, so that the audit says at least what is known. @param ms in which it has to end */
  async hurry(ms: number): Promise<void> {
    this.#endReadings();
    await Promise.all([this.#tasks.hurry(ms), this.#consoles.drain(ms)]);
    await notLonger(ms, this.written.settled());
  }

  #endReadings(): void {
    const over = this.#readingsOver = new ArgoError('SHUTTING DOWN');
    this.#parts.registry.providers().forEach((provider) => provider.endReadings(() => over));
  }

  #authorise(mandate: Mandate, operation: OperationName, instance: Instance): void {
    if (!allows(mandate, operation, instance)) throw new ArgoError('NOT ALLOWED');
  }

  #runOf(mandate: Mandate, instance: Instance, order: PowerOrder, deadline: Milliseconds | undefined): PowerRun | FarRun<RunOutcome> {
    const { registry } = this.#parts;
    const { far } = instance.machine;
    const parts = {
      instance, order, deadline, registry,
      signals: this.#signals,
      account: mandate.identity.name,
      actionTimeout: this.#timeOf(instance),
      permit: () => this.#authorise(mandate, order.action, instance),
      placeElsewhere: () => this.#placeElsewhere(mandate, instance),
    };
    return far ? farPower(far, { ...parts, from: mandate.origin }) : new PowerRun(parts);
  }

  #settingRunOf(mandate: Mandate, instance: Instance, change: Change, deadline: Milliseconds | undefined): SettingRun | FarRun<SettingOutcome> {
    const { far } = instance.machine;
    const parts: SettingRunParts = {
      instance, change,
      signals: this.#signals,
      account: mandate.identity.name,
      deadline: deadline ?? this.#timeOf(instance),
      permit: () => this.#authorise(mandate, change.operation, instance),
    };
    return far ? farChange(far, { ...parts, from: mandate.origin }) : new SettingRun(parts);
  }

  /** What the gate behind which a machine stands would do. */
  async #planFar(mandate: Mandate, instance: Instance, order: PowerOrder, call: Call, open: LinkedList<Asking> | undefined): Promise<string> {
    const { machine, owner } = instance;
    const account = mandate.identity.name;
    const ask = <T>(name: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> => this.#ask(owner, {
      id: machine.id, name, account, ms: call.deadline ?? READ_TIMEOUT, ask: work,
      isAllowed: () => allows(mandate, order.action, instance),
    }, call.signal, open);
    try {
      await checkSecond(instance, order, () => this.#placeElsewhere(mandate, instance), () => ask('status', (signal) => machine.status(signal)));
      const name = `plan ${order.action} ${describeOptions(order, call.deadline)}`;
      return await ask(name, (signal) =>
        machine.far!.plan(order, {
          account,
          from: mandate.origin,
          deadline: call.deadline,
          actionTimeout: this.#timeOf(instance),
          signal,
        }),
      );
    } catch (thrown) {
      throw explainDeadline(thrown, instance.name);
    }
  }

  /** Milliseconds for an action where the caller says nothing. */
  #timeOf({ owner }: Instance): number {
    return owner.actionTimeout ?? this.#parts.actionTimeout();
  }

  /** Who may not see the other provider's instance is not told its name. */
  #placeElsewhere(mandate: Mandate, instance: Instance): string | undefined {
    const other = this.#parts.registry.onElsewhere(instance);
    return other && (mandate.identity.principal.sees(other) ? `is ${other.state} as ${other.fullName}` : `is ${other.state} elsewhere`);
  }

  /** The state from which an order would begin. `--force` does not need it for long: a machine that hangs is what it may be for. */
  async #stateFor(mandate: Mandate, instance: Instance, order: PowerOrder, call: Call, open: LinkedList<Asking> | undefined): Promise<PowerState> {
    const { machine, owner } = instance;
    const ms = call.deadline ?? softTime(order) ?? READ_TIMEOUT;
    const ask = <T>(name: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> => this.#ask(owner, {
      id: machine.id, name, account: mandate.identity.name, ms: isForced(order) ? Math.min(FORCED_LOOK, ms / 2) : ms,
      ask: work,
      isAllowed: () => allows(mandate, order.action, instance),
    }, call.signal, open);
    try {
      const state = await ask('status', (signal) => machine.status(signal));
      this.#parts.registry.see(instance, state);
      if (mustBeChecked(order, machine, state)) await ask('checkOrder', (signal) => machine.checkOrder!(signal));
      return state;
    } catch (thrown) {
      if (isForced(order) && thrown instanceof DeadlineExceeded) return 'unknown';
      throw explainDeadline(thrown, instance.name);
    }
  }

  /** `unknown` where the state cannot be had, whatever the reason; but who may not ask any longer, or nobody, is told so. */
  async #asStatus(instance: Instance, answer: Promise<PowerState>, signal: AbortSignal | undefined): Promise<PowerState> {
    try {
      const state = await answer;
      this.#parts.registry.see(instance, state);
      return state;
    } catch (thrown) {
      if (signal?.aborted && thrown === signal.reason) throw thrown;
      if (thrown instanceof ArgoError && (thrown.phrase === 'NOT ALLOWED' || thrown.phrase === 'SHUTTING DOWN')) throw thrown;
      const isExpected = thrown instanceof ArgoError || thrown instanceof DeadlineExceeded || thrown === signal?.reason;
      if (!isExpected) this.#unknown.add({ instance: instance.fullName, cause: thrown });
      else this.#parts.log('debug', 'status unknown', { instance: instance.fullName, reason: String(thrown) });
      return 'unknown';
    }
  }

  /** Asks a provider, until the caller's signal ends that. */
  #ask<T>(provider: Owner, question: Question<T>, signal: AbortSignal | undefined, open: LinkedList<Asking> | undefined): Promise<T> {
    if (this.#readingsOver) return Promise.reject(this.#readingsOver);
    if (signal === undefined) return provider.read(question, open);
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    const mine = new LinkedList<Asking>();
    const forget = onAbort(signal, (reason) => { for (const one of mine) one.end(reason as Error); });
    return provider.read(question, mine).finally(forget);
  }
}

/** What a way means, to people. */
function planWords(way: Way, state: PowerState, softFor: Milliseconds | undefined): string {
  if (way === 'already') return `nothing, it is ${state} already`;
  if (way === 'under way') return `nothing, it is ${state} already and would be waited for`;
  const then = way === 'shutdown' && softFor !== undefined ? `, then power off after ${formatDuration(softFor)}` : '';
  return `${STEP_WORDS[way]}${then} (it is ${state})`;
}
