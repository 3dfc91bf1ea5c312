import type { PowerState } from '../drivers/driver.js';
import { ArgoError } from '../kit/errors.js';
import {
  FORCED_LOOK, HARD_STOP_TIMEOUT, LAST_WORD, PRESS_AGAIN, READ_TIMEOUT, RECHECK_TIMEOUT, REFRESH_TIMEOUT, WAIT_POLL_FIRST, WAIT_POLL_LONGEST,
} from '../kit/limits.js';
import { formatDuration } from '../kit/text.js';
import { cleanWay, decide, goalOf, type Step } from './actions.js';
import { Deadline, DeadlineExceeded, explainDeadline } from '../kit/deadline.js';
import type { Caller } from './calls.js';
import { ENDINGS, type Ending, type Holder } from './turn.js';
import type { Instance } from './instance.js';
import { isForced, softTime, type Outcome, type PowerOrder } from './order.js';
import { Progress, type Doing } from './progress.js';
import type { Registry } from './registry.js';

/** What a run works on. */
export interface PowerRunParts {
  readonly instance: Instance;
  readonly order: PowerOrder;
  readonly account: string;
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
export class PowerRun implements Holder {
  readonly #deadline: Deadline;
  readonly #began = performance.now();
  /** the deadlines of parts of the run */
  readonly #phases = new Set<Deadline>();
  /** of a phase that has ended, for the next one */
  #spare: AbortController | undefined;
  /** why it is not waited for any longer */
  #ending: Ending | undefined;
  readonly #progress = new Progress(() => this.end(ENDINGS.takenOver()));
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
    const { account } = this.#parts;
    const leave = await this.#instance.turn.take(this, account, isForced(this.#order), this.#deadline).catch((thrown: unknown) => {
      this.#deadline.clear();
      throw thrown instanceof DeadlineExceeded ? new ArgoError('BUSY', `another action holds ${this.#name}`) : thrown;
    });
    try {
      this.#parts.permit();
      const result = await this.#act();
      return { result, before: this.#before, after: this.#instance.state, verified: this.#verified };
    } catch (thrown) {
      throw explainDeadline(thrown, this.#name);
    } finally {
      this.#progress.end();
      this.#deadline.clear();
      leave();
    }
  }

  get title(): string {
    return isForced(this.#order) ? `${this.#order.action} --force` : this.#order.action;
  }

  get doing(): Doing {
    return this.#progress.doing;
  }

  /** Ends it early: what was sent is then uncertain, what was not sent is not done. The first reason counts; a later one may hurry it. */
  end(ending: Ending): void {
    if (this.#ending && ending.look >= this.#ending.look) return;
    this.#ending = { ...ending, unsent: this.#ending?.unsent ?? ending.unsent };
    for (const deadline of [this.#deadline, ...this.#phases]) deadline.abort(this.#ending.unsent);
  }

  giveWay(): void {
    this.#progress.giveWay();
  }

  /** A deadline of one part of the run. */
  #within(ms: number): Deadline {
    const deadline = new Deadline(ms, this.#spare);
    this.#spare = undefined;
    this.#phases.add(deadline);
    if (this.#ending) deadline.abort(this.#ending.unsent);
    return deadline;
  }

  #end(phase: Deadline): void {
    phase.clear();
    this.#phases.delete(phase);
    this.#spare ??= phase.spare;
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

  /**
   * Milliseconds until the order has to be accepted, and verified where no time of its own is said for that;
   * the hard stop after a clean one has a time of its own.
   */
  get #limit(): number {
    const { wait } = this.#order;
    const softFor = softTime(this.#order);
    if (softFor !== undefined) return typeof wait === 'number' ? Math.max(softFor, wait) : softFor;
    return this.#parts.deadline ?? (typeof wait === 'number' ? wait : this.#parts.actionTimeout);
  }

  /** By when the goal has to be seen: with both times, `--wait` counts from the acceptance. */
  #verifyingDeadline(): Deadline {
    const { wait } = this.#order;
    return typeof wait === 'number' && this.#parts.deadline !== undefined ? this.#within(wait) : this.#deadline;
  }

  get #caller(): Caller {
    return { account: this.#parts.account, urgency: isForced(this.#order) ? 'forced' : 'order' };
  }

  async #act(): Promise<Outcome['result']> {
    const { action, wait } = this.#order;
    const instance = this.#instance;
    this.#progress.begin('reading the state');
    let state = this.#before = await this.#observe();
    if (action === 'start' && this.#isGoingDown(state)) state = await this.#untilStopped();
    const clean = cleanWay(this.#order, instance.machine, state);
    if (clean) return this.#stopCleanThenHard(clean);
    const way = decide(action, this.#name, instance.machine, state, isForced(this.#order));
    if (way === 'already') return this.#asVerified('already');
    await this.#noteBoot();
    const sent = way === 'under way' ? 'accepted' : await this.#send(way, this.#deadline);
    // One whose answer was lost may be at work all the same, so that it counts too.
    if (way === 'shutdown') instance.expectStop(this.#parts.actionTimeout);
    else instance.forgetStop();
    if (wait !== false) await this.#verify(this.#verifyingDeadline(), sent, way === 'shutdown');
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
      if (this.#ending) throw thrown;
      // One that was not sent because its time was over is one that was tried in vain.
      if (!clean.exceeded && this.#isRefusal(thrown)) throw thrown;
      mayBeAtWork = !(thrown instanceof ArgoError && thrown.phrase === 'UNREACHABLE');
    } finally {
      this.#end(clean);
    }
    try {
      return await this.#pullThePlug();
    } catch (thrown) {
      if (!mayBeAtWork || !(thrown instanceof ArgoError) || thrown.phrase !== 'UNREACHABLE') throw thrown;
      // the clean shutdown may still be at work: that nothing was done would not be true
      this.#instance.expectStop(this.#parts.actionTimeout);
      throw this.#uncertain(thrown);
    }
  }

  async #pullThePlug(): Promise<'done'> {
    const hard = this.#within(HARD_STOP_TIMEOUT);
    try {
      const state = await this.#look(hard);
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
    const state = await instance.owner.call(deadline, (signal) => instance.machine.status(signal), this.#caller);
    this.#parts.registry.see(instance, state);
    return state;
  }

  #observe(): Promise<PowerState> {
    return isForced(this.#order) ? this.#look(this.#deadline) : this.#read(this.#deadline);
  }

  /** The state as far as it can be had in a short time: a machine that hangs is what `--force` may be for. */
  async #look(deadline: Deadline): Promise<PowerState> {
    const look = this.#within(Math.min(FORCED_LOOK, deadline.left / 2));
    try {
      return await this.#read(look);
    } catch (thrown) {
      if (thrown instanceof DeadlineExceeded && !deadline.exceeded) return 'unknown';
      throw thrown;
    } finally {
      this.#end(look);
    }
  }

  #isGoingDown(state: PowerState): boolean {
    return state === 'stopping' || (state === 'on' && this.#instance.isStopping);
  }

  /** A clean stop is under way: what comes next waits until it has ended. */
  async #untilStopped(): Promise<PowerState> {
    this.#progress.begin('waiting for an earlier stop');
    let state = await this.#observe();
    for (let wait = WAIT_POLL_FIRST; this.#isGoingDown(state); wait = longer(wait)) {
      const late = () => new ArgoError('TIMEOUT', `${this.#name} was told to stop and is still ${state}`);
      await this.#deadline.pause(wait, (wake) => this.#instance.watch(wake));
      if (this.#ending) throw this.#ending.unsent;
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
    this.#bootMark = await this.#instance.owner.call(this.#deadline, (signal) => machine.bootMark!(signal), this.#caller).catch((thrown: unknown) => {
      // A machine that has no mark to show can be told to restart all the same, where nobody waits for it.
      if (wait === false && thrown instanceof ArgoError && thrown.phrase === 'FAILED') return undefined;
      throw thrown;
    });
  }

  /**
   * Sends one step.
   * @throws ArgoError where it was certainly not carried out
   */
  async #send(step: Step, deadline: Deadline): Promise<Sent> {
    const instance = this.#instance;
    let sending: Promise<void> | undefined;
    this.#progress.begin('sending');
    try {
      await instance.owner.call(deadline, (signal) => {
        instance.owner.changed(instance.machine.id);
        sending = instance.machine[step]!(signal);
        return sending;
      }, this.#caller);
      return 'accepted';
    } catch (thrown) {
      if (!sending) throw thrown;
      const told = deadline.exceeded ? await lastWord(sending) : thrown;
      if (told === 'done') return 'accepted';
      // a driver that passes on why it was told to end does not say that nothing was sent
      if (!(told instanceof ArgoError) || told === deadline.reason) return 'doubtful';
      if (told.phrase === 'UNCERTAIN' || told === this.#ending?.unsent) return 'doubtful';
      if (told.phrase === 'WRONG STATE' && await this.#achieved(deadline)) return 'accepted';
      throw told;
    } finally {
      instance.owner.changed(instance.machine.id);
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
    return await owner.call(deadline, (signal) => machine.bootMark!(signal), this.#caller) !== this.#bootMark;
  }

  /** Notes that the machine itself has said so. */
  #asVerified<Result>(result: Result): Result {
    this.#verified = true;
    return result;
  }

  /** The order was sent and its answer is missing: only the machine itself can say what came of it. */
  async #resolveDoubt(): Promise<void> {
    const deadline = new Deadline(this.#ending?.look ?? RECHECK_TIMEOUT);
    const achieved = await this.#achieved(deadline);
    deadline.clear();
    if (!achieved) throw this.#uncertain();
  }

  #uncertain(cause?: unknown): ArgoError {
    const missing = this.#ending ? `without an answer yet when ${this.#ending.event}` : 'and its answer was lost';
    return new ArgoError('UNCERTAIN', `the order was sent to ${this.#name} ${missing}; last seen ${this.#instance.state}${this.#complaint}`, { cause });
  }

  /** What the machine said against an order that it had accepted, as the end of a sentence. */
  get #complaint(): string {
    const { complaint } = this.#instance.machine;
    return complaint === undefined ? '' : `; it complained: ${complaint}`;
  }

  /** Waits until the goal is there. @throws ArgoError TIMEOUT or UNCERTAIN at the deadline */
  async #verify(deadline: Deadline, sent: Sent, clean: boolean): Promise<void> {
    let asked = performance.now();
    this.#progress.begin('verifying');
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
    if (this.#ending) throw new ArgoError('UNCERTAIN', `accepted, and last seen ${this.#instance.state} when ${this.#ending.event}${this.#complaint}`);
    this.#instance.forgetStop();
    const duration = formatDuration(performance.now() - this.#began);
    const found = this.#order.action === 'reboot' ? `has not been seen to restart in ${duration}` : `is still ${this.#instance.state} after ${duration}`;
    throw new ArgoError('TIMEOUT', `accepted, but ${this.#name} ${found}${this.#complaint}`);
  }

  /** The guest may have missed the request. That this one fails says nothing: the first may be at work. */
  async #askAgain(deadline: Deadline): Promise<void> {
    const instance = this.#instance;
    await instance.owner.call(deadline, (signal) => instance.machine.shutdown!(signal), this.#caller).catch(() => undefined);
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
