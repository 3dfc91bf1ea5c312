import type { PowerState } from '../drivers/driver.js';
import { ArgoError } from '../kit/errors.js';
import {
  HARD_STOP_TIMEOUT, LAST_WORD, PRESS_AGAIN, READ_TIMEOUT, RECHECK_TIMEOUT, REFRESH_TIMEOUT, WAIT_POLL_FIRST, WAIT_POLL_LONGEST,
} from '../kit/limits.js';
import { formatDuration } from '../kit/text.js';
import { decide, goalOf, type Step } from './actions.js';
import { Deadline, DeadlineExceeded, explainDeadline } from '../kit/deadline.js';
import type { Instance } from './instance.js';
import { isForced, softTime, type Outcome, type PowerOrder } from './order.js';
import type { Registry } from './registry.js';

/** What a run works on. */
export interface PowerRunParts {
  readonly instance: Instance;
  readonly order: PowerOrder;
  /** milliseconds, where the caller says so */
  readonly deadline?: number | undefined;
  readonly registry: Registry;
  /** milliseconds, where the caller says nothing */
  readonly actionTimeout: number;
  /** asked again when the turn has come: a grant may have been taken away meanwhile. @throws ArgoError NOT ALLOWED */
  permit(): void;
}

/** What came of a run. */
export type RunOutcome = Omit<Outcome, 'auditId'>;

/** How sure we are that a step was taken on. */
type Sent = 'accepted' | 'doubtful';

/**
 * One power action on one instance, from its turn to its verified end. The rules that hold for every
 * kind of machine are here: what is there already is success, success is read from the machine and
 * never from a lost connection, and a clean stop in vain may be followed by a hard one.
 */
export class PowerRun {
  readonly #deadline: Deadline;
  readonly #began = performance.now();
  /** the deadlines of parts of the run */
  readonly #phases = new Set<Deadline>();
  /** why it is not waited for any longer: the server ends */
  #abandoned: ArgoError | undefined;
  #bootMark: string | undefined;
  /** the state when the turn had come */
  #before: PowerState = 'unknown';
  /** the goal was read from the machine after the order */
  #verified = false;
  readonly #parts: PowerRunParts;

  constructor(parts: PowerRunParts) {
    this.#parts = parts;
    this.#deadline = new Deadline(this.#limit);
  }

