import { setTimeout as sleep } from 'node:timers/promises';
import type { RunState } from '../instances/plans.js';
import { ArgoError, toArgoError } from '../kit/errors.js';
import { PLAN_TEXT } from '../kit/plan-limits.js';
import { OwnHostTest, type OwnHostReader } from './own-host.js';
import type { RunClock } from './run-clock.js';
import { hasEnded, type RunRecord, type StageRecord, type TargetRecord } from './run-record.js';
import { StageRun, type RunParts } from './stage-run.js';
import { isSwitchingOff, NOT_WAITED_FOR, SERVER_ENDS } from './target-run.js';

export interface PlanRunParts extends RunParts {
  readonly time: RunClock;
  readonly ownHost: OwnHostReader;
  /** told of how the run itself goes on, when that is written down */
  ended(): void;
}

/** Why a run ends before its time. */
export interface Ending {
  readonly state: 'cancelled' | 'failed' | 'unknown';
  readonly words: string;
}

const NOBODY = new OwnHostTest({ uuids: [], names: [] });

/** One run at work: begins each stage when those before it have ended, and writes down how it ends. */
export class PlanRun {
  readonly #parts: PlanRunParts;
  readonly #controller = new AbortController();
  readonly #closing = new AbortController();
  readonly #underWay = new Map<StageRecord, Promise<void>>();
  #ending: Ending | undefined;
  /** every stage has ended: nothing else can become of it */
  #isComplete = false;
  #wake: () => void = () => undefined;
  /** resolves when nothing of it is under way */
  done: Promise<void> = Promise.resolve();

  constructor(parts: PlanRunParts) {
    this.#parts = parts;
  }

  begin(): void {
    this.done = this.#run()
      .catch((thrown: unknown) => {
        const { record, log } = this.#parts;
        log('error', 'run of a plan is broken', {
          plan: record.plan.name,
          run: record.id,
          reason: thrown instanceof Error ? thrown.stack : String(thrown),
        });
        // else it would be under way for ever, and its plan could not be begun again
        if (!record.isOver && !this.#closing.signal.aborted)
          return this.#end('failed', `INTERNAL ERROR: ${String(thrown)}`.slice(0, PLAN_TEXT), false);
        return undefined;
      })
      .catch(() => undefined);
  }

  /** How somebody has ended it; undefined where nobody has. */
  get ending(): Ending | undefined {
    return this.#ending;
  }

  /**
   * No further order is sent, and what was sent is not waited for.
   * @returns how it ends: as whoever came first has said; undefined where it has come to its end by itself
   */
  end(ending: Ending): Ending | undefined {
    if (this.#isComplete) return undefined;
    this.#ending ??= ending;
    this.#controller.abort(new ArgoError('BUSY', 'the run was cancelled'));
    this.#wake();
    return this.#ending;
  }

  /** The server ends: no further order is sent. What is under way may end and is written down; the rest is left to the next start. */
  leave(): void {
    this.#controller.abort(SERVER_ENDS);
    this.#wake();
  }

  /** Nothing is written any longer. */
  close(): void {
    this.leave();
    this.#closing.abort();
  }

  get #isLeft(): boolean {
    return this.#controller.signal.reason === SERVER_ENDS;
  }

  async #run(): Promise<void> {
    const { record, actor, ownHost, time } = this.#parts;
    const own = this.#controller.signal.aborted ? NOBODY : await OwnHostTest.find(ownHost, actor());
    record.deadline = time.deadline;
    for (;;) {
      while (!this.#controller.signal.aborted && (await this.#beginStages(own)));
      if (this.#underWay.size === 0 && (this.#controller.signal.aborted || record.stages.every(hasEnded))) break;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#ending !== undefined) await this.#endEarly(this.#ending);
    else if (!this.#isLeft) await this.#endWell();
  }

  /** Those whose turn has come; what depends on one that has failed is skipped, where it is so configured. @returns whether one was skipped, so that others may have their turn */
  async #beginStages(own: OwnHostTest): Promise<boolean> {
    const { record, time } = this.#parts;
    let hasSkipped = false;
    for (const stage of record.stages) {
      if (hasEnded(stage) || this.#underWay.has(stage)) continue;
      const before = record.stages.filter(({ settings: { name } }) => stage.settings.after.includes(name));
      const obstacle = before.find(keepsOthers);
      if (obstacle !== undefined) {
        await this.#endStage(
          stage,
          'skipped',
          `${obstacle.settings.name} ${obstacle.state === 'failed' ? 'has failed' : 'was skipped'}`,
        );
        hasSkipped = true;
      } else if (before.every(hasEnded)) {
        const run = new StageRun(this.#parts, stage, time, own, this.#controller.signal, this.#closing.signal)
          .run()
          .finally(() => {
            this.#underWay.delete(stage);
            this.#wake();
          });
        this.#underWay.set(stage, run);
      }
    }
    return hasSkipped;
  }

  async #endStage(stage: StageRecord, state: 'skipped' | 'cancelled', reason: string | undefined): Promise<void> {
    const { record, journal, disk, tell } = this.#parts;
    await disk.write(
      () => journal.noteStage(record.id, stage.index, { state, reason, missing: stage.missing }),
      this.#closing.signal,
    );
    record.setStage(stage, state, reason);
    tell(stage, state);
  }

  async #endEarly({ state, words }: Ending): Promise<void> {
    const { record } = this.#parts;
    await this.#settleOpen(({ state: now }) =>
      now === 'sent' ? { state: 'uncertain', detail: NOT_WAITED_FOR } : { state: 'skipped', detail: '' },
    );
    for (const stage of record.stages) if (!hasEnded(stage)) await this.#endStage(stage, 'cancelled', stage.reason);
    await this.#end(state, words, false);
  }

  /** Targets that are under way no longer, and were not carried out. */
  async #settleOpen(
    endOf: (target: TargetRecord) => { readonly state: 'uncertain' | 'skipped'; readonly detail: string },
  ): Promise<void> {
    const { record, journal, disk, clock } = this.#parts;
    for (const stage of record.stages) {
      const isOff = isSwitchingOff(stage.settings.action);
      for (const from of ['waiting', 'sent'] as const) {
        const open = stage.targets.filter(({ state }) => state === from);
        if (open.length === 0) continue;
        const end = endOf(open[0]!);
        await disk.write(
          () => journal.settleAll(record.id, stage.index, from, { ...end, owes: isOff && from === 'sent', now: clock.wall() }),
          this.#closing.signal,
        );
        for (const target of open) record.setTarget(target, end.state, end.detail);
      }
    }
  }

