import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/** Of folders that hold state: what is in them is nobody else's business. */
const MODE = 0o750;

/**
 * Makes a folder and those above it where they are missing. Level by level, since Node's own
 * recursive way does not come back from file systems that refuse new folders as missing ones, such
 * as /proc (seen with 20.20).
 * @throws Error of the file system
 */
export function makeFolder(path: string): void {
  if (existsSync(path)) return;
  if (dirname(path) !== path) makeFolder(dirname(path));
  mkdirSync(path, { mode: MODE });
}
