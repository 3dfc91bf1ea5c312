import { setTimeout as sleep } from 'node:timers/promises';
import type { StageSettings } from '../config/config.js';
import type { Actor } from '../instances/actor.js';
import type { Outcome, PowerOrder } from '../instances/order.js';
import type { TargetState } from '../instances/plans.js';
import { ArgoError, toArgoError, withoutCause, type Phrase } from '../kit/errors.js';
import { HARD_STOP_TIMEOUT } from '../kit/limits.js';
import { PLAN_REACH, PLAN_REACH_PAUSE, PLAN_SOFT_LEAST, PLAN_TEXT } from '../kit/plan-limits.js';
import type { RunTime, StageTime } from './run-clock.js';
import type { TargetRecord } from './run-record.js';

/** How one target ended. */
export interface TargetEnd {
  readonly state: TargetState;
  readonly detail: string;
  /** whether the journal is to say that it was switched off by this run, or started */
  readonly debt: 'owed' | 'paid' | 'none';
}

export interface TargetRunParts {
  /** one for this target alone */
  readonly actor: Actor;
  readonly target: TargetRecord;
  readonly stage: StageSettings;
  readonly time: StageTime;
  readonly clock: Pick<RunTime, 'elapsed'>;
  /**
   * milliseconds since an earlier process has written down that it sends it; undefined where none has. The order itself
   * may be younger by any time: a process may stand still between the two, and the clock may have been set
   */
  readonly sentSince: number | undefined;
  /** milliseconds that an action may take at most where nobody says */
  readonly longest: number;
  /** straight to the hard way */
  readonly isHard: boolean;
  /** aborted: no further order, and what is waited for is given up */
  readonly signal: AbortSignal;
  /** sends an order, and again where the audit could not be written; nothing was sent then */
  order(work: () => Promise<Outcome>): Promise<Outcome>;
}

/** After these a clean stop was not even tried in vain: the plug is not pulled. */
const NOT_TRIED: ReadonlySet<Phrase> = new Set<Phrase>(['UNREACHABLE', 'NO SUCH INSTANCE', 'ACCESS DENIED', 'BUSY', 'NOT ALLOWED', 'SHUTTING DOWN', 'AUDIT UNAVAILABLE']);
/** After these nothing was sent, and the next moment may be better: a manager is being restarted, or is not up yet. */
const MAY_COME: ReadonlySet<Phrase> = new Set<Phrase>(['UNREACHABLE', 'NO SUCH INSTANCE']);
/** Those after which something may be at work all the same. */
const MAY_BE_AT_WORK: ReadonlySet<Phrase> = new Set<Phrase>(['UNCERTAIN', 'TIMEOUT']);

/** The time below which a clean stop is not worth asking for. Milliseconds. */
const SOFT_LEAST = 500;

/** What a start is given beyond the time in which an earlier stop may still take effect. Milliseconds. */
const AFTER_STOP = 5000;

/** One target's way from its order to its end. */
export class TargetRun {
  readonly #parts: TargetRunParts;
  /** by the clock that nobody sets: until when it is tried again where nothing could be sent */
  readonly #reachEnds: number;

  constructor(parts: TargetRunParts) {
    this.#parts = parts;
    this.#reachEnds = parts.clock.elapsed() + Math.min(PLAN_REACH, parts.stage.soft ?? PLAN_REACH, parts.time.left);
  }

