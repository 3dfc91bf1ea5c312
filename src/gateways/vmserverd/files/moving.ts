import type { BigIntStats } from 'node:fs';
import { CODES, OperationError } from '../../../protocols/vmserverd/codes.js';
import type { Copying, Progress, Way } from './copying.js';
import { fileError, isErrno } from './disk.js';
import type { Folder, Jail, Leaf } from './jail.js';
import { isWithin } from './paths.js';
import { requireRoom } from './placing.js';
import type { Place } from './roots.js';

/** Moves files, folders and links: under another name where both are on one disk, else files by a copy. */

/** Of folders there is one name, and of links, devices and the like none is made here. */
const noFile = ({ path }: Place): OperationError => new OperationError(CODES.FILE, `${path}: is no file`);

const isSame = (one: BigIntStats, other: BigIntStats): boolean => one.dev === other.dev && one.ino === other.ino;

/** One end of a way. */
interface End {
  readonly folder: Folder;
  readonly name: string;
}

export class Moving {
  readonly #jail: Jail;
  readonly #copying: Copying;

  constructor(jail: Jail, copying: Copying) {
    this.#jail = jail;
    this.#copying = copying;
  }

  /** @returns whether it was moved; else it has to be copied @throws OperationError */
  rename(way: Way, signal: AbortSignal): Promise<boolean> {
    const { source, target } = way;
    if (isWithin(target.path, source.path)) throw new OperationError(CODES.INVALID_ARGUMENT, 'nothing can be moved to itself or into itself');
    return this.#ends(source, target, signal, async (from, to) => {
      const stats = await from.folder.look(from.name);
      if (stats.isDirectory()) return this.#renameFolder(from, to);
      if (!stats.isFile() && !stats.isSymbolicLink()) throw new OperationError(CODES.FILE, `${source.path}: is neither a file, a folder nor a link`);
      await requireRoom({ ...to, overwrite: way.overwrite });
      return way.overwrite ? renameOver(from, to) : renameBeside(from, to, stats);
    });
  }

  /** A further name for the same file. @throws OperationError */
  link(source: Place, target: Place, signal: AbortSignal): Promise<void> {
    if (source.names.length === 0) throw noFile(source);
    return this.#ends(source, target, signal, async (from, to) => {
      const stats = await from.folder.look(from.name);
      if (!stats.isFile()) throw noFile(source);
      await from.folder.link(from.name, to.folder, to.name).catch((thrown: unknown) => { throw fileError(thrown, target.path); });
    });
  }

  /** A copy, and then the end of the other. @throws OperationError; the signal's reason: the other is still there then */
  copy(way: Way, signal: AbortSignal, progress: Progress): Promise<void> {
    return this.#copying.copy(way, signal, progress, (leaf) => this.#removeCopied(way.source, leaf, signal));
  }

  async #removeCopied(source: Place, leaf: Leaf, signal: AbortSignal): Promise<void> {
    await this.#jail.parent(source, signal, async (folder, name) => {
      if (!isSame(await folder.look(name), leaf.stats)) throw new OperationError(CODES.FILE, `${source.path}: was replaced while it was copied, and stays`);
      await folder.remove(name);
    });
  }

  #ends<T>(source: Place, target: Place, signal: AbortSignal, work: (from: End, to: End) => Promise<T>): Promise<T> {
    return this.#jail.parent(source, signal, (folder, name) =>
      this.#jail.parent(target, signal, (other, as) => work({ folder, name }, { folder: other, name: as })),
    );
  }

  /** Over an empty folder that is made for it: so it takes the place of nothing that somebody else has made. */
  async #renameFolder(from: End, to: End): Promise<boolean> {
    await to.folder.makeFolder(to.name, 0o700);
    try {
      await from.folder.rename(from.name, to.folder, to.name);
      return true;
    } catch (error) {
      await to.folder.removeFolder(to.name);
      if (isErrno(error, 'EXDEV')) throw new OperationError(CODES.NOT_SUPPORTED, `${to.folder.pathOf(to.name)}: is on another disk, to which no folders are moved`);
      throw fileError(error, from.folder.pathOf(from.name));
    }
  }
}

async function renameOver(from: End, to: End): Promise<boolean> {
  try {
    await from.folder.rename(from.name, to.folder, to.name);
  } catch (error) {
    return elsewhere(error, from);
  }
  await endOtherLink(from, to);
  return true;
}

/** Of two names of one file rename(2) keeps both, and says that it is done: what was moved has the other one alone. */
async function endOtherLink(from: End, to: End): Promise<void> {
  const [left, moved] = [await from.folder.lookFor(from.name), await to.folder.lookFor(to.name)];
  if (left === undefined || moved === undefined || !isSame(left, moved)) return;
  // one name in two spellings, where a file system takes them for the same: its end would be that of the file
  if (left.nlink < 2n) throw new OperationError(CODES.INVALID_ARGUMENT, 'source and target are the same file');
  await from.folder.remove(from.name);
}

/** Under both names for a moment: a rename would overwrite what came meanwhile. */
async function renameBeside(from: End, to: End, stats: BigIntStats): Promise<boolean> {
  try {
    await from.folder.link(from.name, to.folder, to.name);
  } catch (error) {
    if (isErrno(error, 'EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS')) return false;
    if (isErrno(error, 'EEXIST')) throw fileError(error, to.folder.pathOf(to.name));
    return elsewhere(error, from);
  }
  if (isSame(await to.folder.look(to.name), stats) && isSame(await from.folder.look(from.name), stats)) await from.folder.remove(from.name);
  else {
    await to.folder.remove(to.name);
    throw new OperationError(CODES.FILE, `${from.folder.pathOf(from.name)}: was replaced while it was moved`);
  }
  return true;
}

/** Only on another disk it can be copied instead. */
function elsewhere(error: unknown, from: End): false {
  if (isErrno(error, 'EXDEV')) return false;
  throw fileError(error, from.folder.pathOf(from.name));
}