  /** @throws ArgoError with what is known */
  async run(): Promise<RunOutcome> {
    const leave = await this.#instance.turn.take(this.#deadline.signal).catch((thrown: unknown) => {
      throw thrown instanceof DeadlineExceeded ? new ArgoError('BUSY', `another action holds ${this.#name}`) : thrown;
    });
    try {
      this.#parts.permit();
      const result = await this.#act();
      return { result, before: this.#before, after: this.#instance.state, verified: this.#verified };
    } catch (thrown) {
      throw explainDeadline(thrown, this.#name);
    } finally {
      this.#deadline.clear();
      leave();
    }
  }

  /** Ends it early because the server ends: what was sent is then uncertain, what was not sent is not done. */
  abandon(): void {
    this.#abandoned = new ArgoError('SHUTTING DOWN');
    for (const deadline of [this.#deadline, ...this.#phases]) deadline.abort(this.#abandoned);
  }

  /** A deadline of one part of the run. */
  #within(ms: number): Deadline {
    const deadline = new Deadline(ms);
    this.#phases.add(deadline);
    if (this.#abandoned) deadline.abort(this.#abandoned);
    return deadline;
  }

  #end(phase: Deadline): void {
    phase.clear();
    this.#phases.delete(phase);
  }

  /** What would be sent now. @throws ArgoError as the action itself would */
  async plan(): Promise<Step | 'already' | 'under way'> {
    try {
      const state = await this.#observe();
      return this.#cleanWay(state) ?? decide(this.#order.action, this.#name, this.#instance.machine, state, isForced(this.#order));
    } catch (thrown) {
      throw explainDeadline(thrown, this.#name);
    } finally {
      this.#deadline.clear();
    }
  }

  get #instance(): Instance {
    return this.#parts.instance;
  }

  get #name(): string {
    return this.#instance.name;
  }

  get #order(): PowerOrder {
    return this.#parts.order;
  }

  /** Milliseconds for everything up to the end; the hard stop after a clean one has a time of its own. */
  get #limit(): number {
    const { wait } = this.#order;
    const timeout = softTime(this.#order) ?? this.#parts.deadline;
    if (typeof wait === 'number') return Math.max(timeout ?? 0, wait);
    return timeout ?? this.#parts.actionTimeout;
  }

  /** `--force` with `--timeout`: clean first, where there is a clean way from this state; then the plug. */
  #cleanWay(state: PowerState): 'shutdown' | 'under way' | undefined {
    if (this.#order.action !== 'stop' || softTime(this.#order) === undefined) return undefined;
    if (state === 'stopping') return 'under way';
    return (state === 'on' || state === 'starting' || state === 'unknown') && this.#instance.machine.shutdown ? 'shutdown' : undefined;
  }

  async #act(): Promise<Outcome['result']> {
    const { action, wait } = this.#order;
    const instance = this.#instance;
    let state = this.#before = await this.#observe();
    if (action === 'start' && (state === 'stopping' || (state === 'on' && instance.isStopping))) state = await this.#untilStopped();
    const clean = this.#cleanWay(state);
    if (clean) return this.#stopCleanThenHard(clean);
    const way = decide(action, this.#name, instance.machine, state, isForced(this.#order));
    if (way === 'already') return this.#asVerified('already');
    await this.#noteBoot();
    const sent = way === 'under way' ? 'accepted' : await this.#send(way, this.#deadline);
    if (way === 'shutdown' && sent === 'accepted') instance.expectStop(this.#parts.actionTimeout);
    else instance.forgetStop();
    if (wait !== false) await this.#verify(this.#deadline, sent, way === 'shutdown');
    else if (sent === 'doubtful') await this.#resolveDoubt();
    else await this.#refresh();
    return 'done';
  }

  async #stopCleanThenHard(way: 'shutdown' | 'under way'): Promise<'done'> {
    const clean = this.#within(softTime(this.#order)!);
    let mayBeAtWork = true;
    try {
      const sent = way === 'shutdown' ? await this.#send('shutdown', clean) : 'accepted';
      await this.#verify(clean, sent, way === 'shutdown');
      return 'done';
    } catch (thrown) {
      // One that was not sent because its time was over is one that was tried in vain.
      if (!clean.exceeded && this.#isRefusal(thrown)) throw thrown;
      mayBeAtWork = !(thrown instanceof ArgoError && thrown.phrase === 'UNREACHABLE');
    } finally {
      this.#end(clean);
    }
    try {
      return await this.#pullThePlug();
    } catch (thrown) {
      // the clean shutdown may still be at work: that nothing was done would not be true
      throw mayBeAtWork && thrown instanceof ArgoError && thrown.phrase === 'UNREACHABLE' ? this.#uncertain(thrown) : thrown;
    }
  }

  async #pullThePlug(): Promise<'done'> {
    const hard = this.#within(HARD_STOP_TIMEOUT);
    try {
      const state = await this.#read(hard);
      if (state === 'off') return this.#asVerified('done');
      if (!this.#instance.machine.powerOff) throw new ArgoError('TIMEOUT', `${this.#name} is still ${state}, and cannot be powered off`);
      await this.#verify(hard, await this.#send('powerOff', hard), false);
      return 'done';
    } finally {
      this.#end(hard);
    }
  }

  /** Whether the clean way ended in a way that pulling the plug must not follow: it was not even tried in vain. */
  #isRefusal(thrown: unknown): boolean {
    return thrown instanceof ArgoError && (thrown.phrase === 'UNREACHABLE' || thrown.phrase === 'ACCESS DENIED' || thrown.phrase === 'BUSY');
  }

  /** The state now, noted in the registry. */
  async #read(deadline: Deadline): Promise<PowerState> {
    const instance = this.#instance;
    const state = await instance.owner.call(deadline, (signal) => instance.machine.status(signal));
    this.#parts.registry.see(instance, state);
    return state;
  }

  #observe(): Promise<PowerState> {
    return this.#read(this.#deadline);
  }

  /** A clean stop is under way: what comes next waits until it has ended. */
  async #untilStopped(): Promise<PowerState> {
    let state = await this.#observe();
    for (let wait = WAIT_POLL_FIRST; state === 'stopping' || (state === 'on' && this.#instance.isStopping); wait = longer(wait)) {
      const late = () => new ArgoError('TIMEOUT', `${this.#name} was told to stop and is still ${state}`);
      await this.#deadline.pause(wait, (wake) => this.#instance.watch(wake));
      if (this.#abandoned) throw this.#abandoned;
      if (this.#deadline.exceeded) throw late();
      state = await this.#observe().catch((thrown: unknown) => { throw thrown instanceof DeadlineExceeded ? late() : thrown; });
    }
    return state;
  }

  /** A reboot leaves no state behind that it could be told by: only a mark that each boot changes. */
  async #noteBoot(): Promise<void> {
    const { machine } = this.#instance;
    const { action, wait } = this.#order;
    if (action !== 'reboot') return;
    if (!machine.bootMark) {
      if (wait !== false) throw new ArgoError('NOT SUPPORTED', `a reboot of ${this.#name} cannot be verified; leave out --wait`);
      return;
    }
    this.#bootMark = await this.#instance.owner.call(this.#deadline, (signal) => machine.bootMark!(signal));
  }

  /**
   * Sends one step.
   * @throws ArgoError where it was certainly not carried out
   */
  async #send(step: Step, deadline: Deadline): Promise<Sent> {
    const instance = this.#instance;
    let sending: Promise<void> | undefined;
    try {
      await instance.owner.call(deadline, (signal) => {
        sending = instance.machine[step]!(signal);
        return sending;
      });
      return 'accepted';
    } catch (thrown) {
      if (!sending) throw thrown;
      const told = deadline.exceeded ? await lastWord(sending) : thrown;
      if (told === 'done') return 'accepted';
      if (!(told instanceof ArgoError)) return 'doubtful';
      if (told.phrase === 'UNCERTAIN' || told.phrase === 'SHUTTING DOWN') return 'doubtful';
      if (told.phrase === 'WRONG STATE' && await this.#achieved(deadline)) return 'accepted';
      throw told;
    }
  }

  /** Whether the goal is there, read from the machine; false where that cannot be told. */
  async #achieved(deadline: Deadline): Promise<boolean> {
    try {
      const state = await this.#read(deadline);
      if (state !== goalOf(this.#order.action)) return false;
      if (this.#order.action === 'reboot' && !await this.#isRebooted(deadline)) return false;
      return this.#asVerified(true);
    } catch {
      return false;
    }
  }

  async #isRebooted(deadline: Deadline): Promise<boolean> {
    const { machine, owner } = this.#instance;
    if (this.#bootMark === undefined || !machine.bootMark) return false;
    return await owner.call(deadline, (signal) => machine.bootMark!(signal)) !== this.#bootMark;
  }

  /** Notes that the machine itself has said so. */
  #asVerified<Result>(result: Result): Result {
    this.#verified = true;
    return result;
  }

  /** The order was sent and its answer is missing: only the machine itself can say what came of it. */
  async #resolveDoubt(): Promise<void> {
    const deadline = new Deadline(RECHECK_TIMEOUT);
    const achieved = await this.#achieved(deadline);
    deadline.clear();
    if (!achieved) throw this.#uncertain();
  }

  #uncertain(cause?: unknown): ArgoError {
    return new ArgoError('UNCERTAIN', `the order was sent to ${this.#name} and its answer was lost; last seen ${this.#instance.state}`, { cause });
  }

  /** Waits until the goal is there. @throws ArgoError TIMEOUT or UNCERTAIN at the deadline */
  async #verify(deadline: Deadline, sent: Sent, clean: boolean): Promise<void> {
    let asked = performance.now();
    for (let wait = WAIT_POLL_FIRST; ; wait = longer(wait)) {
      const look = this.#within(Math.min(READ_TIMEOUT, deadline.left + 1));
      const achieved = await this.#achieved(look);
      this.#end(look);
      if (achieved) return;
      if (this.#instance.state === 'crashed' && goalOf(this.#order.action) === 'on') throw new ArgoError('FAILED', `${this.#name} has crashed`);
      if (deadline.exceeded) break;
      if (clean && this.#instance.machine.mayMissShutdown && performance.now() - asked > PRESS_AGAIN) {
        asked = performance.now();
        await this.#askAgain(deadline);
      }
      await deadline.pause(wait, (wake) => this.#instance.watch(wake));
    }
    if (sent === 'doubtful') return this.#resolveDoubt();
    if (this.#abandoned) throw new ArgoError('UNCERTAIN', `accepted, and last seen ${this.#instance.state} when the server ended`);
    this.#instance.forgetStop();
    throw new ArgoError('TIMEOUT', `accepted, but ${this.#name} is still ${this.#instance.state} after ${formatDuration(performance.now() - this.#began)}`);
  }

  /** The guest may have missed the request. That this one fails says nothing: the first may be at work. */
  async #askAgain(deadline: Deadline): Promise<void> {
    const instance = this.#instance;
    await instance.owner.call(deadline, (signal) => instance.machine.shutdown!(signal)).catch(() => undefined);
  }

  /** Keeps the registry fresh for the next `list`; the action is accepted whatever comes of this. */
  async #refresh(): Promise<void> {
    const deadline = new Deadline(REFRESH_TIMEOUT);
    const state = await this.#read(deadline).catch(() => undefined);
    deadline.clear();
    this.#verified = state === goalOf(this.#order.action) && this.#order.action !== 'reboot';
  }
}

/** What a step that was told to end comes to: only its driver knows whether anything was sent. Undefined where it does not say. */
function lastWord(sending: Promise<void>): Promise<unknown> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, LAST_WORD, undefined);
    void sending.then(() => 'done', (thrown: unknown) => thrown).then(resolve).finally(() => clearTimeout(timer));
  });
}

const longer = (wait: number): number => Math.min(wait * 2, WAIT_POLL_LONGEST);