  /** An order was sent, and may still take effect. */
  get #mayBeAtWork(): boolean {
    const { sentSince, target: { atWork } } = this.#parts;
    return sentSince !== undefined || atWork !== undefined;
  }

  /**
   * Never rejects.
   * @returns undefined where the server ended before it did: nobody knows then, and it is ordered again
   */
  async run(): Promise<TargetEnd | undefined> {
    const { stage: { action }, sentSince, target: { mark } } = this.#parts;
    try {
      if (action === 'reboot' && sentSince !== undefined) {
        if (mark === undefined) return { state: 'uncertain', detail: `UNCERTAIN: ${UNKNOWN_REBOOT}`, debt: 'none' };
        if (await this.#hasRestarted(mark)) return { state: 'done', detail: '', debt: 'none' };
      }
      const outcome = action === 'stop' ? await this.#stop() : await this.#reach(() => this.#act());
      return this.#ended(outcome);
    } catch (thrown) {
      return this.#failed(toArgoError(thrown));
    }
  }

  async #stop(): Promise<Outcome> {
    const { stage, time, isHard, sentSince } = this.#parts;
    const mayForce = stage.then === 'force';
    if (isHard) return this.#reach(() => this.#pullThePlug());
    // one that an earlier process has asked already is not asked for the whole time again, but is not cut short by a clock alone
    const soft = stage.soft === undefined ? undefined : Math.max(SOFT_LEAST, stage.soft * PLAN_SOFT_LEAST, stage.soft - (sentSince ?? 0));
    const most = mayForce ? time.softLeft : Math.max(SOFT_LEAST, time.left);
    if (mayForce && (most < SOFT_LEAST || stage.soft === 0)) return this.#reach(() => this.#pullThePlug());
    try {
      return await this.#reach(() => this.#send({ action: 'stop', mode: 'soft', wait: waitOf(soft, most, this.#parts.longest) }));
    } catch (thrown) {
      const { phrase } = toArgoError(thrown);
      if (!mayForce || NOT_TRIED.has(phrase) || this.#parts.signal.aborted) throw thrown;
      return this.#pullThePlug();
    }
  }

  #pullThePlug(): Promise<Outcome> {
    return this.#send({ action: 'stop', mode: 'hard', wait: HARD_STOP_TIMEOUT });
  }

  #act(): Promise<Outcome> {
    const { stage: { action }, time, longest } = this.#parts;
    // a start waits first for the end of a stop that was sent before, and that counts as in vain after the longest time of an action
    const wanted = action === 'start' ? longest + AFTER_STOP : undefined;
    return this.#send({ action, mode: 'soft', wait: waitOf(wanted, Math.max(SOFT_LEAST, time.left), longest) }).catch((thrown: unknown) => {
      // a machine without a mark for its boots can't be seen to restart: that it was told to is all there is to know
      if (action !== 'reboot' || toArgoError(thrown).phrase !== 'NOT SUPPORTED') throw thrown;
      return this.#send({ action, mode: 'soft', wait: false });
    });
  }

  /**
   * Whether a reboot that an earlier process may have sent took effect: waited for as long as one may take from now on,
   * since it may have been sent at that process's last moment.
   */
  async #hasRestarted(mark: string): Promise<boolean> {
    const { actor, clock, target: { ref }, longest, time, signal } = this.#parts;
    const inVain = clock.elapsed() + longest;
    const ends = Math.min(inVain, clock.elapsed() + time.left / 2);
    for (;;) {
      // an answer tells of the moment of its question: this process may have stood still before it looked at it
      const asked = clock.elapsed();
      const now = await actor.bootMark(ref).catch(() => undefined);
      if (now !== undefined && now !== mark) return true;
      signal.throwIfAborted();
      const isOver = asked > ends;
      // while it may still be on its way, or nobody says that it is the same boot still, a second order might restart it a second time
      if (isOver && (now === undefined || asked < inVain)) throw new ArgoError('UNCERTAIN', UNKNOWN_REBOOT);
      if (isOver) return false;
      await sleep(PLAN_REACH_PAUSE, undefined, { signal }).catch(() => undefined);
    }
  }

  #send(order: PowerOrder): Promise<Outcome> {
    const { actor, target, order: send, signal } = this.#parts;
    return send(async () => {
      signal.throwIfAborted();
      const ref = { ...target.ref, fullName: target.name };
      // a provider that was configured anew may have another machine under this id
      if (actor.known(ref).fullName !== target.name) throw new ArgoError('NO SUCH INSTANCE', target.name);
      try {
        return await actor.power(ref, order);
      } catch (thrown) {
        const error = toArgoError(thrown);
        if (MAY_BE_AT_WORK.has(error.phrase)) target.atWork = withoutCause(error);
        throw thrown;
      }
    });
  }

  /** Tries again where nothing was sent because nobody could be reached. */
  async #reach(work: () => Promise<Outcome>): Promise<Outcome> {
    for (;;) {
      try {
        return await work();
      } catch (thrown) {
        const isOver = this.#parts.clock.elapsed() + PLAN_REACH_PAUSE > this.#reachEnds;
        if (isOver || this.#parts.signal.aborted || !MAY_COME.has(toArgoError(thrown).phrase)) throw thrown;
      }
      await sleep(PLAN_REACH_PAUSE, undefined, { signal: this.#parts.signal }).catch(() => undefined);
    }
  }

  #ended({ result }: Outcome): TargetEnd {
    const { stage: { action }, target: { mark }, sentSince } = this.#parts;
    // after a crash it may be so by the order that was sent before
    const state = result === 'already' && sentSince !== undefined && mark === 'on' && action !== 'start' ? 'done' : result;
    if (isSwitchingOff(action)) return { state, detail: '', debt: state === 'done' ? 'owed' : 'none' };
    return { state, detail: '', debt: action === 'start' || action === 'resume' ? 'paid' : 'none' };
  }

  #failed(error: ArgoError): TargetEnd | undefined {
    const { phrase } = error;
    // whoever may see the plan is told, and not only its account
    const { message } = withoutCause(error);
    const { signal, stage: { action }, sentSince, target: { mark, atWork } } = this.#parts;
    if (phrase === 'SHUTTING DOWN' || (signal.aborted && signal.reason === SERVER_ENDS)) return undefined;
    // it never came to an order
    if (error === signal.reason && !this.#mayBeAtWork) return { state: 'skipped', detail: '', debt: 'none' };
    // it was on, and was told to stop: it may be off in a moment
    const wasOn = sentSince === undefined || mark === 'on';
    const debt = isSwitchingOff(action) && this.#mayBeAtWork && wasOn ? 'owed' : 'none';
    if (error === signal.reason) return { state: 'uncertain', detail: NOT_WAITED_FOR, debt };
    // this one came to nothing, which says nothing of the one before it
    const isInDoubt = this.#mayBeAtWork && (NOT_TRIED.has(phrase) || (atWork?.phrase === 'UNCERTAIN' && !MAY_BE_AT_WORK.has(phrase)));
    const detail = isInDoubt ? `UNCERTAIN: ${saidOf(atWork)}; now ${message}` : message;
    return { state: isInDoubt || phrase === 'UNCERTAIN' ? 'uncertain' : 'failed', detail: detail.slice(0, PLAN_TEXT), debt };
  }
}

/** Why a run's signal is aborted where the server ends. */
export const SERVER_ENDS = new ArgoError('SHUTTING DOWN');

/** What is known of the order that may be at work. @param atWork undefined where an earlier process has sent it, or not */
const saidOf = (atWork: ArgoError | undefined): string =>
  (atWork === undefined ? 'it may have been sent before the server was started anew' : atWork.phrase === 'UNCERTAIN' ? atWork.detail : atWork.message);

const UNKNOWN_REBOOT = 'the server ended while it was told to reboot, and nothing says whether it has';

export const NOT_WAITED_FOR = 'UNCERTAIN: it was sent, and nobody waited for its end';

export const isSwitchingOff = (action: StageSettings['action']): boolean => action === 'stop' || action === 'suspend';

/** As long as asked for; where that is not said, as long as the provider lets an action take; never beyond what is left. */
function waitOf(wanted: number | undefined, most: number, longest: number): true | number {
  if (wanted === undefined && most >= longest) return true;
  return Math.max(1, Math.min(wanted ?? longest, most));
}
