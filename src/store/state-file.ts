import { join } from 'node:path';
import { makeFolder } from '../kit/folders.js';
import { ONCE_KEPT, STATE_KEYS, STATE_PAGE, STATE_PAGE_SIZE, STORE_LOCK_TIMEOUT } from '../kit/limits.js';
import { orderOperations, ORDERS_SCHEMA } from './order-journal-file.js';
import { planOperations, PLANS_SCHEMA } from './plan-journal-file.js';
import { openSqlite, type Sqlite } from './sqlite.js';
import type { OpenStoreFile, Operations } from './store-file.js';
import { tagOperations, TAGS_SCHEMA } from './tag-file.js';
import { TASKS_SCHEMA, taskOperations } from './task-file.js';

/** The side of the thread of state.ts: tables in which each row belongs to a namespace. */

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS key_value (
    namespace TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (namespace, key)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS outbox_head (
    namespace TEXT PRIMARY KEY, last INTEGER NOT NULL, gone INTEGER NOT NULL, dropped INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS outbox (
    namespace TEXT NOT NULL, position INTEGER NOT NULL, event TEXT NOT NULL,
    PRIMARY KEY (namespace, position)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS outbox_origin (
    namespace TEXT PRIMARY KEY, origin TEXT NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS once (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace TEXT NOT NULL, key TEXT NOT NULL, ended INTEGER NOT NULL DEFAULT 0, result TEXT,
    UNIQUE (namespace, key)
  );
  CREATE INDEX IF NOT EXISTS once_ended ON once (namespace, ended, number);
`;

/** The state of gateways and tasks. */
export const openStateFile: OpenStoreFile = async (stateDir) => {
  makeFolder(stateDir);
  const path = join(stateDir, 'state.sqlite');
  const database = await openSqlite(path, { readOnly: false, timeout: STORE_LOCK_TIMEOUT });
  try {
    database.exec('PRAGMA journal_mode = WAL');
    database.exec(SCHEMA + TASKS_SCHEMA + PLANS_SCHEMA + TAGS_SCHEMA + ORDERS_SCHEMA);
    return {
      path, database,
      operations: {
        ...keyValueOperations(database), ...outboxOperations(database), ...onceOperations(database), ...taskOperations(database), ...planOperations(database),
        ...tagOperations(database), ...orderOperations(database),
      },
    };
  } catch (error) {
    database.close();
    throw error;
  }
};

/** Rows in order until their texts have so many characters, which is the last parameter; at least one. */
const page = (columns: string, text: string, rows: string, order: string): string => `
  SELECT ${columns} FROM (SELECT *, sum(length(${text})) OVER (ORDER BY ${order}) - length(${text}) AS before FROM (${rows}))
  WHERE before < ? ORDER BY ${order}`;

/** What an operation says that would go beyond a limit. */
const FULL = { full: true };

function keyValueOperations(database: Sqlite): Operations {
  const get = database.prepare('SELECT value FROM key_value WHERE namespace = ? AND key = ?');
  const count = database.prepare('SELECT count(*) AS count FROM key_value WHERE namespace = ?');
  const set = database.prepare('INSERT INTO key_value (namespace, key, value) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value');
  const remove = database.prepare('DELETE FROM key_value WHERE namespace = ? AND key = ?');
  // not LIKE: it takes upper and lower case for the same, and has wildcards
  const list = database.prepare(page('key, value', 'value', `
    SELECT key, value FROM key_value
    WHERE namespace = ? AND key >= ? AND key > ? AND substr(key, 1, length(?)) = ? ORDER BY key LIMIT ${STATE_PAGE}`, 'key'));
  return {
    'kv.get': ([namespace = null, key = null]) => (get.get(namespace, key) as { value: string } | undefined)?.value,
    'kv.set': ([namespace = null, key = null, value = null]) => {
      const known = get.get(namespace, key) !== undefined;
      if (!known && (count.get(namespace) as { count: number }).count >= STATE_KEYS) return FULL;
      set.run(namespace, key, value);
      return undefined;
    },
    'kv.delete': ([namespace = null, key = null]) => void remove.run(namespace, key),
    'kv.list': ([namespace = null, prefix = null, after = null]) => list.all(namespace, prefix, after, prefix, prefix, STATE_PAGE_SIZE),
  };
}

/** Rows are without gaps: those after `gone`, up to `last`. */
interface Head {
  readonly last: number;
  readonly gone: number;
  readonly dropped: number;
}

function outboxOperations(database: Sqlite): Operations {
  const readHead = database.prepare('SELECT last, gone, dropped FROM outbox_head WHERE namespace = ?');
  const writeHead = database.prepare('INSERT OR REPLACE INTO outbox_head (namespace, last, gone, dropped) VALUES (?, ?, ?, ?)');
  const insert = database.prepare('INSERT INTO outbox (namespace, position, event) VALUES (?, ?, ?)');
  const remove = database.prepare('DELETE FROM outbox WHERE namespace = ? AND position <= ?');
  const read = database.prepare(page('position, event', 'event',
    'SELECT position, event FROM outbox WHERE namespace = ? AND position > ? ORDER BY position LIMIT ?', 'position'));
  const readOrigin = database.prepare('SELECT origin FROM outbox_origin WHERE namespace = ?');
  const writeOrigin = database.prepare('INSERT OR REPLACE INTO outbox_origin (namespace, origin) VALUES (?, ?)');
  const headOf = (namespace: string): Head => (readHead.get(namespace) ?? { last: 0, gone: 0, dropped: 0 }) as Head;
  return {
    'outbox.append': ([name, most, origin = null, ...events]) => {
      const namespace = String(name);
      const head = headOf(namespace);
      events.forEach((event, index) => insert.run(namespace, head.last + index + 1, event));
      const last = head.last + events.length;
      const gone = Math.max(head.gone, last - Number(most));
      if (gone > head.gone) remove.run(namespace, gone);
      const dropped = gone - head.gone;
      writeHead.run(namespace, last, gone, head.dropped + dropped);
      if (origin !== null) writeOrigin.run(namespace, origin);
      return { last, dropped };
    },
    'outbox.origin': ([namespace = null]) => (readOrigin.get(namespace) as { origin: string } | undefined)?.origin,
    'outbox.read': ([name, after = 0, most = 0]) => {
      const namespace = String(name);
      return { ...headOf(namespace), events: read.all(namespace, after, most, STATE_PAGE_SIZE) };
    },
    'outbox.acknowledge': ([name, upTo]) => {
      const namespace = String(name);
      const head = headOf(namespace);
      const gone = Math.min(Number(upTo), head.last);
      if (gone <= head.gone) return;
      remove.run(namespace, gone);
      writeHead.run(namespace, head.last, gone, head.dropped);
    },
  };
}

function onceOperations(database: Sqlite): Operations {
  const get = database.prepare('SELECT ended, result FROM once WHERE namespace = ? AND key = ?');
  const count = database.prepare('SELECT count(*) AS count FROM once WHERE namespace = ?');
  const insert = database.prepare('INSERT INTO once (namespace, key) VALUES (?, ?)');
  const end = database.prepare('UPDATE once SET ended = 1, result = ? WHERE namespace = ? AND key = ? AND ended = 0');
  const forget = database.prepare('DELETE FROM once WHERE number = (SELECT min(number) FROM once WHERE namespace = ? AND ended = 1)');
  const counts = new Map<string, number>();
  const countOf = (namespace: string): number => counts.get(namespace) ?? (count.get(namespace) as { count: number }).count;
  return {
    'once.begin': ([name, key = null]) => {
      const namespace = String(name);
      const known = get.get(namespace, key) as { ended: number; result: string | null } | undefined;
      if (known) return known.ended ? { begun: false, ended: true, result: known.result } : { begun: false, ended: false };
      let kept = countOf(namespace);
      if (kept >= ONCE_KEPT) {
        if (Number(forget.run(namespace).changes) === 0) return FULL;
        kept -= 1;
      }
      insert.run(namespace, key);
      counts.set(namespace, kept + 1);
      return { begun: true };
    },
    'once.end': ([namespace = null, key = null, result = null]) => Number(end.run(result, namespace, key).changes) > 0,
  };
}
