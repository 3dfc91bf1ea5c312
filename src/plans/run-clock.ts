import { PLAN_HARD_RESERVE, PLAN_RESUME_WITHIN, PLAN_STAGE_LEAST, PLAN_TIME_LEAST } from '../kit/plan-limits.js';
import type { StageSettings } from '../config/config.js';
import type { Clock } from './clock.js';
import { hasEnded, type StageRecord } from './run-record.js';

/** Of the clock, what runs ask for. */
export type RunTime = Pick<Clock, 'wall' | 'elapsed'>;

/**
 * The time-limit of a run. Within a process it goes by the clock that nobody sets, so that a leap of the
 * other one neither prolongs a run nor makes all of it go hard. That other clock is asked twice only:
 * how old the cause is when the run begins, and how long the server was away when it goes on.
 */
export class RunClock {
  readonly #clock: RunTime;
  readonly #ends: number;

  /** @param left milliseconds from now; undefined: no limit */
  constructor(clock: RunTime, left: number | undefined) {
    this.#clock = clock;
    this.#ends = left === undefined ? Infinity : clock.elapsed() + left;
  }

  /**
   * What is left of a limit when a run begins. It counts from the cause; but of a cause that lies in the
   * future, or further back than half the limit, the clock is doubted rather than the run cut short: a
   * trigger begins its plan at once.
   */
  static atBegin(clock: RunTime, limit: number | undefined, cause: number): number | undefined {
    if (limit === undefined) return undefined;
    const age = Math.max(0, clock.wall() - cause);
    return Math.max(limit - age, limit * PLAN_TIME_LEAST);
  }

  /**
   * What is left when a run goes on that had so much left when it was last noted. A clock that was set
   * back meanwhile takes nothing away and adds nothing.
   * @returns `doubtful` where it would be over by what the clock says of the time in which no server ran: that
   *   may be a leap of the clock, or power that has long been back, and neither is a reason to switch anything off hard
   */
  static atResume(
    clock: RunTime,
    { timeLeft, noted }: { readonly timeLeft: number | null; readonly noted: number },
  ): { readonly left: number | undefined; readonly doubtful: boolean } {
    const away = Math.max(0, clock.wall() - noted);
    if (timeLeft === null) return { left: undefined, doubtful: away > PLAN_RESUME_WITHIN };
    const left = Math.max(0, timeLeft - away);
    return { left, doubtful: away > PLAN_RESUME_WITHIN || (left === 0 && timeLeft > 0) };
  }

  /** Milliseconds, never negative; undefined where there is no limit. */
  get left(): number | undefined {
    return this.#ends === Infinity ? undefined : Math.max(0, this.#ends - this.#clock.elapsed());
  }

  /** When it will be over, as people read it. */
  get deadline(): Date | undefined {
    const { left } = this;
    return left === undefined ? undefined : new Date(this.#clock.wall() + left);
  }

  /** The time of a stage that begins now. */
  shareFor(stage: StageRecord, all: readonly StageRecord[]): StageTime {
    const { left } = this;
    if (left === undefined) return new StageTime(this.#clock, undefined);
    const [own, later] = [leastOf(stage.settings), leastBehind(stage, all)];
    // where there is not enough for all, each gets its part rather than the first one nothing
    const share = left - later >= own ? left - later : (left * own) / (own + later);
    return new StageTime(this.#clock, share);
  }
}

/** What a stage may use. */
export class StageTime {
  readonly #clock: RunTime;
  readonly #ends: number;
  readonly #softEnds: number;

  constructor(clock: RunTime, share: number | undefined) {
    this.#clock = clock;
    const now = clock.elapsed();
    this.#ends = share === undefined ? Infinity : now + share;
    this.#softEnds = share === undefined ? Infinity : now + share - Math.min(PLAN_HARD_RESERVE, share / 4);
  }

  /** Milliseconds; Infinity where there is no limit. */
  get left(): number {
    return Math.max(0, this.#ends - this.#clock.elapsed());
  }

  /** The same until what is left is switched off hard. */
  get softLeft(): number {
    return Math.max(0, this.#softEnds - this.#clock.elapsed());
  }
}

const leastOf = ({ pauseBefore }: StageSettings): number => pauseBefore + PLAN_STAGE_LEAST;

/** The least time of all stages that have to come after one: of several ways the longest. */
function leastBehind({ settings: { name } }: StageRecord, all: readonly StageRecord[]): number {
  const known = new Map<string, number>();
  const behind = (before: string): number => {
    const found = known.get(before);
    if (found !== undefined) return found;
    known.set(before, 0);
    const least = all.filter((one) => !hasEnded(one) && one.settings.after.includes(before))
      .reduce((most, one) => Math.max(most, leastOf(one.settings) + behind(one.settings.name)), 0);
    known.set(before, least);
    return least;
  };
  return behind(name);
}
