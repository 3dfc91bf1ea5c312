import { TASKS_KEPT, TASKS_LISTED } from '../kit/limits.js';
import type { Sqlite, Value } from './sqlite.js';
import type { Operations } from './store-file.js';
import type { TaskRecord } from './tasks.js';

/** The side of the thread of tasks.ts. */

export const TASKS_SCHEMA = `
  CREATE TABLE IF NOT EXISTS tasks (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace TEXT NOT NULL, id TEXT NOT NULL UNIQUE, once TEXT,
    owner TEXT NOT NULL, operation TEXT NOT NULL, subject TEXT NOT NULL,
    state TEXT NOT NULL, progress TEXT NOT NULL DEFAULT '', result TEXT, error TEXT,
    created INTEGER NOT NULL, changed INTEGER NOT NULL,
    UNIQUE (namespace, owner, once)
  );
  CREATE INDEX IF NOT EXISTS tasks_state ON tasks (namespace, state, number);
`;

const COLUMNS = 'id, once, owner, operation, subject, state, progress, result, error, created, changed';
const ENDED = "('done', 'failed', 'stopped', 'unknown')";

type TaskTexts = Pick<TaskRecord, 'subject' | 'progress' | 'result' | 'error'>;

export function taskOperations(database: Sqlite): Operations {
  const byId = database.prepare(`SELECT ${COLUMNS} FROM tasks WHERE namespace = ? AND id = ?`);
  const byOnce = database.prepare(`SELECT ${COLUMNS} FROM tasks WHERE namespace = ? AND owner = ? AND once = ?`);
  const ids = database.prepare('SELECT id FROM tasks WHERE namespace = ? AND (? IS NULL OR owner = ?) ORDER BY number DESC');
  const count = database.prepare('SELECT count(*) AS count FROM tasks WHERE namespace = ?');
  /** Of whoever has the most: a key that one account uses again must not have been pushed out by what others do. */
  const forget = database.prepare(`
    DELETE FROM tasks WHERE number = (SELECT min(number) FROM tasks WHERE namespace = ? AND state IN ${ENDED} GROUP BY owner ORDER BY count(*) DESC, min(number) LIMIT 1)`);
  const insert = database.prepare(`INSERT INTO tasks (namespace, id, once, owner, operation, subject, state, created, changed) VALUES (?, ?, ?, ?, ?, ?, 'waiting', ?, ?)`);
  const change = database.prepare(`
    UPDATE tasks SET state = coalesce(?, state), progress = coalesce(?, progress), result = coalesce(?, result), error = coalesce(?, error), changed = ?
    WHERE namespace = ? AND id = ?`);
  const recover = database.prepare(`UPDATE tasks SET state = 'unknown', changed = ? WHERE namespace = ? AND state IN ('waiting', 'running')`);
  return {
    'task.recover': ([now = null, namespace = null]) => Number(recover.run(now, namespace).changes),
    'task.create': ([namespace = null, id = null, once = null, ...facts]: readonly Value[]) => {
      const [owner = null, operation = null, subject = null, now = null] = facts;
      const known = once === null ? undefined : byOnce.get(namespace, owner, once);
      if (known !== undefined) return { created: false, task: known };
      if ((count.get(namespace) as { count: number }).count >= TASKS_KEPT && Number(forget.run(namespace).changes) === 0) return { full: true };
      insert.run(namespace, id, once, owner, operation, subject, now, now);
      return { created: true, task: byId.get(namespace, id) };
    },
    'task.change': ([namespace = null, id = null, ...values]: readonly Value[]) => {
      const [state = null, progress = null, result = null, error = null, now = null] = values;
      return Number(change.run(state, progress, result, error, now, namespace, id).changes) > 0;
    },
    'task.get': ([namespace = null, id = null]) => byId.get(namespace, id),
    'task.known': ([namespace = null, owner = null, once = null]) => byOnce.get(namespace, owner, once),
    'task.list': ([namespace = null, owner = null]) => {
      const found: TaskTexts[] = [];
      let size = 0;
      for (const { id } of ids.all(namespace, owner, owner) as { id: string }[]) {
        const task = byId.get(namespace, id) as TaskTexts;
        size += task.subject.length + task.progress.length + (task.result?.length ?? 0) + (task.error?.length ?? 0);
        if (size > TASKS_LISTED) break;
        found.push(task);
      }
      return found.reverse();
    },
  };
}
