import { existsSync } from 'node:fs';
import { AUDIT_PRUNE_EVERY, AUDIT_PRUNE_FIRST, AUDIT_PRUNE_PAUSE, AUDIT_PRUNE_ROWS } from '../kit/limits.js';
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
 * @param before ISO 8601; undefined: at whatever age
 * @returns how many there were
 * @throws Error where the file cannot be written
 */
export type Prune = (before: string | undefined, size: number | undefined, rows: number) => Promise<number>;

/**
 * Keeps the audit within its age and size: every hour what is over is taken away, in steps so small
 * that no action waits for one.
 */
export class AuditRetention {
  #keep: Keep;
  #timer: NodeJS.Timeout | undefined;
  readonly #file: string;
  readonly #prune: Prune;

  constructor(stateDir: string, keep: Keep, prune: Prune) {
    this.#keep = keep;
    this.#file = auditFile(stateDir);
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
    let removed = 0;
    if ((age !== undefined || size !== undefined) && existsSync(this.#file)) {
      const before = age === undefined ? undefined : new Date(Date.now() - age).toISOString();
      // the log has been told why it cannot be written; there is a next time
      removed = await this.#prune(before, size, AUDIT_PRUNE_ROWS).catch(() => 0);
    }
    // it may have been closed, or told of a new configuration, meanwhile
    if (this.#timer === timer) this.#after(removed < AUDIT_PRUNE_ROWS ? AUDIT_PRUNE_EVERY : AUDIT_PRUNE_PAUSE);
  }
}
