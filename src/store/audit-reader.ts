import { existsSync } from 'node:fs';
import { AUDIT_FOLLOW_OPEN, STORE_LOCK_TIMEOUT } from '../kit/limits.js';
import { auditFile } from './audit-file.js';
import { openSqlite, type Sqlite } from './sqlite.js';

/** What to show of the audit. */
export interface AuditQuery {
  /** only actions that began then or later */
  readonly since?: Date | undefined;
  /** only actions of a higher number */
  readonly after?: number | undefined;
  /** what its tokens did is among it */
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

const COLUMNS = `
  SELECT begun.id, begun.at, account, peer AS "from", command, options, instance, outcome, ms
  FROM begun LEFT JOIN ended ON ended.id = begun.id`;

const SELECT = `${COLUMNS}
  WHERE begun.id > @after AND begun.at >= @since AND (@account IS NULL OR account = @account OR substr(account, 1, length(@account) + 8) = @account || ' (token ')
    AND (@instance IS NULL OR instance = @instance OR substr(instance, instr(instance, '/') + 1) = @instance)
  ORDER BY begun.id`;

const TABLES = `SELECT count(*) AS tables FROM sqlite_master WHERE type = 'table' AND name IN ('begun', 'ended')`;

const ENDED = `${COLUMNS} WHERE begun.id = ? AND outcome IS NOT NULL`;

/** The audit's file, undefined while there is none. @throws Error of the file system or of SQLite */
async function openAudit(stateDir: string): Promise<Sqlite | undefined> {
  const file = auditFile(stateDir);
  if (!existsSync(file)) return undefined;
  const database = await openSqlite(file, { readOnly: true, timeout: STORE_LOCK_TIMEOUT });
  try {
    // the server that makes it may be at that now
    const { tables } = database.prepare(TABLES).get() as { readonly tables: number };
    if (tables === 2) return database;
  } catch (error) {
    database.close();
    throw error;
  }
  database.close();
  return undefined;
}

function* select(database: Sqlite, { since, after, account, instance }: AuditQuery): Generator<AuditRecord> {
  const parameters = { after: after ?? 0, since: since?.toISOString() ?? '', account: account ?? null, instance: instance ?? null };
  for (const record of database.prepare(SELECT).iterate(parameters)) yield record as AuditRecord;
}

/**
 * The audit's records, oldest first, while the server may be writing further ones.
 * @throws Error of the file system or of SQLite; where there is no audit yet, there are no records
 */
export async function* readAudit(stateDir: string, query: AuditQuery): AsyncGenerator<AuditRecord> {
  const database = await openAudit(stateDir);
  try {
    if (database) yield* select(database, query);
  } finally {
    database?.close();
  }
}

/**
 * The records, and then those that come: each when its action begins and once more when it has ended.
 * The file is opened anew for each look, since somebody may put another one in its place. Goes on until
 * the one who asks stops.
 * @param pause waits until it is looked for news again
 * @throws Error of the file system or of SQLite
 */
export async function* followAudit(stateDir: string, query: AuditQuery, pause: () => Promise<void>): AsyncGenerator<AuditRecord> {
  const open = new Set<number>();
  let { after = 0 } = query;
  for (;; await pause()) {
    const database = await openAudit(stateDir);
    try {
      if (database === undefined) continue;
      const ended = database.prepare(ENDED);
      for (const id of [...open]) {
        const record = ended.get(id) as AuditRecord | undefined;
        if (record === undefined) continue;
        open.delete(id);
        yield record;
      }
      for (const record of select(database, { ...query, after })) {
        after = record.id;
        if (record.outcome === null) open.add(record.id);
        // the oldest will hardly end any more: it was cut off with its server
        if (open.size > AUDIT_FOLLOW_OPEN) open.delete(open.values().next().value!);
        yield record;
      }
    } finally {
      database?.close();
    }
  }
}
