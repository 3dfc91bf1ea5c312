import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';

/**
 * The content of a file that the configuration names. Nothing but a regular file is read: a pipe without a
 * writer would keep the whole process waiting, and a device may have no end.
 * @param most bytes
 * @throws Error that names the file
 */
export function readRegularFile(path: string, most: number): Buffer {
  // a pipe is not waited for
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw new Error(`${path} is not a regular file`);
    if (stats.size > most) throw new Error(`${path} is too large: it has more than ${most} bytes`);
    return readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
