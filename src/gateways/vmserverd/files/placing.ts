import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { ArgoError } from '../../../kit/errors.js';
import type { Log } from '../../../kit/log.js';
import { FILE_CHANGE_TIMEOUT } from '../../../kit/vmserverd-files-limits.js';
import { isAbort, within } from '../../../kit/within.js';
import { CODES, OperationError } from '../../../protocols/vmserverd/codes.js';
import { fileError, isErrno } from './disk.js';
import type { Folder } from './jail.js';
import type { Leftovers } from './leftovers.js';

/** Where a new file goes. */
export interface Target {
  readonly folder: Folder;
  readonly name: string;
  /** whether it takes the place of a file or a link of that name */
  readonly overwrite: boolean;
}

const EXCLUSIVE = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** For names only, until it has its place. */
const PRIVATE = 0o600;

/** @throws OperationError FILE where the name is taken by what is not to make way */
export async function requireRoom({ folder, name, overwrite }: Target): Promise<void> {
  const found = await folder.lookFor(name);
  if (found === undefined) return;
  if (!overwrite) throw new OperationError(CODES.FILE, `${folder.pathOf(name)}: is there already`);
  if (!found.isFile() && !found.isSymbolicLink()) throw new OperationError(CODES.FILE, `${folder.pathOf(name)}: is no file that could be overwritten`);
}

/** What is done also where whoever asked has been told to stop. @throws ArgoError UNCERTAIN for a disk that hangs; what the work throws */
const lastly = <T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> => within(FILE_CHANGE_TIMEOUT, [], work).catch((thrown: unknown) => {
  throw isAbort(thrown) ? new ArgoError('UNCERTAIN', 'the disk takes too long', { cause: thrown }) : thrown;
});

/** Makes new files, each of which has its name only when it is whole. */
export class Placing {
  readonly #leftovers: Leftovers;
  readonly #log: Log;

  constructor(leftovers: Leftovers, log: Log) {
    this.#leftovers = leftovers;
    this.#log = log;
  }

  /**
   * @param mode its permissions at the end
   * @param fill writes what is to be in it, all of which is on the disk when it resolves
   * @throws OperationError FILE where the name is taken, also by what came meanwhile; what `fill` throws: nothing is left then
   */
  async place(target: Target, mode: number, fill: (handle: FileHandle) => Promise<void>): Promise<void> {
    const { folder } = target;
    await requireRoom(target);
    const part = await this.#leftovers.name(folder);
    try {
      const handle = await folder.calls.open(folder.at(part), EXCLUSIVE, PRIVATE).catch((thrown: unknown) => {
        throw fileError(thrown, folder.pathOf(target.name));
      });
      try {
        await fill(handle);
        await folder.calls.on(folder.pathOf(target.name), () => handle.chmod(mode & 0o777));
      } finally {
        // a disk that hangs keeps it open; the file may be removed all the same
        void handle.close().catch(() => undefined);
      }
      await this.#give(target, part);
    } finally {
      await this.#clear(folder, part);
    }
    await lastly((signal) => folder.with(folder.calls.under(signal)).sync());
  }

  /**
   * Its name, in one step: whoever looks finds nothing, or all of it. Who is told to stop now does not leave it: it would be said
   * to have been stopped, and come about all the same.
   */
  async #give({ folder, name, overwrite }: Target, part: string): Promise<void> {
    const path = folder.pathOf(name);
    try {
      await lastly((signal) => {
        const own = folder.with(folder.calls.under(signal));
        return overwrite ? own.rename(part, own, name) : own.link(part, own, name);
      });
    } catch (error) {
      throw isErrno(error, 'EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS') && !overwrite
        ? new OperationError(CODES.NOT_SUPPORTED, `${path}: its file system has no hard links, without which nobody can tell that nothing is overwritten: ask with overwrite`)
        : fileError(error, path);
    }
  }

  /** Also where whoever asked has been told to stop. */
  async #clear(folder: Folder, part: string): Promise<void> {
    try {
      await lastly(async (signal) => {
        const own = folder.with(folder.calls.under(signal));
        if (await own.lookFor(part) !== undefined) await own.remove(part);
      });
      await this.#leftovers.forget(part);
    } catch (cause) {
      // it stays written down, for the next start
      this.#log('warn', 'a file that is half made could not be removed', { folder: folder.path, file: part, cause });
    }
  }
}
