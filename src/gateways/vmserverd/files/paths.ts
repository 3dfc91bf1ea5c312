import { FILE_DEPTH, FILE_NAME, FILE_PATH } from '../../../kit/vmserverd-files-limits.js';

/** Paths as they are sent: taken apart here, and never handed to the system as they came. */

/** Controls, of which a path in a log or on a terminal would make use; halves of surrogate pairs, which no file has; and what XML has no way to write. */
const FORBIDDEN = /[\p{Cc}\p{Cs}\ufffe\uffff]/u;

/** Whether it may be the name of a file: one that leads nowhere else, and that any document can carry. */
export const isName = (name: string): boolean =>
  name !== '' && name !== '.' && name !== '..' && !name.includes('/') && !FORBIDDEN.test(name) && Buffer.byteLength(name) <= FILE_NAME;

/**
 * The names on the way, from `/` on: of `/srv/iso/a` they are srv, iso and a. Doubled slashes and one at the end mean nothing.
 * @returns undefined for what is no full path, holds `.` or `..`, or is too long
 */
export function readPath(path: string): readonly string[] | undefined {
  if (!path.startsWith('/') || Buffer.byteLength(path) > FILE_PATH) return undefined;
  const names = path.split('/').filter((name) => name !== '');
  return names.length <= FILE_DEPTH && names.every(isName) ? names : undefined;
}

/** The path of so many names. */
export const pathOf = (names: readonly string[]): string => `/${names.join('/')}`;

/** Whether one path is the other, or below it. Both without `..`. */
export const isWithin = (path: string, folder: string): boolean => path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`);
