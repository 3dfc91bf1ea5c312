import { existsSync, statSync } from 'node:fs';
import { AUDIT_CLOCK_LEAP, AUDIT_CLOCK_LEAP_AT_START, AUDIT_CLOCK_SETTLES, AUDIT_PRUNE_EVERY, AUDIT_PRUNE_FIRST, AUDIT_PRUNE_PAUSE, AUDIT_PRUNE_ROWS } from '../kit/limits.js';
import { auditFile } from './audit-file.js';

/** How much of the audit is kept. */
export interface Keep {
  /** milliseconds; undefined: for ever */
  readonly age: number | undefined;
  /** bytes in use; undefined: whatever it comes to */
  readonly size: number | undefined;
}

/**
 * Removes up to so many of the oldest actions that are not to be kept.
 * @param before ISO 8601; undefined: none for its age
 * @returns how many there were
 * @throws Error where the file cannot be written
 */
export type Prune = (before: string | undefined, size: number | undefined, rows: number) => Promise<number>;

/** What tells the time, in milliseconds. */
interface Clocks {
  /** since 1970; may be set */
  readonly wall: () => number;
  /** since whenever; is not set */
  readonly steady: () => number;
}

const CLOCKS: Clocks = { wall: () => Date.now(), steady: () => performance.now() };

/** The system's clock, which is doubted for a while when it leaps: put right again, it must not have cost the audit. */
class DoubtedClock {
  #wall: number;
  #steady: number;
  #doubtedUntil = -Infinity;
  readonly #clocks: Clocks;

  /** @param written when the audit was last written, ms since 1970; undefined: never */
  constructor(written: number | undefined, clocks: Clocks) {
    this.#clocks = clocks;
    this.#wall = clocks.wall();
    this.#steady = clocks.steady();
    if (written !== undefined && this.#wall - written > AUDIT_CLOCK_LEAP_AT_START) this.#doubt();
  }

  /** Milliseconds since 1970; undefined while that is in doubt. */
  read(): number | undefined {
    const [wall, steady] = [this.#clocks.wall(), this.#clocks.steady()];
    if (Math.abs(wall - this.#wall - (steady - this.#steady)) > AUDIT_CLOCK_LEAP) this.#doubt();
    this.#wall = wall;
    this.#steady = steady;
    return steady < this.#doubtedUntil ? undefined : wall;
  }

  #doubt(): void {
    this.#doubtedUntil = this.#clocks.steady() + AUDIT_CLOCK_SETTLES;
  }
}

/** When it was last written; undefined where there is none that can be looked at: the log is told of that elsewhere. */
function lastWritten(file: string): number | undefined {
  try {
    const times = [file, `${file}-wal`].map((each) => statSync(each, { throwIfNoEntry: false })?.mtimeMs).filter((time) => time !== undefined);
    return times.length === 0 ? undefined : Math.max(...times);
  } catch {
    return undefined;
  }
}

/**
 * Keeps the audit within its age and size: every hour what is over is taken away, in steps so small
 * that no action waits for one. By age nothing goes for a day after the clock has leapt.
 */
export class AuditRetention {
  #keep: Keep;
  #timer: NodeJS.Timeout | undefined;
  readonly #file: string;
  readonly #prune: Prune;
  readonly #clock: DoubtedClock;

  constructor(stateDir: string, keep: Keep, prune: Prune, clocks = CLOCKS) {
    this.#keep = keep;
    this.#file = auditFile(stateDir);
    this.#clock = new DoubtedClock(lastWritten(this.#file), clocks);
    this.#prune = prune;
    this.#after(AUDIT_PRUNE_FIRST);
  }

  /** Of a new configuration. */
  set keep(keep: Keep) {
    const isSame = keep.age === this.#keep.age && keep.size === this.#keep.size;
    this.#keep = keep;
    if (!isSame) this.#after(AUDIT_PRUNE_PAUSE);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #after(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#step(), ms).unref();
  }

  async #step(): Promise<void> {
    const timer = this.#timer;
    const { age, size } = this.#keep;
    const now = this.#clock.read();
    const before = age === undefined || now === undefined ? undefined : new Date(now - age).toISOString();
    let removed = 0;
    if ((before !== undefined || size !== undefined) && existsSync(this.#file)) {
      // the log has been told why it cannot be written; there is a next time
      removed = await this.#prune(before, size, AUDIT_PRUNE_ROWS).catch(() => 0);
    }
    // it may have been closed, or told of a new configuration, meanwhile
    if (this.#timer === timer) this.#after(removed < AUDIT_PRUNE_ROWS ? AUDIT_PRUNE_EVERY : AUDIT_PRUNE_PAUSE);
  }
}
