import { FLEET_ORDERS_REMEMBERED } from '../kit/fleet-limits.js';
import type { OrderKnown } from './order-journal.js';
import type { Sqlite } from './sqlite.js';
import type { Operations } from './store-file.js';

/** The side of the thread of order-journal.ts. */

export const ORDERS_SCHEMA = `
  CREATE TABLE IF NOT EXISTS far_orders (
    key TEXT PRIMARY KEY, begun_by TEXT NOT NULL, about TEXT NOT NULL, result TEXT
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS far_orders_forgotten (one INTEGER PRIMARY KEY CHECK (one = 1), key TEXT NOT NULL);
`;

interface Row {
  readonly begun_by: string;
  readonly about: string;
  readonly result: string | null;
}

const asKnown = ({ begun_by: by, about, result }: Row): OrderKnown => (result === null ? { state: 'open', by, about } : { state: 'ended', result });

export function orderOperations(database: Sqlite): Operations {
  const get = database.prepare('SELECT begun_by, about, result FROM far_orders WHERE key = ?');
  const count = database.prepare('SELECT count(*) AS count FROM far_orders');
  const insert = database.prepare('INSERT INTO far_orders (key, begun_by, about) VALUES (?, ?, ?)');
  const end = database.prepare('UPDATE far_orders SET result = ? WHERE key = ? AND result IS NULL');
  // only few can be under way in one process, so that the walk past them is short
  const least = database.prepare('SELECT key FROM far_orders WHERE result IS NOT NULL OR begun_by <> ? ORDER BY key LIMIT 1');
  const remove = database.prepare('DELETE FROM far_orders WHERE key = ?');
  const forgotten = database.prepare('SELECT key FROM far_orders_forgotten');
  const plant = database.prepare('INSERT OR IGNORE INTO far_orders_forgotten (one, key) VALUES (1, max(?, ?))');
  const move = database.prepare('UPDATE far_orders_forgotten SET key = max(key, ?)');
  let kept: number | undefined;
  return {
    'order.begin': ([key = null, first = null, greatest = null, by = null, about = null]): OrderKnown => {
      const known = get.get(key) as Row | undefined;
      if (known) return asKnown(known);
      if (String(key) > String(first)) plant.run(first, greatest);
      const gone = (forgotten.get() as { key: string } | undefined)?.key;
      if (gone === undefined || String(key) <= gone) return { state: 'forgotten' };
      if (String(key) <= String(first)) return { state: 'absent' };
      kept ??= (count.get() as { count: number }).count;
      const oldest = kept >= FLEET_ORDERS_REMEMBERED ? (least.get(by) as { key: string } | undefined)?.key : undefined;
      if (oldest !== undefined) {
        remove.run(oldest);
        move.run(oldest);
        kept -= 1;
      }
      insert.run(key, by, about);
      kept += 1;
      return { state: 'new' };
    },
    'order.end': ([key = null, result = null]) => void end.run(result, key),
  };
}
