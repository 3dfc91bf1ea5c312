import type { BigIntStats } from 'node:fs';
import { TREE_DEPTH, TREE_NODES } from '../../../kit/vmserverd-files-limits.js';
import { CODES, OperationError } from '../../../protocols/vmserverd/codes.js';
import type { Folder } from './jail.js';
import { isName } from './paths.js';

/** Folders as a whole. */

/** A folder as it is told: what is in it, and in its folders, as deep as was asked. */
export interface Tree {
  readonly name: string;
  readonly files: readonly string[];
  readonly folders: readonly Tree[];
  /** whether there is more than is told, in it or deeper */
  readonly isCut: boolean;
}

/** How much may still be looked at. */
interface Room {
  nodes: number;
}

/**
 * What lies below a folder; links are told as files, and not followed.
 * @param depth of folders; those at the end are named, and not looked into
 */
export async function treeOf(folder: Folder, name: string, depth: number, room: Room = { nodes: TREE_NODES }): Promise<Tree> {
  const { names, isWhole } = await folder.names(room.nodes);
  room.nodes -= names.length;
  const [files, folders]: [string[], Tree[]] = [[], []];
  let isCut = !isWhole;
  for (const one of names) {
    if (typeof one !== 'string' || !isName(one)) {
      isCut = true;
      continue;
    }
    const stats = await folder.lookFor(one);
    if (stats === undefined) continue;
    if (!stats.isDirectory()) files.push(one);
    else if (depth <= 1 || stats.dev !== folder.stats.dev) {
      folders.push({ name: one, files: [], folders: [], isCut: true });
      isCut = true;
    } else {
      const tree = await folder.folder(one, (inner) => treeOf(inner, one, depth - 1, room));
      folders.push(tree);
      isCut ||= tree.isCut;
    }
  }
  return { name, files: files.sort(), folders, isCut };
}

/**
 * Removes a folder with all that is in it. It is looked through first, so that nothing is removed of what cannot be removed as a whole.
 * @throws OperationError; the signal's reason: some of it may be gone then
 */
export async function removeTree(folder: Folder, name: string, progress: (done: number, all: number) => void): Promise<void> {
  const all = await countTree(folder, name, TREE_DEPTH, { nodes: TREE_NODES });
  let done = 0;
  await emptyTree(folder, name, TREE_DEPTH, () => progress(done += 1, all));
}

/** @returns how much is to be removed @throws OperationError where that cannot be */
async function countTree(above: Folder, name: string, depth: number, room: Room): Promise<number> {
  if (depth === 0) throw refused(above, name, `has more than ${TREE_DEPTH} folders within each other: remove it in parts`);
  return above.folder(name, async (folder) => {
    requireSameDisk(above, folder);
    const { names, isWhole } = await folder.names(room.nodes);
    room.nodes -= names.length;
    if (!isWhole) throw new OperationError(CODES.INVALID_ARGUMENT, `more than ${TREE_NODES} files and folders: remove it in parts`);
    let count = 1;
    for (const one of names) {
      const stats = await folder.look(requireText(folder, one));
      count += stats.isDirectory() ? await countTree(folder, one as string, depth - 1, room) : 1;
      requirePlain(folder, one as string, stats);
    }
    return count;
  });
}

async function emptyTree(above: Folder, name: string, depth: number, tell: () => void): Promise<void> {
  if (depth === 0) throw refused(above, name, 'has become too deep meanwhile');
  await above.folder(name, async (folder) => {
    requireSameDisk(above, folder);
    const { names } = await folder.names(TREE_NODES);
    for (const one of names) {
      const stats = await folder.look(requireText(folder, one));
      requirePlain(folder, one as string, stats);
      if (stats.isDirectory()) await emptyTree(folder, one as string, depth - 1, tell);
      else {
        await folder.remove(one as string);
        tell();
      }
    }
  });
  await above.removeFolder(name);
  tell();
}

const refused = (folder: Folder, name: string, words: string): OperationError => new OperationError(CODES.FILE, `${folder.pathOf(name)}: ${words}`);

function requireText(folder: Folder, name: string | Buffer): string {
  if (typeof name === 'string') return name;
  throw new OperationError(CODES.FILE, `${folder.path}: holds a name that is no text`);
}

function requirePlain(folder: Folder, name: string, stats: BigIntStats): void {
  if (!stats.isFile() && !stats.isDirectory() && !stats.isSymbolicLink()) throw refused(folder, name, 'is neither a file, a folder nor a link');
}

function requireSameDisk(above: Folder, folder: Folder): void {
  if (above.stats.dev !== folder.stats.dev) throw new OperationError(CODES.FILE, `${folder.path}: another disk is mounted there`);
}
