import { readFile } from 'node:fs/promises';
import { harmless } from '../../../kit/text.js';
import type { Folder } from './jail.js';
import { isWithin } from './paths.js';

/** How full the file system of a folder is. */

export interface FileSystem {
  readonly mount: string;
  readonly device: string;
  readonly total: number;
  readonly free: number;
  readonly used: number;
}

/** As mountinfo writes blanks and the like (proc(5)): `\040`. */
const unescaped = (text: string): string => text.replace(/\\([0-7]{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8)));

/** Where a path is mounted, and from what: the deepest mount above it, and of several on one place the last. */
function mountOf(path: string, mountinfo: string): { readonly mount: string; readonly device: string } | undefined {
  let found: { mount: string; device: string } | undefined;
  for (const line of mountinfo.split('\n')) {
    const [place = '', source = ''] = line.split(' - ');
    const mount = unescaped(place.split(' ')[4] ?? '');
    const device = harmless(unescaped(source.split(' ')[1] ?? ''));
    if (mount !== '' && isWithin(path, mount) && mount.length >= (found?.mount.length ?? 0)) found = { mount, device };
  }
  return found;
}

/** @throws OperationError */
export async function fileSystemOf(folder: Folder): Promise<FileSystem> {
  const { total, free, used } = await folder.space();
  const { mount, device } = mountOf(folder.path, await readFile('/proc/self/mountinfo', 'utf8').catch(() => '')) ?? { mount: folder.path, device: 'unknown' };
  return { mount, device, total: Number(total), free: Number(free), used: Number(used) };
}
