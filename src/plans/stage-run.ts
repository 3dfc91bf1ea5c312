import { setTimeout as sleep } from 'node:timers/promises';
import type { Actor } from '../instances/actor.js';
import type { StageState } from '../instances/plans.js';
import { ArgoError } from '../kit/errors.js';
import { PLAN_PARALLEL_HARD, PLAN_REACH, PLAN_REACH_PAUSE, PLAN_TEXT } from '../kit/plan-limits.js';
import type { Log } from '../kit/log.js';
import { onAbort } from '../kit/within.js';
import type { Owed, PlanJournal } from '../store/plan-journal.js';
import type { Disk } from './disk.js';
import type { OwnHostTest } from './own-host.js';
import type { RunTime, RunClock, StageTime } from './run-clock.js';
import { hasFailed, type RunRecord, type StageRecord, type TargetRecord } from './run-record.js';
import { settle } from './settle.js';
import { FairQueue } from './fair-queue.js';
import { SERVER_ENDS, TargetRun } from './target-run.js';
import { hostsFirst, select, type StageSelection } from './targets.js';

/** What stages of a run work with. */
export interface RunParts {
  readonly record: RunRecord;
  readonly clock: RunTime;
  readonly journal: PlanJournal;
  readonly disk: Disk;
  readonly log: Log;
  /** the plan's account at work, a new one each time: one that has selected something holds on to providers that a reload replaces */
  actor(): Actor;
  /** milliseconds that an action may take at most where nobody says */
  longestAction(): number;
  owed(): Promise<readonly Owed[]>;
  tell(stage: StageRecord, outcome: string): void;
}

/** What one stage does, from its first look at its words to its end. */
export class StageRun {
  readonly #parts: RunParts;
  readonly #stage: StageRecord;
  readonly #time: StageTime;
  readonly #runClock: RunClock;
  readonly #own: OwnHostTest;
  readonly #signal: AbortSignal;
  readonly #closing: AbortSignal;
  /** targets whose order is under way, by full name */
  readonly #underWay = new Map<string, TargetRecord>();
  /** what is still to be written */
  readonly #writing = new Set<Promise<void>>();
  #wake: () => void = () => undefined;

  /**
   * @param signal aborted: nothing further is ordered
   * @param closing aborted: nothing further is written
   */
  constructor(parts: RunParts, stage: StageRecord, runClock: RunClock, own: OwnHostTest, signal: AbortSignal, closing: AbortSignal) {
    this.#parts = parts;
    this.#stage = stage;
    this.#runClock = runClock;
    this.#time = runClock.shareFor(stage, parts.record.stages);
    this.#own = own;
    this.#signal = signal;
    this.#closing = closing;
  }

