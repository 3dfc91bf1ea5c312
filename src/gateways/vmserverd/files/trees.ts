import { TREE_DEPTH, TREE_NODES } from '../../../kit/vmserverd-files-limits.js';
import { CODES, OperationError } from '../../../protocols/vmserverd/codes.js';
import type { FileType, Folder, Found } from './jail.js';
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
  for (const found of names) {
    const one = found.name;
    if (one === undefined || !isName(one)) {
      isCut = true;
      continue;
    }
    const type = await folder.typeOf(one, found);
    if (type === 'dir') {
      const tree = await told(folder, one, depth, room);
      folders.push(tree);
      isCut ||= tree.isCut;
    } else if (type !== undefined) files.push(one);
  }
  return { name, files: files.sort(), folders, isCut };
}

/** A folder in another one; what is mounted there is named alone. */
function told(above: Folder, name: string, depth: number, room: Room): Promise<Tree> {
  const nameAlone: Tree = { name, files: [], folders: [], isCut: true };
  if (depth <= 1) return Promise.resolve(nameAlone);
  return above.folder(name, (folder) => (folder.stats.dev === above.stats.dev ? treeOf(folder, name, depth - 1, room) : Promise.resolve(nameAlone)));
}

const tooMany = (): OperationError => new OperationError(CODES.INVALID_ARGUMENT, `more than ${TREE_NODES} files and folders: remove it in parts`);

/** What can be told of a tree at once, before it is looked through. @throws OperationError where it is no folder, or holds too much by itself */
export async function requireTree(above: Folder, name: string): Promise<void> {
  await above.folder(name, async (folder) => {
    const { isWhole } = await folder.names(TREE_NODES);
    if (!isWhole) throw tooMany();
  });
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
    if (!isWhole) throw tooMany();
    let count = 1;
    for (const found of names) {
      const [one, type] = await requirePlain(folder, found);
      count += type === 'dir' ? await countTree(folder, one, depth - 1, room) : 1;
    }
    return count;
  });
}

async function emptyTree(above: Folder, name: string, depth: number, tell: () => void): Promise<void> {
  if (depth === 0) throw refused(above, name, 'has become too deep meanwhile');
  await above.folder(name, async (folder) => {
    requireSameDisk(above, folder);
    const { names } = await folder.names(TREE_NODES);
    for (const found of names) {
      const [one, type] = await requirePlain(folder, found);
      if (type === 'dir') await emptyTree(folder, one, depth - 1, tell);
      else {
        await folder.remove(one);
        tell();
      }
    }
  });
  await above.removeFolder(name);
  tell();
}

const refused = (folder: Folder, name: string, words: string): OperationError => new OperationError(CODES.FILE, `${folder.pathOf(name)}: ${words}`);

/** A name and what bears it, where both are such that it can be removed. @throws OperationError */
async function requirePlain(folder: Folder, found: Found): Promise<readonly [name: string, type: FileType]> {
  const { name } = found;
  if (name === undefined) throw new OperationError(CODES.FILE, `${folder.path}: holds a name that is no text`);
  const type = await folder.typeOf(name, found);
  if (type === undefined || type === 'other') throw refused(folder, name, type === undefined ? 'is not there' : 'is neither a file, a folder nor a link');
  return [name, type];
}

function requireSameDisk(above: Folder, folder: Folder): void {
  if (above.stats.dev !== folder.stats.dev) throw new OperationError(CODES.FILE, `${folder.path}: another disk is mounted there`);
}
