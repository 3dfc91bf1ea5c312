/** Tells of files that change. */
import { existsSync, readdirSync, statSync, watch } from 'node:fs';
import { join } from 'node:path';

/** Files of editors and the like, which are no sources. */
const PASSING = /(?:^\.|~$|\.sw[a-z]$|^__pycache__$|^\d+$)/;

/**
 * Follows folders and all that comes to be below them.
 * @param {string[]} folders full paths
 * @param {(path: string) => void} told with the full path of a file that was written, came or went; perhaps several times
 * @returns {() => void} ends it
 */
export function watchFiles(folders, told) {
  /** @type {Map<string, import('node:fs').FSWatcher>} */
  const watchers = new Map();
  const leave = (/** @type {string} */ folder) => {
    watchers.get(folder)?.close();
    watchers.delete(folder);
  };
  const look = (/** @type {string} */ path) => {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found?.isDirectory()) follow(path, told);
    else told(path);
    if (found === undefined && watchers.has(path)) leave(path);
  };
  const follow = (/** @type {string} */ folder, /** @type {(path: string) => void} */ found) => {
    if (watchers.has(folder)) return;
    const watcher = watch(folder, (_event, name) => { if (name !== null && !PASSING.test(name)) look(join(folder, name)); });
    // it is gone: what was above it tells of that
    watcher.on('error', () => leave(folder));
    watchers.set(folder, watcher);
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (PASSING.test(entry.name)) continue;
      if (entry.isDirectory()) follow(join(folder, entry.name), found);
      else found(join(folder, entry.name));
    }
  };
  for (const folder of folders) if (existsSync(folder)) follow(folder, () => undefined);
  return () => watchers.forEach((watcher) => watcher.close());
}
