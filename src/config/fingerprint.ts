import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { CONFIG_FILE_SIZE } from '../kit/limits.js';

/** Its driver looks at it again with each listing. */
const WATCHED = 'hosts-file';

/** Keys that name a file without saying so. */
const FILES = ['tls-cert', 'tls-key', 'tls-client-ca'];

const namesFile = (key: string): boolean => FILES.includes(key) || (key.endsWith('-file') && key !== WATCHED);

/**
 * What differs when the table of a provider or gateway has changed, or a file with a secret, a key or an authority that
 * it names: by content, so that a password that was rotated is used after a reload.
 */
export function fingerprint(table: unknown): string {
  const hash = createHash('sha256').update(JSON.stringify(table));
  for (const file of filesIn(table)) hash.update(`\0${file}\0`).update(contentOf(file));
  return hash.digest('hex');
}

function filesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, each]: [string, unknown]) =>
    (typeof each === 'string' ? (namesFile(key) ? [each] : []) : filesIn(each)));
}

/** A file that cannot be read has no content: whether it has to be there is for others to say. */
function contentOf(file: string): Buffer | string {
  try {
    const stats = statSync(file);
    return stats.isFile() && stats.size <= CONFIG_FILE_SIZE ? readFileSync(file) : '';
  } catch {
    return '';
  }
}
