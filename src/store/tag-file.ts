import type { Sqlite } from './sqlite.js';
import type { Operations } from './store-file.js';

/** The side of the thread of tags.ts. */

export const TAGS_SCHEMA = `
  CREATE TABLE IF NOT EXISTS tags (
    provider TEXT NOT NULL, id TEXT NOT NULL, level INTEGER NOT NULL, tag TEXT NOT NULL,
    PRIMARY KEY (provider, id, level, tag)
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS tags_tag ON tags (tag, level);
  CREATE TABLE IF NOT EXISTS tags_absent (
    provider TEXT NOT NULL, id TEXT NOT NULL, ms INTEGER NOT NULL,
    PRIMARY KEY (provider, id)
  ) WITHOUT ROWID;
`;

/** Of each element of a JSON array of pairs: its first and its second. */
const PAIRS = "SELECT json_extract(value, '$[0]') AS one, json_extract(value, '$[1]') AS other FROM json_each(?)";

export function tagOperations(database: Sqlite): Operations {
  const page = database.prepare(`
    SELECT provider, id, level, tag, coalesce(ms, 0) AS absent FROM tags LEFT JOIN tags_absent USING (provider, id)
    WHERE (provider, id, level, tag) > (?, ?, ?, ?) ORDER BY provider, id, level, tag LIMIT ?`);
  const add = database.prepare('INSERT OR IGNORE INTO tags (provider, id, level, tag) VALUES (?, ?, ?, ?)');
  const remove = database.prepare('DELETE FROM tags WHERE provider = ? AND id = ? AND level = ? AND tag = ?');
  const others = `tag = ? AND level = ? AND (provider, id) NOT IN (${PAIRS})`;
  const copy = database.prepare(`INSERT OR IGNORE INTO tags (provider, id, level, tag) SELECT provider, id, level, ? FROM tags WHERE ${others}`);
  const removeOld = database.prepare(`DELETE FROM tags WHERE ${others}`);
  const removeLevel = database.prepare(`DELETE FROM tags WHERE level = ? AND id = '' AND provider IN (SELECT one FROM (${PAIRS}))`);
  const addToHosts = database.prepare(`INSERT OR IGNORE INTO tags (provider, id, level, tag) SELECT one, '', ?, other FROM (${PAIRS})`);
  const setAbsent = database.prepare(`
    INSERT OR REPLACE INTO tags_absent (provider, id, ms)
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]') FROM json_each(?)`);
  const forget = database.prepare(`DELETE FROM tags WHERE (provider, id) IN (${PAIRS})`);
  const forgetAbsent = database.prepare(`DELETE FROM tags_absent WHERE (provider, id) IN (${PAIRS})`);
  return {
    'tag.page': (args) => page.all(...args),
    'tag.add': (args) => void add.run(...args),
    'tag.remove': (args) => void remove.run(...args),
    /** (from, to, level, JSON pairs of provider and id of those that keep it) */
    'tag.rename': ([from = null, to = null, level = null, keep = null]) => {
      copy.run(to, from, level, keep);
      removeOld.run(from, level, keep);
    },
    /** (level, JSON pairs of provider and tag): of that level these and no others */
    'tag.replace': ([level = null, pairs = null]) => {
      removeLevel.run(level, pairs);
      addToHosts.run(level, pairs);
    },
    /** (JSON triples of provider, id, milliseconds) */
    'tag.absent': ([triples = null]) => void setAbsent.run(triples),
    /** (JSON pairs of provider and id) */
    'tag.present': ([pairs = null]) => void forgetAbsent.run(pairs),
    /** (JSON pairs of provider and id) */
    'tag.forget': ([pairs = null]) => {
      forget.run(pairs);
      forgetAbsent.run(pairs);
    },
  };
}
