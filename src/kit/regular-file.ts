import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';

/** Why a file cannot be read, for people, by the codes of open(2) and read(2). */
const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such folder',
  EACCES: 'this user may not read it',
  EPERM: 'this user may not read it',
  ELOOP: 'its links lead nowhere',
};

/** A file that cannot be read. Its message names it. */
export class UnreadableFile extends Error {
  override readonly name = 'UnreadableFile';

  /** @param why what is said of it: `cannot be read: there is no such file` */
  constructor(path: string, readonly why: string, options?: ErrorOptions) {
    super(`${path} ${why}`, options);
  }
}

/**
 * The content of a file that the configuration names, or of the configuration itself. Nothing but a regular file is
 * read: a pipe without a writer would keep the whole process waiting, and a device may have no end.
 * @param most bytes
 * @throws UnreadableFile
 */
export function readRegularFile(path: string, most: number): Buffer {
  let descriptor: number | undefined;
  try {
    // a pipe is not waited for
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw new UnreadableFile(path, 'is not a regular file');
    if (stats.size > most) throw new UnreadableFile(path, `is too large: it has more than ${most} bytes`);
    return readFileSync(descriptor);
  } catch (error) {
    if (error instanceof UnreadableFile) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UnreadableFile(path, `cannot be read: ${WORDS[code ?? ''] ?? message}`, { cause: error });
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
