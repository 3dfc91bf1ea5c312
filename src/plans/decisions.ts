import type { RunState } from '../instances/plans.js';
import { ArgoError } from '../kit/errors.js';
import type { Log } from '../kit/log.js';
import { PLAN_CANCEL_WAIT, PLAN_TEXT } from '../kit/plan-limits.js';
import { notLonger } from '../kit/within.js';
import type { EndMarks } from '../store/end-marks.js';
import type { PlanJournal } from '../store/plan-journal.js';
import type { Active } from './active-runs.js';
import type { Disk } from './disk.js';
import type { Ending, PlanRun } from './plan-run.js';
import type { RunTime } from './run-clock.js';
import type { RunRecord } from './run-record.js';

export interface DecisionsParts {
  readonly journal: PlanJournal;
  readonly marks: EndMarks;
  readonly disk: Disk;
  readonly clock: RunTime;
  readonly log: Log;
  /** aborted: nothing is written any longer */
  readonly closing: AbortSignal;
}

/** What is told where an end could not be written down. */
const UNWRITTEN = 'no further order is sent, and its end is written down as soon as the disk can be written';
const UNKEPT = 'a server that is started anew before that does not know of it';

/** What is decided of runs, that they end or ask, and that it holds: also over a restart, and where the disk cannot be written. */
export class Decisions {
  readonly #parts: DecisionsParts;
  /** runs that were ended, and of which the journal may not know it */
  readonly #marked = new Set<string>();
  /** runs that were ended, and of which the next start would not know it */
  readonly #unkept = new Set<string>();

  constructor(parts: DecisionsParts) {
    this.#parts = parts;
  }

  /** @param open the runs that have not ended by the journal @throws StateError */
  async load(open: ReadonlySet<string>): Promise<void> {
    for (const run of await this.#parts.marks.list()) {
      this.#marked.add(run);
      if (!open.has(run)) this.forget(run);
    }
  }

  /** Whether somebody has ended it before this process began. */
  wasEnded(run: string): boolean {
    return this.#marked.has(run);
  }

  /** Its end is in the journal. */
  forget(run: string): void {
    this.#unkept.delete(run);
    if (!this.#marked.delete(run)) return;
    this.#parts.marks.remove(run).catch((error: unknown) => {
      this.#parts.log('warn', 'the mark of a run that has ended is left in the state folder', { run, reason: String(error) });
    });
  }

  /**
   * Ends a run: no further order from this moment on, and on the disk when it resolves, or as soon as that can be
   * written; its reason says so. Something that cannot be ended may still be under way then.
   * @param isNew whether the work has not begun
   * @returns false where it has come to its end by itself, which is being written
   */
  async end(active: Active, work: PlanRun, isNew: boolean, { state, words }: Ending): Promise<boolean> {
    const { record } = active;
    const isFirst = work.ending === undefined;
    const ending = work.end({ state, words: words.slice(0, PLAN_TEXT) });
    if (ending !== undefined && !record.isOver) {
      if (isFirst) record.setRun('running', ending.words);
      const noted = this.#note(active, ending.state, ending.words);
      if (isNew) work.begin();
      try {
        await noted;
      } catch (thrown) {
        await this.#keep(record, ending);
        if (isFirst) this.#parts.log('error', 'the end of a run could not be written down yet', { plan: record.plan.name, run: record.id, reason: String(thrown) });
        return true;
      }
    }
    await this.#untilWritten(work);
    return ending !== undefined;
  }

  /** Says of one that was ended that it cannot be written down now. */
  endWaits(record: RunRecord, { words }: Ending): void {
    record.setRun('running', `${words}: ${UNWRITTEN}${this.#unkept.has(record.id) ? `; ${UNKEPT}` : ''}`.slice(0, PLAN_TEXT));
  }

  /** Keeps the end of a run beside the journal, and says how far that holds. */
  async #keep(record: RunRecord, ending: Ending): Promise<void> {
    const { id, plan } = record;
    try {
      await this.#parts.marks.add(id);
      this.#marked.add(id);
      this.#unkept.delete(id);
    } catch (error) {
      this.#unkept.add(id);
      this.#parts.log('error', 'the end of a run could not be kept for the next start', { plan: plan.name, run: id, reason: String(error) });
    }
    if (record.isOver) this.forget(id);
    else this.endWaits(record, ending);
  }

  /** Waits for the end, but not long, nor for a disk that cannot be written. */
  async #untilWritten({ done }: PlanRun): Promise<void> {
    let forget = (): void => undefined;
    const stuck = new Promise<void>((resolve) => {
      forget = this.#parts.disk.watch({ failed: () => resolve(), works: () => undefined });
    });
    await notLonger(PLAN_CANCEL_WAIT, Promise.race([done, stuck]));
    forget();
  }

  /** Does what decides about a run that asks, where there is one, and nobody else is about to. @throws ArgoError WRONG STATE, and what the work throws */
  async about<T>(asking: Active | undefined, work: () => Promise<T>): Promise<T> {
    if (asking === undefined) return work();
    if (asking.isDecided) throw new ArgoError('WRONG STATE', `what becomes of run ${asking.record.id} is being written down`);
    asking.isDecided = true;
    return work().finally(() => { asking.isDecided = false; });
  }

  /** Writes down that one that asks goes on. @throws ArgoError WRONG STATE; StateError: it asks still */
  goOn(active: Active): Promise<void> {
    return this.about(active, () => this.#note(active, 'waiting', undefined).catch((thrown: unknown) => {
      this.#asksStill(active);
      throw thrown;
    }));
  }

  /** Writes down that a run asks. @throws StateError */
  noteAsking(active: Active): Promise<void> {
    return this.#note(active, 'asking', active.record.reason);
  }

  #note({ record: { id }, time: { left } }: Active, state: RunState, reason: string | undefined): Promise<void> {
    return this.#parts.journal.noteRun(id, { state, reason, ended: undefined, left, now: this.#parts.clock.wall() });
  }

  /** What was refused because the disk took too long may have been written all the same, and must not come to hold at the next start. */
  #asksStill(active: Active): void {
    if (active.isDoubtful) return;
    const { disk, closing } = this.#parts;
    active.isDoubtful = true;
    disk.write(() => (active.record.state === 'asking' && active.work === undefined ? this.noteAsking(active) : Promise.resolve()), closing)
      .catch(() => undefined)
      .finally(() => { active.isDoubtful = false; });
  }
}
