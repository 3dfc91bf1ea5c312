import { readdir, realpath, rm, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ArgoError } from '../../kit/errors.js';
import { beforeSending } from '../../kit/within.js';
import { parseDefinition } from './cfg.js';
import { readLimited } from './configs.js';
import type { Dom0 } from './context.js';

/**
 * Whether a machine is started when its host boots: xendomains creates a domain of each file in the
 * folder `auto` (XENDOMAINS_AUTO of /etc/default/xendomains), which people fill with links.
 */

/** Files of the folder that are looked at. */
const MAX_FILES = 4096;

/** One file that starts the machine. */
interface Entry {
  readonly path: string;
  /** it leads to the machine's own file, so that nothing is lost with it */
  readonly isLink: boolean;
}

const folderOf = (dom0: Dom0): string => join(dom0.configs.folder, 'auto');

/** @returns undefined where there is no such folder */
async function entriesOf(dom0: Dom0, name: string, signal: AbortSignal): Promise<Entry[] | undefined> {
  const folder = folderOf(dom0);
  const files = await readdir(folder).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new ArgoError('FAILED', `${folder} cannot be read`, { cause: error });
  });
  if (files === undefined) return undefined;
  if (files.length > MAX_FILES) throw new ArgoError('FAILED', `${folder} has more than ${MAX_FILES} files`);
  const own = await realpath(dom0.configOf(name).path).catch(() => undefined);
  const found: Entry[] = [];
  for (const file of files.sort()) {
    signal.throwIfAborted();
    const path = join(folder, file);
    const target = await realpath(path).catch(() => undefined);
    if (target === undefined) continue;
    const isLink = target === own && target !== path;
    if (isLink || await nameIn(path) === name) found.push({ path, isLink });
  }
  return found;
}

/** Of a copy. What cannot be understood starts nothing. */
const nameIn = (path: string): Promise<string | undefined> => readLimited(path).then((source) => parseDefinition(source).name).catch(() => undefined);

export const readAutostart = async (dom0: Dom0, name: string, signal: AbortSignal): Promise<boolean> =>
  ((await entriesOf(dom0, name, signal)) ?? []).length > 0;

/**
 * Sets or removes a link. A copy is nobody's to remove.
 * @throws ArgoError WRONG STATE without the folder, which comes with xendomains, and for a copy
 */
export function setAutostart(dom0: Dom0, name: string, isOn: boolean, signal: AbortSignal): Promise<void> {
  return beforeSending(signal, async (sending) => {
    const found = await entriesOf(dom0, name, signal);
    if ((found ?? []).length > 0 === isOn) return;
    if (found === undefined) throw new ArgoError('WRONG STATE', `there is no folder ${folderOf(dom0)}: xendomains is not installed`);
    const copy = found.find(({ isLink }) => !isLink);
    if (copy) throw new ArgoError('WRONG STATE', `${copy.path} is no link to its file: remove it by hand`);
    signal.throwIfAborted();
    sending();
    const { path } = dom0.configOf(name);
    await (isOn ? symlink(path, join(folderOf(dom0), basename(path))) : Promise.all(found.map((entry) => rm(entry.path)))).catch((error: unknown) => {
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
      throw new ArgoError(code === 'EACCES' || code === 'EPERM' || code === 'EROFS' ? 'ACCESS DENIED' : 'FAILED', `${folderOf(dom0)} cannot be changed (${code})`, { cause: error });
    });
  });
}
