import type { PowerState } from '../drivers/driver.js';
import { longer } from '../kit/backoff.js';
import { ArgoError } from '../kit/errors.js';
import {
  FORCED_LOOK, HARD_STOP_TIMEOUT, PRESS_AGAIN, READ_TIMEOUT, RECHECK_TIMEOUT, REFRESH_TIMEOUT, WAIT_POLL_FIRST, WAIT_POLL_LONGEST,
} from '../kit/limits.js';
import { afterClean, cleanEnd, cleanWay, decide, goalOf, isRefusal, mustBeChecked, refuseSecond, requireVerifiable, type CleanEnd, type Step, type Way } from './actions.js';
import { Deadline, DeadlineExceeded, explainDeadline } from '../kit/deadline.js';
import { Boot } from './boot.js';
import { Sight } from './sight.js';
import type { Caller } from './calls.js';
import { requireSettled } from './lease.js';
import { ENDINGS, lastWord, type Ending, type Holder } from './turn.js';
import type { Instance } from './instance.js';
import { isForced, softTime, type Outcome, type PowerOrder } from './order.js';
import { Progress, type Doing } from './progress.js';
import type { Signals } from '../kit/signals.js';
import type { Registry } from './registry.js';

/** What a run works on. */
export interface PowerRunParts {
  readonly instance: Instance;
  readonly order: PowerOrder;
  readonly account: string;
  /** milliseconds, where the caller says so */
  readonly deadline?: number | undefined;
  readonly registry: Registry;
  readonly signals?: Signals;
  /** milliseconds, where the caller says nothing */
  readonly actionTimeout: number;
  /** asked again when the turn has come: a grant may have been taken away meanwhile. @throws ArgoError NOT ALLOWED */
  permit(): void;
  /** Where the same machine is on already, in words for the caller; undefined where it is not. */
  placeElsewhere?(this: void): string | undefined;
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
  /** the deadlines of parts of the run */
  readonly #phases = new Set<Deadline>();
  /** why it is not waited for any longer */
  #ending: Ending | undefined;
  readonly #progress = new Progress(() => this.end(ENDINGS.takenOver()));
  readonly #boot: Boot;
  /** the state when the turn had come */
  #before: PowerState = 'unknown';
  /** the goal was read from the machine after the order */
  #verified = false;
  readonly #sight: Sight;
  readonly #parts: PowerRunParts;

