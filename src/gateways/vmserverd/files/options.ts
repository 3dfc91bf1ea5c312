import { lstatSync, realpathSync } from 'node:fs';
import * as v from 'valibot';
import type { TableFault } from '../../../config/catalogue.js';
import { text } from '../../../config/values.js';
import { FILE_ROOTS, FILE_ROOT_ACCOUNTS } from '../../../kit/vmserverd-files-limits.js';
import { isWithin, readPath } from './paths.js';

/** `file-roots`: the folders of this host in which the gateway works, and who may do what there. */

/** Whoever may log in. */
export const EVERYBODY = '*';

const accounts = v.pipe(v.array(text, 'a list of accounts is expected, such as ["kim"] or ["*"]'), v.maxLength(FILE_ROOT_ACCOUNTS, `at most ${FILE_ROOT_ACCOUNTS} accounts`));

const root = v.strictObject({
  path: v.pipe(
    text,
    v.check((path) => readPath(path) !== undefined && !path.endsWith('/'), 'the full path of a folder is expected, without "..", such as "/srv/iso"'),
  ),
  read: v.optional(accounts, []),
  write: v.optional(accounts, []),
}, 'a table is expected: { path = "/srv/iso", read = ["*"], write = ["kim"] }');

/** The key of the gateway's table: to be spread into its options. */
export const fileOptions = {
  'file-roots': v.optional(v.pipe(v.array(root, 'a list of tables is expected: [{ path = "/srv/iso", read = ["*"] }]'), v.maxLength(FILE_ROOTS, `at most ${FILE_ROOTS} folders`)), []),
};

/** One folder, and the accounts that may read and write in it. Neither of the two includes the other. */
export type FileRoot = v.InferOutput<typeof root>;

/** Of the system: nothing in them is a matter of machines, and much is one of who may do what on this host. */
export const SYSTEM_PLACES = ['/etc', '/proc', '/sys', '/dev', '/run', '/boot'] as const;

/** Where a path leads; of what is not there, itself. */
function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** What of the server or the system a folder would lead to, by what paths say. */
const reachedBy = (place: string, own: readonly string[], resolve: (path: string) => string): string | undefined =>
  [...SYSTEM_PLACES, ...own].find((other) => isWithin(place, resolve(other)) || isWithin(resolve(other), place));

/** Why a folder cannot be a root; undefined where it can. */
function folderFault({ path }: FileRoot): string | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return `${path} is not there`;
  return stats.isDirectory() ? undefined : `${path} is no folder: a link is not followed`;
}

/**
 * What cannot be about roots, by their paths alone: a server that starts or reloads does not wait for a disk that hangs. What
 * paths do not say is seen on each way down.
 * @param own files and folders of the server's own: the configuration, the state folder
 */
export function rootFaults(roots: readonly FileRoot[], own: readonly string[], resolve = (path: string): string => path): readonly TableFault[] {
  if (roots.length > 0 && process.platform !== 'linux') return [{ message: 'files are served on Linux only: what keeps a path in its folder is not there elsewhere', path: ['file-roots'] }];
  return roots.flatMap((one, index): readonly TableFault[] => {
    const path = ['file-roots', index, 'path'];
    const place = resolve(one.path);
    // who may write in the outer one could put another folder into the inner one's place
    const outer = roots.find((other, at) => at !== index && isWithin(place, resolve(other.path)));
    if (outer !== undefined) return [{ message: `${one.path} lies in ${outer.path}, which is another of these folders`, path }];
    const reached = reachedBy(place, own, resolve);
    return reached === undefined ? [] : [{ message: `${one.path} would lead to ${reached}, which is nobody else's`, path }];
  });
}

/** The same with a look at the disk, for `argo-server check`. */
export function rootFaultsOnDisk(roots: readonly FileRoot[], own: readonly string[]): readonly TableFault[] {
  const missing = roots.flatMap((one, index) => {
    const message = folderFault(one);
    return message === undefined ? [] : [{ message, path: ['file-roots', index, 'path'] }];
  });
  return [...rootFaults(roots, own, real), ...missing];
}
