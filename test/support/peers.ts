import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Folders where Debian keeps daemons that a user's PATH may lack. */
const SYSTEM_FOLDERS = ['/usr/sbin', '/sbin', '/usr/local/sbin'];

/** The full path of a program, or undefined where this machine has none. */
export function which(program: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...SYSTEM_FOLDERS];
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
}

/**
 * For the `skip` option of a test that needs real peers: names what is absent, or false when all is
 * there. With CI=true it is always false, so that a missing peer fails the test instead of hiding it.
 */
export function lacks(...programs: string[]): string | false {
  if (process.env.CI === 'true') return false;
  const absent = programs.filter((program) => which(program) === undefined);
  return absent.length > 0 && `needs ${absent.join(', ')}`;
}

/** As {@link lacks}, for what a kernel may lack. @param path that it has then @param what in words */
export function lacksKernel(path: string, what: string): string | false {
  return process.env.CI !== 'true' && !existsSync(path) && `needs a kernel with ${what}`;
}

/** As {@link lacks}, for peers that only root can start. */
export function lacksRoot(...programs: string[]): string | false {
  if (process.env.CI !== 'true' && process.getuid?.() !== 0) return 'needs root';
  return lacks(...programs);
}
