import { existsSync } from 'node:fs';
import { STORE_LOCK_TIMEOUT } from '../kit/limits.js';
import { auditFile } from './audit-file.js';
import { openSqlite } from './sqlite.js';

/** What to show of the audit. */
export interface AuditQuery {
  /** only actions that began then or later */
  readonly since?: Date | undefined;
  readonly account?: string | undefined;
  /** full name, or short name */
  readonly instance?: string | undefined;
}

/** One action, as it is shown. */
export interface AuditRecord {
  readonly id: number;
  /** ISO 8601, UTC */
  readonly at: string;
  readonly account: string;
  readonly from: string;
  readonly command: string;
  readonly options: string;
  readonly instance: string;
  /** null: under way, or cut off by the end of the server */
  readonly outcome: string | null;
  /** milliseconds */
  readonly ms: number | null;
}

const SELECT = `
  SELECT begun.id, begun.at, account, peer AS "from", command, options, instance, outcome, ms
  FROM begun LEFT JOIN ended ON ended.id = begun.id
  WHERE begun.at >= @since AND (@account IS NULL OR account = @account)
    AND (@instance IS NULL OR instance = @instance OR substr(instance, instr(instance, '/') + 1) = @instance)
  ORDER BY begun.id`;

/**
 * The audit's records, oldest first, while the server may be writing further ones.
 * @throws Error of the file system or of SQLite; where there is no audit yet, there are no records
 */
export async function* readAudit(stateDir: string, { since, account, instance }: AuditQuery): AsyncGenerator<AuditRecord> {
  const file = auditFile(stateDir);
  if (!existsSync(file)) return;
  const database = await openSqlite(file, { readOnly: true, timeout: STORE_LOCK_TIMEOUT });
  try {
    const statement = database.prepare(SELECT);
    const parameters = { since: since?.toISOString() ?? '', account: account ?? null, instance: instance ?? null };
    for (const record of statement.iterate(parameters)) yield record as AuditRecord;
  } finally {
    database.close();
  }
}
