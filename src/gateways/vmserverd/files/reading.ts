import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import type { NamePattern } from '../../../kit/patterns.js';
import { Slices } from '../../../kit/slices.js';
import { harmless } from '../../../kit/text.js';
import { FOLDER_NAMES, LAST_BYTES, LAST_LINE } from '../../../kit/vmserverd-files-limits.js';
import { typeOf, type FileType, type Folder, type Leaf } from './jail.js';
import { isName } from './paths.js';
import { namesOf } from './users.js';

/** What is told of folders and files. */

export interface Entry {
  readonly name: string;
  readonly type: FileType;
  readonly size: number;
  /** seconds since 1970 */
  readonly mtime: number;
  /** in octal digits: `0644` */
  readonly mode: string;
  /** a name, or the number of one that this host does not know */
  readonly owner: string;
  readonly group: string;
}

export interface Entries {
  readonly entries: readonly Entry[];
  /** how many have a name that no document can carry, or no request could name */
  readonly unnamed: number;
  readonly isCut: boolean;
}

/** What is in a folder, by name. @param pattern left out: all @throws OperationError */
export async function entriesOf(folder: Folder, pattern?: NamePattern): Promise<Entries> {
  const [{ names, isWhole }, users, groups] = await Promise.all([folder.names(FOLDER_NAMES), namesOf('user'), namesOf('group')]);
  const named = names.flatMap(({ name }) => (name !== undefined && isName(name) ? [name] : []));
  const entries: Entry[] = [];
  const slices = new Slices();
  for (const name of named.sort()) {
    // a long pattern and as many long names take a second, in which nothing else would be answered
    if (slices.isOverNow()) await slices.pause();
    if (pattern?.matches(name) === false) continue;
    // what is gone by now was never there
    const stats = await folder.lookFor(name);
    if (stats === undefined) continue;
    const { size, mtimeMs, mode, uid, gid } = stats;
    entries.push({
      name, type: typeOf(stats), size: Number(size), mtime: Math.floor(Number(mtimeMs) / 1000), mode: (Number(mode) & 0o7777).toString(8).padStart(4, '0'),
      owner: harmless(users.get(Number(uid)) ?? String(uid)), group: harmless(groups.get(Number(gid)) ?? String(gid)),
    });
  }
  return { entries, unnamed: names.length - named.length, isCut: !isWhole };
}

async function opened<T>(leaf: Leaf, work: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await leaf.open(constants.O_RDONLY);
  try {
    return await work(handle);
  } finally {
    await handle.close();
  }
}

async function pieceOf(leaf: Leaf, handle: FileHandle, offset: number, length: number): Promise<Buffer> {
  const piece = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await leaf.calls.on(leaf.path, () => handle.read(piece, filled, length - filled, offset + filled));
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return piece.subarray(0, filled);
}

/** One piece of a file, and whether that is its end. @throws OperationError */
export function readPiece(leaf: Leaf, offset: number, length: number): Promise<{ readonly bytes: Buffer; readonly isEnd: boolean }> {
  return opened(leaf, async (handle) => {
    const bytes = await pieceOf(leaf, handle, offset, length);
    const { size } = await leaf.calls.on(leaf.path, () => handle.stat());
    return { bytes, isEnd: offset + bytes.length >= size };
  });
}

/** The last lines of a file, as text that does no harm; of a long line, its beginning. @throws OperationError */
export function lastLines(leaf: Leaf, most: number): Promise<readonly string[]> {
  return opened(leaf, async (handle) => {
    const { size } = await leaf.calls.on(leaf.path, () => handle.stat());
    const from = Math.max(0, size - LAST_BYTES);
    const text = (await pieceOf(leaf, handle, from, size - from)).toString('utf8');
    const lines = text.split('\n');
    if (lines.at(-1) === '') lines.pop();
    // its beginning was not read
    if (from > 0) lines.shift();
    return lines.slice(-most).map((line) => harmless(line.slice(0, LAST_LINE).replace(/\r$/, '')));
  });
}
