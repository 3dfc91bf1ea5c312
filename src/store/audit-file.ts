import { join } from 'node:path';
import { makeFolder } from '../kit/folders.js';
import { STORE_LOCK_TIMEOUT } from '../kit/limits.js';
import { openSqlite } from './sqlite.js';
import type { OpenStoreFile, StoreFile } from './store-file.js';
import type { Sqlite } from './sqlite.js';

/**
 * Two tables that only grow: an action's beginning, written before anything is sent, and its end. An
 * action without an end was under way when the server was killed.
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
  CREATE TRIGGER IF NOT EXISTS begun_stays BEFORE UPDATE ON begun BEGIN SELECT RAISE(ABORT, 'the audit only grows'); END;
  CREATE TRIGGER IF NOT EXISTS begun_is_kept BEFORE DELETE ON begun BEGIN SELECT RAISE(ABORT, 'the audit only grows'); END;
  CREATE TRIGGER IF NOT EXISTS ended_stays BEFORE UPDATE ON ended BEGIN SELECT RAISE(ABORT, 'the audit only grows'); END;
  CREATE TRIGGER IF NOT EXISTS ended_is_kept BEFORE DELETE ON ended BEGIN SELECT RAISE(ABORT, 'the audit only grows'); END;
`;

/** Only where the file has the beginning: somebody may have put a new file in its place. */
const INSERT_END = `
  INSERT OR IGNORE INTO ended (id, at, outcome, ms)
  SELECT ?, ?, ?, ? FROM begun WHERE id = ?`;

/** Numbers go on in a new file: an action that still runs must not end another one there. */
const GO_ON = `
  INSERT INTO sqlite_sequence (name, seq) SELECT 'begun', ?
  WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'begun')`;

/** The file's place in the state folder. */
export const auditFile = (stateDir: string): string => join(stateDir, 'audit.sqlite');

/** Of this thread, for a file that is replaced during its life. */
let lastGiven = 0;

/** The audit's file, with the operations `begin` and `end`. */
export const openAuditFile: OpenStoreFile = async (stateDir, last) => {
  makeFolder(stateDir);
  const database = await openSqlite(auditFile(stateDir), { readOnly: false, timeout: STORE_LOCK_TIMEOUT });
  try {
    database.exec('PRAGMA journal_mode = WAL');
    database.exec(SCHEMA);
    database.prepare(GO_ON).run(Math.max(last, lastGiven));
    return { database, operations: operationsOn(database) };
  } catch (error) {
    database.close();
    throw error;
  }
};

function operationsOn(database: Sqlite): StoreFile['operations'] {
  const insertBegin = database.prepare('INSERT INTO begun (at, account, peer, command, instance, options) VALUES (?, ?, ?, ?, ?, ?)');
  const insertEnd = database.prepare(INSERT_END);
  const knows = database.prepare('SELECT 1 FROM begun WHERE id = ?');
  return {
    /** (at, account, from, command, instance, options) → the action's number */
    begin: (args) => {
      lastGiven = Number(insertBegin.run(...args).lastInsertRowid);
      return lastGiven;
    },
    /** (id, at, outcome, ms) → whether the file has that action. A second time it changes nothing. */
    end: (args) => {
      const id = args[0] ?? null;
      return Number(insertEnd.run(...args, id).changes) > 0 || knows.get(id) !== undefined;
    },
  };
}