  /** Resolves when it has ended and that is written down; or, where the signal was aborted, when nothing of it is under way. */
  async run(): Promise<void> {
    const { record } = this.#parts;
    const isResumed = this.#stage.state !== 'waiting';
    try {
      if (!isResumed && !await this.#begin()) return;
      if (this.#stage.state !== 'settling') await this.#orderAll(this.#open(), false);
      if (!this.#signal.aborted && this.#failures > this.#mostFailures && this.#stage.settings.onFailure === 'force') await this.#force();
      const unsettled = this.#signal.aborted ? undefined : await this.#settle();
      await Promise.all(this.#writing);
      if (this.#signal.aborted) return;
      await this.#end(unsettled);
    } catch (thrown) {
      if (this.#signal.aborted) return;
      this.#parts.log('error', 'stage of a plan has failed', { plan: record.plan.name, run: record.id, stage: this.#stage.settings.name, reason: String(thrown) });
      await this.#note('failed', thrown instanceof ArgoError ? thrown.message : 'INTERNAL ERROR').catch(() => undefined);
    }
  }

  /** Looks at what it selects, and writes that down. @returns false where the signal was aborted */
  async #begin(): Promise<boolean> {
    const { record, journal } = this.#parts;
    const { settings: { pauseBefore }, index } = this.#stage;
    if (pauseBefore > 0) {
      record.setStage(this.#stage, 'pausing', undefined);
      await this.#pause(pauseBefore);
    }
    if (this.#signal.aborted) return false;
    const selection = await this.#select();
    const targets = this.#records(selection);
    this.#stage.missing = selection.missing;
    await this.#write(() => journal.setTargets(record.id, index, targets.map(({ ref, name, isOwn }) => ({ ...ref, name, isOwn }))));
    await this.#note('running', selection.remarks.join('; ').slice(0, PLAN_TEXT) || undefined);
    record.setTargets(this.#stage, targets);
    this.#parts.tell(this.#stage, 'begun');
    return true;
  }

  /** After a power cut the managers of what is to be started may be starting themselves. */
  async #select(): Promise<StageSelection> {
    const { actor, owed, log, record } = this.#parts;
    const { settings } = this.#stage;
    const ends = performance.now() + Math.min(PLAN_REACH, this.#time.left / 2);
    for (;;) {
      const one = actor();
      const selection = await this.#write(() => select(settings, { actor: one, own: this.#own, owed }));
      const mayCome = selection.missing > 0 && settings.action === 'start' && one.staleness().length > 0;
      if (!mayCome || this.#signal.aborted || performance.now() > ends) {
        for (const remark of selection.remarks) log('warn', 'a stage of a plan selects less than it names', { plan: record.plan.name, run: record.id, stage: settings.name, reason: remark });
        return selection;
      }
      await this.#pause(PLAN_REACH_PAUSE);
    }
  }

  #records({ targets, own, unseen }: StageSelection): TargetRecord[] {
    const stage = this.#stage.index;
    const blank = { stage, state: 'waiting', detail: '', mark: undefined, sent: undefined, atWork: undefined } as const;
    return [
      ...targets.map(({ provider, id, fullName }) => ({ ref: { provider, id }, name: fullName, isOwn: false })),
      ...unseen.map(({ provider, id, name }) => ({ ref: { provider, id }, name, isOwn: false })),
      ...hostsFirst(own).map(({ provider, id, fullName }) => ({ ref: { provider, id }, name: fullName, isOwn: true })),
    ].map((one, index) => ({ ...one, ...blank, index }));
  }

  #open(): TargetRecord[] {
    return this.#stage.targets.filter(({ state, isOwn }) => !isOwn && (state === 'waiting' || state === 'sent'));
  }

  async #orderAll(targets: readonly TargetRecord[], isHard: boolean): Promise<void> {
    const { pauseBetween } = this.#stage.settings;
    const queue = new FairQueue(targets);
    const forget = onAbort(this.#signal, () => { this.#wake(); void this.#cancelUnderWay(); });
    const hurry = this.#time.softLeft === Infinity ? undefined : setTimeout(() => this.#wake(), this.#time.softLeft + 1);
    try {
      for (;;) {
        const next = this.#signal.aborted || this.#underWay.size >= this.#parallel ? undefined : queue.next();
        if (next !== undefined) {
          void this.#order(next, isHard).finally(() => {
            queue.ended(next);
            this.#wake();
          });
          if (pauseBetween > 0 && queue.size > 0 && !this.#isHurried) await this.#pause(pauseBetween);
        } else if (this.#underWay.size === 0 && (this.#signal.aborted || queue.size === 0)) {
          return;
        } else {
          await new Promise<void>((resolve) => { this.#wake = resolve; });
        }
      }
    } finally {
      forget();
      clearTimeout(hurry);
    }
  }

  /** What ignores the clean way is switched off hard from now on, all at once. */
  get #isHurried(): boolean {
    const { action, then } = this.#stage.settings;
    return action === 'stop' && then === 'force' && this.#time.softLeft === 0;
  }

  get #parallel(): number {
    const { parallel } = this.#stage.settings;
    return this.#isHurried ? Math.max(parallel, PLAN_PARALLEL_HARD) : parallel;
  }

  /** Never rejects. */
  async #order(target: TargetRecord, isHard: boolean): Promise<void> {
    const { record, journal, clock, disk } = this.#parts;
    this.#underWay.set(target.name, target);
    try {
      const actor = this.#parts.actor();
      const sentSince = target.sent === undefined || target.state !== 'sent' ? undefined : Math.max(0, clock.wall() - target.sent);
      const mark = sentSince === undefined ? await markOf(actor, this.#stage.settings.action, target) : target.mark;
      await this.#write(() => journal.sent([record.id, target.stage, target.index], { mark, left: this.#runClock.left, now: clock.wall() }));
      target.mark = mark;
      target.sent ??= clock.wall();
      record.setTarget(target, 'sent', '');
      const end = await new TargetRun({
        actor, target, stage: this.#stage.settings, time: this.#time, clock, sentSince, longest: this.#parts.longestAction(),
        isHard: isHard || this.#isHurried, signal: this.#signal,
        order: (work) => disk.write(work, this.#signal),
      }).run();
      if (end !== undefined) this.#settled(target, end);
    } catch (thrown) {
      if (!this.#signal.aborted) this.#settled(target, { state: 'failed', detail: `INTERNAL ERROR: ${String(thrown)}`.slice(0, PLAN_TEXT), debt: 'none' });
    } finally {
      this.#underWay.delete(target.name);
    }
  }

  /** Notes how one ended; that is written while others go on. */
  #settled(target: TargetRecord, end: Omit<Parameters<PlanJournal['settled']>[1], 'left' | 'now'> & Pick<TargetRecord, 'state'>): void {
    const { record, journal, clock, disk } = this.#parts;
    record.setTarget(target, end.state, end.detail);
    const written = disk
      .write(
        () => journal.settled([record.id, target.stage, target.index], { ...end, left: this.#runClock.left, now: clock.wall() }),
        this.#closing,
      )
      .catch(() => undefined)
      .finally(() => this.#writing.delete(written));
    this.#writing.add(written);
  }

  /** Ends the waiting for what was sent, so that nothing is pulled hard later; what was sent stays sent. */
  async #cancelUnderWay(): Promise<void> {
    if (this.#signal.reason === SERVER_ENDS) return;
    const { action } = this.#stage.settings;
    while (this.#underWay.size > 0 && !this.#closing.aborted) {
      const { tasks } = this.#parts.actor();
      for (const { id, instance, operation } of tasks.list()) {
        if (operation !== action || !this.#underWay.has(instance)) continue;
        try {
          tasks.cancel(id);
        } catch {
          // it has ended meanwhile
        }
      }
      await sleep(CANCEL_LOOK);
    }
  }

  get #failures(): number {
    return this.#stage.targets.filter(hasFailed).length + this.#stage.missing;
  }

  get #mostFailures(): number {
    const { settings: { maxFailures }, targets } = this.#stage;
    if (maxFailures === undefined) return 0;
    return 'count' in maxFailures ? maxFailures.count : Math.floor(targets.length * maxFailures.percent / 100);
  }

  /** The hard way for those that did not go the clean one. */
  async #force(): Promise<void> {
    if (this.#stage.settings.action === 'stop') await this.#orderAll(this.#stage.targets.filter(hasFailed), true);
  }

  /** @returns why it has not settled */
  async #settle(): Promise<string | undefined> {
    const { settings: { settle: wanted, name } } = this.#stage;
    const { record } = this.#parts;
    if (wanted === undefined) return undefined;
    await Promise.all(this.#writing);
    await this.#note('settling', this.#stage.reason);
    return settle(wanted.command, Math.min(wanted.timeout, this.#time.left), { plan: record.plan.name, run: record.id, stage: name }, this.#signal);
  }

  async #end(unsettled: string | undefined): Promise<void> {
    const failures = this.#failures;
    const reasons = [
      ...(failures > 0 ? [`${failures} of ${this.#stage.targets.length + this.#stage.missing} failed`] : []),
      ...(unsettled === undefined ? [] : [`not settled: ${unsettled}`]),
      ...(this.#stage.targets.length === 0 && failures === 0 ? ['nothing is selected'] : []),
      ...(this.#stage.reason === undefined ? [] : [this.#stage.reason]),
    ];
    await this.#note(failures > this.#mostFailures || unsettled !== undefined ? 'failed' : 'done', reasons.join('; ').slice(0, PLAN_TEXT) || undefined);
    this.#parts.tell(this.#stage, this.#stage.state);
  }

  /** @throws where the signal was aborted before it was written */
  async #note(state: StageState, reason: string | undefined): Promise<void> {
    const { record, journal } = this.#parts;
    await this.#write(() => journal.noteStage(record.id, this.#stage.index, { state, reason, missing: this.#stage.missing }));
    record.setStage(this.#stage, state, reason);
  }

  #write<T>(work: () => Promise<T>): Promise<T> {
    return this.#parts.disk.write(work, this.#signal);
  }

  /** Never longer than half of what is left to it, so that the pause does not take the time of the work. */
  async #pause(ms: number): Promise<void> {
    await sleep(Math.min(ms, this.#time.left / 2), undefined, { signal: this.#signal }).catch(() => undefined);
  }
}

/** Between two looks whether something of a cancelled run is still waited for. Milliseconds. */
const CANCEL_LOOK = 100;

/** What was known of it before the order, by which a later process tells what the order has changed: its state, or of a reboot what each boot changes. */
async function markOf(actor: Actor, action: StageRecord['settings']['action'], { ref }: TargetRecord): Promise<string | undefined> {
  try {
    return action === 'reboot' ? await actor.bootMark(ref) : actor.known(ref).state;
  } catch {
    return undefined;
  }
}
