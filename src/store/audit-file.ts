import { join } from 'node:path';
import { makeFolder } from '../kit/folders.js';
import { STORE_LOCK_TIMEOUT } from '../kit/limits.js';
import { openSqlite } from './sqlite.js';
import type { OpenStoreFile, StoreFile } from './store-file.js';
import type { Sqlite } from './sqlite.js';

/**
 * Two tables that only grow: an action's beginning, written before anything is sent, and its end. An
 * action without an end was under way when the server was killed. What is older than it is to be kept
 * goes: `pruned` has the number up to which that was so, and when.
 */
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS begun (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    account TEXT NOT NULL,
    peer TEXT NOT NULL,
    command TEXT NOT NULL,
    instance TEXT NOT NULL,
    options TEXT NOT NULL
  );
  CREATE TABLE IF NOT EXISTS ended (
    id INTEGER PRIMARY KEY REFERENCES begun (id),
    at TEXT NOT NULL,
    outcome TEXT NOT NULL,
    ms INTEGER NOT NULL
  );
  CREATE TABLE IF NOT EXISTS pruned (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    at TEXT NOT NULL,
    through INTEGER NOT NULL
  );
  CREATE TRIGGER IF NOT EXISTS begun_stays BEFORE UPDATE ON begun BEGIN SELECT RAISE(ABORT, 'the audit only grows'); END;
  DROP TRIGGER IF EXISTS begun_is_kept;
  CREATE TRIGGER IF NOT EXISTS begun_is_due BEFORE DELETE ON begun WHEN OLD.id > (SELECT coalesce(max(through), 0) FROM pruned) BEGIN SELECT RAISE(ABORT, 'the audit only grows'); END;
  CREATE TRIGGER IF NOT EXISTS ended_stays BEFORE UPDATE ON ended BEGIN SELECT RAISE(ABORT, 'the audit only grows'); END;
  DROP TRIGGER IF EXISTS ended_is_kept;
  CREATE TRIGGER IF NOT EXISTS ended_is_due BEFORE DELETE ON ended WHEN OLD.id > (SELECT coalesce(max(through), 0) FROM pruned) BEGIN SELECT RAISE(ABORT, 'the audit only grows'); END;
`;

/** Only where the file has the beginning: somebody may have put a new file in its place. */
const INSERT_END = `
  INSERT OR IGNORE INTO ended (id, at, outcome, ms)
  SELECT ?, ?, ?, ? FROM begun WHERE id = ?`;

const ROWS = `
  SELECT begun.id, begun.at, account, peer AS "from", command, options, instance, outcome, ms
  FROM begun LEFT JOIN ended ON ended.id = begun.id WHERE begun.id < ? ORDER BY begun.id DESC LIMIT ?`;

/** Numbers go on in a new file: an action that still runs must not end another one there. */
const GO_ON = `
  INSERT INTO sqlite_sequence (name, seq) SELECT 'begun', ?
  WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'begun')`;

/** The file's place in the state folder. */
export const auditFile = (stateDir: string): string => join(stateDir, 'audit.sqlite');

/** Of this thread, for a file that is replaced during its life. */
let lastGiven = 0;

const MARK_PRUNED = 'INSERT INTO pruned (one, at, through) VALUES (1, ?, ?) ON CONFLICT (one) DO UPDATE SET at = excluded.at, through = excluded.through';

/** Bytes that are in use; what was freed is used again. */
const SIZE = 'SELECT (page_count - freelist_count) * page_size AS size FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()';

/** Pages that are given back to the file system in one step, where the file was made for that. */
const VACUUM = 'PRAGMA incremental_vacuum(256)';

/** The audit's file, with the operations `begin`, `end`, `rows` and `prune`. */
export const openAuditFile: OpenStoreFile = async (stateDir, last) => {
  makeFolder(stateDir);
  const path = auditFile(stateDir);
  const database = await openSqlite(path, { readOnly: false, timeout: STORE_LOCK_TIMEOUT });
  try {
    // of a new file only: it can become smaller again
    database.exec('PRAGMA auto_vacuum = INCREMENTAL');
    database.exec('PRAGMA journal_mode = WAL');
    database.exec(SCHEMA);
    database.prepare(GO_ON).run(Math.max(last, lastGiven));
    return { path, database, operations: operationsOn(database) };
  } catch (error) {
    database.close();
    throw error;
  }
};

/**
 * How many of these, oldest first, began before a time. One that is dated after now was written under a wrong
 * clock, and is as old as what follows it.
 */
function tooOld(oldest: readonly { readonly at: string }[], before: string): number {
  const now = new Date().toISOString();
  let count = 0;
  for (const [index, { at }] of oldest.entries()) {
    if (at < before) count = index + 1;
    else if (at <= now) break;
  }
  return count;
}

function operationsOn(database: Sqlite): StoreFile['operations'] {
  const insertBegin = database.prepare('INSERT INTO begun (at, account, peer, command, instance, options) VALUES (?, ?, ?, ?, ?, ?)');
  const insertEnd = database.prepare(INSERT_END);
  const rows = database.prepare(ROWS);
  const knows = database.prepare('SELECT 1 FROM begun WHERE id = ?');
  return {
    /** (at, account, from, command, instance, options) → the action's number */
    begin: (args) => {
      lastGiven = Number(insertBegin.run(...args).lastInsertRowid);
      return lastGiven;
    },
    /** (before, size, rows) → how many of the oldest actions were removed: those that began before, or of which the file is larger */
    prune: ([before, size, rows]) => {
      const oldest = database.prepare('SELECT id, at FROM begun ORDER BY id LIMIT ?').all(rows ?? 0) as { id: number; at: string }[];
      const isTooLarge = size !== null && (database.prepare(SIZE).get() as { size: number }).size > Number(size);
      const due = isTooLarge ? oldest : before === null ? [] : oldest.slice(0, tooOld(oldest, String(before)));
      const through = due.at(-1)?.id;
      if (through !== undefined) {
        database.prepare(MARK_PRUNED).run(new Date().toISOString(), through);
        database.prepare('DELETE FROM ended WHERE id <= ?').run(through);
        database.prepare('DELETE FROM begun WHERE id <= ?').run(through);
        database.exec(VACUUM);
      }
      return due.length;
    },
    /** (before, most) → the actions below a number, newest first */
    rows: (args) => rows.all(...args),
    /** (id, at, outcome, ms) → whether the file has that action. A second time it changes nothing. */
    end: (args) => {
      const id = args[0] ?? null;
      return Number(insertEnd.run(...args, id).changes) > 0 || knows.get(id) !== undefined;
    },
  };
}
