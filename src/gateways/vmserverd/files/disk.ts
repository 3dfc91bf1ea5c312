import { ArgoError } from '../../../kit/errors.js';
import { FairPlaces } from '../../../kit/fair-places.js';
import { DISK_CALLS, DISK_CALLS_OF_ROOT, DISK_WAITING, DISK_WAITING_OF_ROOT } from '../../../kit/vmserverd-files-limits.js';
import { onAbort } from '../../../kit/within.js';
import { CODES, OperationError } from '../../../protocols/vmserverd/codes.js';

/** What the system says, in words for people: behind the path. */
const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'is not there',
  EEXIST: 'is there already',
  ENOTEMPTY: 'is not empty',
  ENOTDIR: 'is no folder, or a link, which is not followed',
  EISDIR: 'is a folder',
  ELOOP: 'is a link, which is not followed',
  EACCES: 'is closed to the server by this host',
  EPERM: 'is closed to the server by this host',
  ENOSPC: 'there is no space left',
  EDQUOT: 'there is no space left for the server',
  EFBIG: 'is too large for its file system',
  EROFS: 'is on a disk that can only be read',
  EXDEV: 'is on another disk',
  EBUSY: 'is in use',
  ETXTBSY: 'is in use',
  ENAMETOOLONG: 'has too long a name',
  EMLINK: 'has too many links',
  EIO: 'cannot be read or written: the disk fails',
  ESTALE: 'is gone from its server',
  EOPNOTSUPP: 'is on a file system that cannot do that',
  ENOTSUP: 'is on a file system that cannot do that',
};

/** What the system would not do, for whoever asked. */
export class FileError extends OperationError {
  /** @param errno as the system names it: ENOENT */
  constructor(words: string, readonly errno: string) {
    super(CODES.FILE, words);
  }
}

/** What an error of the system is to whoever asked. @param path as it was sent */
export function fileError(thrown: unknown, path: string): Error {
  const { code } = thrown as NodeJS.ErrnoException;
  if (code === 'EMFILE' || code === 'ENFILE') return new ArgoError('BUSY', 'too many files are open');
  const words = code === undefined ? undefined : WORDS[code];
  return words === undefined ? thrown as Error : new FileError(`${path}: ${words}`, code!);
}

/** Whether the system said that. */
export const isErrno = (thrown: unknown, ...codes: readonly string[]): boolean =>
  codes.includes(thrown instanceof FileError ? thrown.errno : String((thrown as NodeJS.ErrnoException).code));

/** The calls of the file system of one gateway. */
export class Disk {
  readonly #places = new FairPlaces({ places: DISK_CALLS, waiting: DISK_WAITING, groups: [{ held: DISK_CALLS_OF_ROOT, waiting: DISK_WAITING_OF_ROOT }] });

  /**
   * One call. What hangs is left to itself when the signal is aborted: its place is free only when the system has answered.
   * @param root by whose path calls are counted
   * @param late what is done with what comes then, such as to close it
   * @throws what the call throws; the signal's reason
   */
  async run<T>(root: string, signal: AbortSignal, call: () => Promise<T>, late: (value: T) => void = () => undefined): Promise<T> {
    const free = this.#places.tryTake([root]) ?? await this.#places.take(signal, [root]);
    return new Promise((resolve, reject) => {
      let isLeft = false;
      const leave = onAbort(signal, (reason) => {
        isLeft = true;
        reject(reason as Error);
      });
      call().then((value) => (isLeft ? late(value) : resolve(value)), reject).finally(() => {
        leave();
        free();
      });
    });
  }
}
