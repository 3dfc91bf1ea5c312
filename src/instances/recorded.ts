import { withoutCause } from '../kit/errors.js';
import type { Log } from '../kit/log.js';
import type { AuditEntry, AuditLog, Outcome } from '../store/audit-entry.js';

/** How a record ended, with the facts that it began with. */
export interface EndedRecord extends AuditEntry {
  readonly auditId: number;
  readonly outcome: Outcome;
  readonly ms: number;
}

/** How the records say what came of it. */
export interface Endings<T> {
  done(result: T, row: AuditEntry): Outcome;
  /** Of this the log warns. @returns the cause, where the outcome does not say all */
  failed(thrown: unknown): { readonly outcome: Outcome; readonly cause?: unknown };
  /** Told of each when it is written. */
  ended?(record: EndedRecord, index: number): void;
}

/**
 * Does something once that is no action on a machine's power, recorded for each of several before it is begun and when it has ended.
 * @throws ArgoError AUDIT UNAVAILABLE, without its cause: it was not begun. What the work throws
 */
export async function recorded<T>(
  { audit, log }: { readonly audit: AuditLog; readonly log: Log },
  rows: readonly AuditEntry[],
  work: () => Promise<T>,
  { done, failed, ended }: Endings<T>,
): Promise<T> {
  const ids = await Promise.all(
    rows.map((row) =>
      audit.begin(row).catch((thrown: unknown) => {
        throw withoutCause(thrown);
      }),
    ),
  );
  const began = performance.now();
  const end = async (level: 'info' | 'warn', outcomeOf: (row: AuditEntry) => Outcome, cause?: unknown): Promise<void> => {
    const ms = performance.now() - began;
    const records = rows.map((row, index): EndedRecord => ({ ...row, auditId: ids[index]!, outcome: outcomeOf(row), ms }));
    await Promise.all(records.map(({ auditId, outcome }) => audit.end(auditId, outcome, ms)));
    records.forEach((record, index) => {
      ended?.(record, index);
      log(level, 'action', { ...rows[index], outcome: record.outcome, ...(cause === undefined ? {} : { cause }) });
    });
  };
  let result: T;
  try {
    result = await work();
  } catch (thrown) {
    const { outcome, cause } = failed(thrown);
    await end('warn', () => outcome, cause);
    throw thrown;
  }
  await end('info', (row) => done(result, row));
  return result;
}