  constructor(parts: PowerRunParts) {
    this.#parts = parts;
    this.#deadline = new Deadline(this.#limit, parts.signals);
    this.#boot = new Boot(parts.instance, this.#caller);
    this.#sight = new Sight(parts.instance);
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
      [this.#deadline, ...this.#phases].forEach((one) => one.clear());
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
    const deadline = new Deadline(ms, this.#parts.signals);
    this.#phases.add(deadline);
    if (this.#ending) deadline.abort(this.#ending.unsent);
    return deadline;
  }

  #end(phase: Deadline): void {
    phase.clear();
    this.#phases.delete(phase);
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
    // the time for the clean way begins when the turn has come
    if (softFor !== undefined) return Math.max(softFor, this.#parts.actionTimeout, typeof wait === 'number' ? wait : 0);
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
    if (mustBeChecked(this.#order, instance.machine, state)) {
      await instance.owner.call(this.#deadline, (signal) => instance.machine.checkOrder!(signal), this.#caller);
    }
    if (action === 'start' && instance.isGoingDown(state)) state = await this.#untilStopped();
    const clean = cleanWay(this.#order, instance.machine, state);
    if (clean) return this.#stopCleanThenHard(clean);
    const way = decide(action, this.#name, instance.machine, state, isForced(this.#order));
    if (way === 'already') return this.#asVerified('already');
    refuseSecond(this.#order, way, this.#name, this.#parts.placeElsewhere);
    await this.#noteBoot(way);
    const sent = way === 'under way' ? 'accepted' : await this.#send(way, this.#deadline);
    // One whose answer was lost may be at work all the same, so that it counts too.
    if (way === 'shutdown') instance.expectStop(this.#parts.actionTimeout);
    else instance.forgetStop();
    if (wait !== false) await this.#verify(this.#verifyingDeadline(), sent, way);
    else if (sent === 'doubtful') await this.#resolveDoubt();
    else await this.#refresh();
    return 'done';
  }

  async #stopCleanThenHard(way: 'shutdown' | 'under way'): Promise<'done'> {
    const clean = this.#within(softTime(this.#order)!);
    let before: CleanEnd;
    try {
      await this.#noteBoot(way);
      const sent = way === 'shutdown' ? await this.#send('shutdown', clean) : 'accepted';
      await this.#verify(clean, sent, way);
      return 'done';
    } catch (thrown) {
      // One that was not sent because its time was over is one that was tried in vain.
      if (this.#ending || (!clean.exceeded && isRefusal(thrown))) throw thrown;
      before = cleanEnd(thrown);
    } finally {
      this.#end(clean);
    }
    try {
      return await this.#pullThePlug();
    } catch (thrown) {
      if (before === 'not sent' || !(thrown instanceof ArgoError)) throw thrown;
      // the clean shutdown may still be at work: that nothing was done would not be true
      const told = this.#saysUnsent(thrown) ? this.#sight.uncertain(this.#ending, thrown) : afterClean(before, thrown, this.#name);
      if (told !== thrown) this.#instance.expectStop(this.#parts.actionTimeout);
      throw told;
    }
  }

  /** Whether an order came to nothing for a reason that says nothing of the one before it: the machine was not found, or it was ended before. */
  #saysUnsent(thrown: ArgoError): boolean {
    return thrown === this.#ending?.unsent || thrown.phrase === 'UNREACHABLE' || thrown.phrase === 'NO SUCH INSTANCE';
  }

  async #pullThePlug(): Promise<'done'> {
    const hard = this.#within(HARD_STOP_TIMEOUT);
    try {
      const state = await this.#look(hard).catch((thrown: unknown) => {
        if (this.#isOffAsGone(thrown)) return 'off';
        throw thrown;
      });
      if (state === 'off') return this.#asVerified('done');
      if (!this.#instance.machine.powerOff) throw new ArgoError('TIMEOUT', `${this.#name} is still ${state}, and cannot be powered off`);
      await this.#verify(hard, await this.#send('powerOff', hard), 'powerOff');
      return 'done';
    } finally {
      this.#end(hard);
    }
  }

  /** The state now, noted in the registry. */
  async #read(deadline: Deadline): Promise<PowerState> {
    const instance = this.#instance;
    const state = await instance.owner.call(deadline, (signal) => instance.machine.status(signal), { ...this.#caller, isLook: true });
    this.#sight.note(state);
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

  /** A clean stop is under way: what comes next waits until it has ended. */
  async #untilStopped(): Promise<PowerState> {
    this.#progress.begin('waiting for an earlier stop');
    let state = await this.#observe();
    for (let wait = WAIT_POLL_FIRST; this.#instance.isGoingDown(state); wait = longer(wait, WAIT_POLL_LONGEST)) {
      const late = () => new ArgoError('TIMEOUT', `${this.#name} was told to stop and is still ${state}`);
      await this.#deadline.pause(wait, (wake) => this.#instance.watch(wake));
      if (this.#ending) throw this.#ending.unsent;
      if (this.#deadline.exceeded) throw late();
      state = await this.#observe().catch((thrown: unknown) => { throw thrown instanceof DeadlineExceeded ? late() : thrown; });
    }
    return state;
  }

  /**
   * A reboot leaves no state behind that it could be told by: only a mark that each boot changes. The same
   * tells whether a machine whose button is pressed again has started anew meanwhile.
   */
  async #noteBoot(way: Way): Promise<void> {
    const { machine, owner: { lease } } = this.#instance;
    const { action, wait } = this.#order;
    if (action !== 'reboot') {
      if (machine.mayMissShutdown && machine.bootMark && way === 'shutdown' && (wait !== false || softTime(this.#order) !== undefined)) {
        await this.#boot.note(this.#deadline).catch(() => undefined);
      }
      return;
    }
    requireVerifiable(this.#order, this.#name, machine);
    if (!machine.bootMark) {
      if (lease) requireSettled(lease, this.#parts.actionTimeout, this.#name);
      return;
    }
    await this.#boot.note(this.#deadline).catch((thrown: unknown) => {
      // A machine that has no mark to show can be told to restart all the same, where nobody waits for it.
      if (wait !== false || !(thrown instanceof ArgoError) || thrown.phrase !== 'FAILED') throw thrown;
      if (lease) requireSettled(lease, this.#parts.actionTimeout, this.#name);
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
      this.#sight.noteDoubt(told);
      // a driver that passes on why it was told to end does not say that nothing was sent
      if (!(told instanceof ArgoError) || told === deadline.reason || told.phrase === 'UNCERTAIN' || told === this.#ending?.unsent) return 'doubtful';
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
      if (this.#order.action === 'reboot' && !await this.#boot.isAnother(deadline)) return false;
      return this.#asVerified(true);
    } catch (thrown) {
      return this.#isOffAsGone(thrown);
    }
  }

  /** Whether a look failed because the machine is gone, so that it is off as it should be. */
  #isOffAsGone(thrown: unknown): boolean {
    if (!this.#sight.noteFailure(thrown) || !this.#instance.machine.isOffWhenGone || goalOf(this.#order.action) !== 'off') return false;
    if (this.#parts.placeElsewhere?.() !== undefined) return false;
    this.#parts.registry.see(this.#instance, 'off');
    return this.#asVerified(true);
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
    if (!achieved) throw this.#sight.uncertain(this.#ending);
  }

  /** Waits until the goal is there. @throws ArgoError TIMEOUT or UNCERTAIN at the deadline */
  async #verify(deadline: Deadline, sent: Sent, way: Way): Promise<void> {
    let asked = performance.now();
    const mayBeMissed = this.#instance.machine.mayMissShutdown && (way === 'shutdown' || way === 'reboot');
    this.#progress.begin('verifying');
    for (let wait = WAIT_POLL_FIRST; ; wait = longer(wait, WAIT_POLL_LONGEST)) {
      const look = this.#within(Math.min(READ_TIMEOUT, deadline.left + 1));
      const achieved = await this.#achieved(look);
      this.#end(look);
      if (achieved) return;
      if (this.#instance.state === 'crashed' && goalOf(this.#order.action) === 'on') throw new ArgoError('FAILED', `${this.#name} has crashed`);
      if (deadline.exceeded) break;
      if (mayBeMissed && performance.now() - asked > PRESS_AGAIN) {
        asked = performance.now();
        await this.#askAgain(deadline, way);
      }
      await deadline.pause(wait, (wake) => this.#instance.watch(wake));
    }
    if (sent === 'doubtful') return this.#resolveDoubt();
    if (!this.#ending) this.#instance.forgetStop();
    throw this.#sight.inVain(this.#order.action, this.#ending);
  }

  /**
   * The guest may have missed the request. That this one fails says nothing: the first may be at work.
   * @throws ArgoError FAILED where it has started anew since: it did not miss it, and asking on would only restart it again
   */
  async #askAgain(deadline: Deadline, way: 'shutdown' | 'reboot'): Promise<void> {
    const { machine, owner } = this.#instance;
    const looked = performance.now();
    const hasRestarted = await this.#boot.isAnother(deadline).catch(() => 'unknown');
    if (way === 'shutdown' && hasRestarted === true) throw new ArgoError('FAILED', `${this.#name} was told to shut down and has started again`);
    // one that has restarted did not miss it, and an answer that is old by now, as after this process stood still, says nothing
    if (hasRestarted !== false || performance.now() - looked > PRESS_AGAIN / 2) return;
    await owner.call(deadline, (signal) => machine[way]!(signal), this.#caller).catch(() => undefined);
  }

  /** Keeps the registry fresh for the next `list`; the action is accepted whatever comes of this. */
  async #refresh(): Promise<void> {
    const deadline = this.#within(REFRESH_TIMEOUT);
    const state = await this.#read(deadline).catch(() => undefined);
    this.#end(deadline);
    this.#verified = state === goalOf(this.#order.action) && this.#order.action !== 'reboot';
  }
}
