import { join } from 'node:path';
import { makeFolder } from '../kit/folders.js';
import { HISTORY_REMOVED, STORE_LOCK_TIMEOUT } from '../kit/limits.js';
import { openSqlite, type Sqlite, type Value } from './sqlite.js';
import { NOT_BEGUN, type OpenStoreFile, type Operations } from './store-file.js';

/** The side of the thread of history.ts: rows in the order of their numbers, a stream for each namespace. */

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS stream (
    number INTEGER PRIMARY KEY, namespace TEXT NOT NULL UNIQUE, session TEXT NOT NULL,
    epoch INTEGER NOT NULL DEFAULT 0, last INTEGER NOT NULL DEFAULT 0, gone INTEGER NOT NULL DEFAULT 0,
    acknowledged INTEGER NOT NULL DEFAULT 0, delivered INTEGER NOT NULL DEFAULT 0, written INTEGER NOT NULL DEFAULT 0
  );
  CREATE TABLE IF NOT EXISTS value (
    stream INTEGER NOT NULL, id INTEGER NOT NULL, written INTEGER NOT NULL, row TEXT NOT NULL,
    PRIMARY KEY (stream, id)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS acknowledgement (
    stream INTEGER NOT NULL, upto INTEGER NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (stream, upto)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS note (
    stream INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (stream, key)
  ) WITHOUT ROWID;
`;

/** What is kept of a stream. Its rows are without gaps: those after `gone`, up to `last`. */
export interface Head {
  readonly number: number;
  readonly session: string;
  /** how often it was begun, and told of a clock that went back */
  readonly epoch: number;
  readonly last: number;
  readonly gone: number;
  /** up to which the receiver has them, as far as is known now */
  readonly acknowledged: number;
  /** up to which the receiver had them at any time */
  readonly delivered: number;
  /** when the last row came, by the caller's clock */
  readonly written: number;
}

export const openHistoryFile: OpenStoreFile = async (stateDir) => {
  makeFolder(stateDir);
  const path = join(stateDir, 'history.sqlite');
  const database = await openSqlite(path, { readOnly: false, timeout: STORE_LOCK_TIMEOUT });
  try {
    database.exec('PRAGMA journal_mode = WAL');
    database.exec(SCHEMA);
    return { path, database, operations: historyOperations(database) };
  } catch (error) {
    database.close();
    throw error;
  }
};

/** Reads and changes the heads of streams. */
class Streams {
  readonly #database: Sqlite;
  readonly #read;
  readonly #begin;

  constructor(database: Sqlite) {
    this.#database = database;
    this.#read = database.prepare('SELECT number, session, epoch, last, gone, acknowledged, delivered, written FROM stream WHERE namespace = ?');
    this.#begin = database.prepare('INSERT INTO stream (namespace, session) VALUES (?, ?) ON CONFLICT DO NOTHING');
  }

  /** @param session of one that is not there yet */
  begin(namespace: Value, session: Value): void {
    this.#begin.run(namespace, session);
  }

  /** @throws Error {@link NOT_BEGUN} */
  of(namespace: Value): Head {
    const head = this.#read.get(namespace) as Head | undefined;
    if (head === undefined) throw new Error(NOT_BEGUN);
    return head;
  }

  /** Forgets one, and all that belongs to it. */
  end(number: number): null {
    for (const [table, column] of [['value', 'stream'], ['acknowledgement', 'stream'], ['note', 'stream'], ['stream', 'number']]) {
      this.#database.prepare(`DELETE FROM ${table} WHERE ${column} = ?`).run(number);
    }
    return null;
  }

  /** Prepares a change of columns of a head; the number of the stream is the last parameter. */
  change(...columns: readonly string[]): (...values: readonly Value[]) => void {
    const statement = this.#database.prepare(`UPDATE stream SET ${columns.map((column) => `${column} = ?`).join(', ')} WHERE number = ?`);
    return (...values) => void statement.run(...values);
  }
}

function historyOperations(database: Sqlite): Operations {
  const streams = new Streams(database);
  return { ...rowOperations(database, streams), ...receiptOperations(database, streams), ...noteOperations(database, streams) };
}

function rowOperations(database: Sqlite, streams: Streams): Operations {
  // SQLite takes the array to pieces: that is twice as fast as a statement for each row
  const insert = database.prepare('INSERT INTO value (stream, id, written, row) SELECT ?, ? + key, ?, value FROM json_each(?)');
  // SQLite puts a page together for a third of what it costs to take each row into JavaScript
  const page = database.prepare(`SELECT group_concat('{"id":' || id || ',' || substr(row, 2), char(44, 10) ORDER BY id) AS text FROM value WHERE stream = ? AND id > ? AND id <= ?`);
  // told by the heads of rows: those of a page may be far more than is wanted of them
  const sizeOf = database.prepare('SELECT sum(octet_length(row)) AS size FROM value WHERE stream = ? AND id > ? AND id <= ?');
  const appended = streams.change('last', 'written');
  const begun = streams.change('epoch');
  return {
    'history.open': ([namespace = null, session = null]) => {
      streams.begin(namespace, session);
      const head = streams.of(namespace);
      begun(head.epoch + 1, head.number);
      return streams.of(namespace);
    },
    'history.append': ([namespace = null, written = 0, rows = null, known = 0]) => {
      const { number, last } = streams.of(namespace);
      // numbers that were given already would be given again, and the receiver drops what it takes for known
      if (last < Number(known)) return streams.end(number);
      const { changes } = insert.run(number, last + 1, written, rows);
      appended(last + Number(changes), written, number);
      return last + Number(changes);
    },
    'history.page': ([namespace = null, after = 0, most = 0, size = 0]) => {
      const { number, gone, last } = streams.of(namespace);
      const first = Math.max(Number(after), gone);
      let count = Math.min(Number(most), last - first);
      if (count <= 0) return { text: '', count: 0, last: after };
      const isTooLong = (): boolean => (sizeOf.get(number, first, first + count) as { size: number }).size > Number(size);
      while (count > 1 && isTooLong()) count = Math.ceil(count / 2);
      const { text } = page.get(number, first, first + count) as { text: string };
      return { text, count, last: first + count };
    },
  };
}

function receiptOperations(database: Sqlite, streams: Streams): Operations {
  const note = database.prepare('INSERT OR REPLACE INTO acknowledgement (stream, upto, at) VALUES (?, ?, ?)');
  const forget = database.prepare('DELETE FROM acknowledgement WHERE stream = ? AND upto <= ?');
  const forgetAll = database.prepare('DELETE FROM acknowledgement WHERE stream = ?');
  const settled = database.prepare('SELECT max(upto) AS upto FROM acknowledgement WHERE stream = ? AND at <= ?');
  const recent = database.prepare('SELECT id FROM value WHERE stream = ? AND written > ? ORDER BY id LIMIT 1');
  const remove = database.prepare('DELETE FROM value WHERE stream = ? AND id <= ?');
  const acknowledged = streams.change('acknowledged', 'delivered');
  const removed = streams.change('gone', 'acknowledged');
  return {
    'history.acknowledge': ([namespace = null, upTo = 0, at = 0]) => {
      const { number, last, acknowledged: before, delivered } = streams.of(namespace);
      const position = Math.min(Number(upTo), last);
      if (position <= before) return;
      note.run(number, position, at);
      acknowledged(position, Math.max(delivered, position), number);
    },
    'history.step-back': ([namespace = null]) => {
      const { number, gone, delivered } = streams.of(namespace);
      forgetAll.run(number);
      acknowledged(gone, delivered, number);
      return streams.of(namespace);
    },
    'history.trim': ([namespace = null, writtenBefore = 0, acknowledgedBefore = 0, keep = 0, most = 0]) => {
      const { number, last, gone, acknowledged: position, delivered } = streams.of(namespace);
      const done = (settled.get(number, acknowledgedBefore) as { upto: number | null }).upto ?? gone;
      const firstRecent = (recent.get(number, writtenBefore) as { id: number } | undefined)?.id ?? last + 1;
      const old = Math.max(firstRecent - 1, last - Number(most));
      // many rows in one go would keep others waiting, and the log of the file long
      const target = Math.min(Math.max(done, position - Number(keep), old, gone), gone + HISTORY_REMOVED);
      if (target > gone) {
        remove.run(number, target);
        forget.run(number, target);
        removed(target, Math.max(position, target), number);
      }
      // what the receiver once had is no loss
      const from = Math.max(gone, delivered);
      return { ...streams.of(namespace), dropped: Math.max(0, target - from) };
    },
  };
}

function noteOperations(database: Sqlite, streams: Streams): Operations {
  const get = database.prepare('SELECT value FROM note WHERE stream = ? AND key = ?');
  const set = database.prepare('INSERT OR REPLACE INTO note (stream, key, value) VALUES (?, ?, ?)');
  return {
    'history.note': ([namespace = null, key = null]) => (get.get(streams.of(namespace).number, key) as { value: string } | undefined)?.value,
    'history.set-note': ([namespace = null, key = null, value = null]) => void set.run(streams.of(namespace).number, key, value),
  };
}