  async #endWell(): Promise<void> {
    const { record } = this.#parts;
    this.#isComplete = true;
    const own = record.stages.flatMap(({ targets }) => targets.filter((target) => target.isOwn && target.state === 'waiting'));
    const failed = record.stages.filter(({ state }) => state === 'failed' || state === 'skipped');
    const reasons = failed.map(
      ({ settings: { name }, state, reason }) =>
        `${name} ${state === 'failed' ? 'failed' : 'skipped'}${reason === undefined ? '' : `: ${reason}`}`,
    );
    // on the disk before the order: whoever starts again after it finds a run that has ended, and no order that it would repeat
    await this.#end(failed.length > 0 ? 'failed' : 'done', reasons.join('; ').slice(0, PLAN_TEXT) || undefined, true);
    if (own.length > 0) await this.#orderOwn(own);
  }

  async #end(state: RunState, reason: string | undefined, isComplete: boolean): Promise<void> {
    const { record, journal, disk, clock, time, ended } = this.#parts;
    const now = clock.wall();
    await disk.write(
      () => journal.noteRun(record.id, { state, reason, ended: now, left: time.left, now, isComplete }),
      this.#closing.signal,
    );
    record.setRun(state, reason, now);
    ended();
  }

  /** The machines that carry this server: whatever comes of it, this process may not be there to say so. */
  async #orderOwn(own: readonly TargetRecord[]): Promise<void> {
    await Promise.all(
      own.map(async (target) => {
        const { record, journal, disk, clock, time, log } = this.#parts;
        const facts = { plan: record.plan.name, run: record.id, instance: target.name };
        const key = [record.id, target.stage, target.index] as const;
        try {
          await disk.write(() => journal.sent(key, { mark: 'on', left: time.left, now: clock.wall() }), this.#controller.signal);
          record.setTarget(target, 'sent', '');
          log('warn', 'the machine that runs this server is told to end', facts);
          await this.#tellOwn(target);
        } catch (thrown) {
          const { phrase, message } = toArgoError(thrown);
          if (this.#controller.signal.aborted) return;
          log('error', 'the machine that runs this server could not be told to end', { ...facts, reason: message });
          const state = phrase === 'UNCERTAIN' ? 'uncertain' : 'failed';
          record.setTarget(target, state, message.slice(0, PLAN_TEXT));
          await journal.settled(key, {
            state,
            detail: message.slice(0, PLAN_TEXT),
            debt: state === 'uncertain' ? 'owed' : 'none',
            left: time.left,
            now: clock.wall(),
          });
          await this.#end('failed', `its own host: ${message}`.slice(0, PLAN_TEXT), false);
        }
      }),
    );
  }

  /** @throws ArgoError where it was not taken on */
  async #tellOwn({ stage, ref }: TargetRecord): Promise<void> {
    const { record, actor, disk, longestAction } = this.#parts;
    const { action, soft, then } = record.stages[stage]!.settings;
    const { signal } = this.#controller;
    const send = (mode: 'soft' | 'hard'): Promise<unknown> =>
      disk.write(() => actor().power(ref, { action, mode, wait: false }), signal);
    const mayForce = action === 'stop' && then === 'force';
    const isAsked = await send('soft').then(() => true, (thrown: unknown) => {
      if (!mayForce) throw thrown;
      return false;
    });
    if (!mayForce) return;
    await sleep(soft ?? longestAction(), undefined, { signal });
    await send('hard').catch((thrown: unknown) => {
      // that it could not be switched off hard says nothing of what it was asked before
      throw isAsked ? new ArgoError('UNCERTAIN', `it was asked to end; now ${toArgoError(thrown).message}`, { cause: thrown }) : thrown;
    });
  }
}

/** Whether what comes after a stage has to be left out. */
const keepsOthers = ({ state, settings }: StageRecord): boolean => state === 'skipped' || (state === 'failed' && settings.onFailure === 'abort');

/** Why a run that an earlier process has left has to end; undefined where it need not. */
export function endAtStart(
  { state, reason, plan }: RunRecord,
  { isSecond, hasAccount, wasEnded }: { readonly isSecond: boolean; readonly hasAccount: boolean; readonly wasEnded: boolean },
): Ending | undefined {
  if (state === 'cancelled' || state === 'failed' || state === 'unknown') return { state, words: reason ?? 'it was ended' };
  if (isSecond) return { state: 'unknown', words: 'a later run of the plan was begun' };
  if (!hasAccount) return { state: 'failed', words: 'NOT ALLOWED: its account was taken away' };
  if (wasEnded) return { state: 'cancelled', words: 'it was ended before a restart, while the disk could not be written' };
  return plan.resume === 'drop' ? { state: 'unknown', words: 'it was cut off by a restart, and dropped' } : undefined;
}
