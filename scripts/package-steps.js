/** What is done with files of all packages: finding, copying and writing them. */
import { spawnSync } from 'node:child_process';
import { chmodSync, lstatSync, lutimesSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fromRoot } from './root.js';

const SHEBANG = Buffer.from('#!/');

/** Files below a folder, by paths in it. @param {string} folder @returns {string[]} */
export const filesIn = (folder) => readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
  (entry.isDirectory() ? filesIn(join(folder, entry.name)).map((path) => `${entry.name}/${path}`) : [entry.name])).sort();

/** Runs a program. @param {string} program @param {string[]} args @param {import('node:child_process').SpawnSyncOptions} [options] */
export function run(program, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024, ...options });
  if (error !== undefined) throw new Error(`${program} cannot be run: ${error.message}`);
  if (status !== 0) throw new Error(`${program} ${args[0] ?? ''} failed: ${stderr}`);
  return String(stdout);
}

/** A program is what says which one is to run it. @param {string} from @param {string} to @param {boolean} [isProgram] false: it is none all the same */
export function copy(from, to, isProgram = true) {
  mkdirSync(dirname(to), { recursive: true });
  const content = readFileSync(from);
  writeFileSync(to, content);
  chmodSync(to, isProgram && content.subarray(0, 3).equals(SHEBANG) ? 0o755 : 0o644);
}

/** Each file of the rows, below the project's folder and below the root. @param {import('./package-files.js').Row[]} rows */
export const placesOf = (rows) => rows.flatMap(({ from, to, without, programs }) => (!lstatSync(fromRoot(from)).isDirectory()
  ? [{ from, to, programs }]
  : filesIn(fromRoot(from)).filter((path) => without?.test(path) !== true).map((path) => ({ from: `${from}/${path}`, to: posix.join(to, path), programs }))));

/** @param {string} root @param {import('./package-files.js').Row[]} rows */
export function copyRows(root, rows) {
  for (const { from, to, programs } of placesOf(rows)) copy(fromRoot(from), join(root, to), programs);
}

/** @param {string} root @param {string} path @param {string | Buffer} content */
export function write(root, path, content) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
  chmodSync(join(root, path), 0o644);
}

/** Folders and files of a tree with what the package says of them. @param {string} folder @param {number} epoch */
export function settle(folder, epoch) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) settle(join(folder, entry.name), epoch);
    else lutimesSync(join(folder, entry.name), epoch, epoch);
  }
  chmodSync(folder, 0o755);
  lutimesSync(folder, epoch, epoch);
}
