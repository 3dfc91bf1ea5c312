import { ArgoError, SettingsFault } from '../../../../kit/errors.js';
import { checkRoot, LEFT_OUT, LISTING, LISTING_MOST, parseListing, type Member } from './archive.js';
import type { HostFiles } from './host-files.js';

/** What is written into the root of a container, from outside and before anybody else can reach it. */
export interface RootSettings {
  readonly nameserver?: string;
  readonly searchDomain?: string;
  /** of root */
  readonly password?: string;
}

const SHADOW = 'etc/shadow';
const RESOLV_CONF = 'etc/resolv.conf';

/** Bytes of a shadow file: some ten thousand accounts. */
const SHADOW_MOST = 1024 * 1024;

/** A hash of crypt(5), whichever method. */
const HASH = /^\$[a-z0-9]+\$[./A-Za-z0-9$=,]+$/;

/**
 * Looks at every member of an archive of a root. Only reads.
 * @param most bytes that it may take
 * @throws ArgoError FAILED as {@link checkRoot}
 */
export async function readRootArchive(files: HostFiles, archive: string, most: bigint, signal: AbortSignal): Promise<Member[]> {
  const members = parseListing(await files.readAsRoot(['tar', ...LISTING, '--force-local', '--file', archive], signal, LISTING_MOST));
  checkRoot(members, most);
  return members;
}

/** What of the settings cannot be written into a root with these members. */
export function rootFaults(members: readonly Member[], { nameserver, searchDomain, password }: RootSettings): Record<string, string> {
  const kinds = new Map(members.map(({ name, kind }) => [name, kind]));
  const faults: Record<string, string> = {};
  if (password !== undefined && kinds.get(SHADOW) !== '-') faults.password = `the template has no ${SHADOW} in which it could be set`;
  const resolver = kinds.get(RESOLV_CONF) ?? '-';
  const words = resolver === '-' ? 'the template has no folder etc' : `the template has ${RESOLV_CONF} as a link: what runs in the container writes it`;
  if (resolver !== '-' || !members.some(({ name }) => name.startsWith('etc/'))) {
    if (nameserver !== undefined) faults.nameserver = words;
    if (searchDomain !== undefined) faults.searchDomain = words;
  }
  return faults;
}

/**
 * Unpacks a root, whose members {@link readRootArchive} has looked at. tar itself follows no links that lead out of the
 * folder, and takes no names that do: the archive may have been another one by now.
 * @param into an empty folder
 */
export async function unpackRoot(files: HostFiles, archive: string, into: string, signal: AbortSignal): Promise<void> {
  await files.copy([
    'tar', '--extract', '--force-local', '--numeric-owner', '--same-owner', '--same-permissions', ...LEFT_OUT, '--directory', into, '--file', archive,
  ], signal);
  const device = await files.readAsRoot(['find', into, '(', '-type', 'b', '-o', '-type', 'c', ')', '-print', '-quit'], signal);
  if (device !== '') throw new ArgoError('FAILED', 'its archive holds a device');
}

/** Bytes that are free where a folder is. */
export async function freeBytes(files: HostFiles, folder: string, signal: AbortSignal): Promise<bigint> {
  const lines = (await files.read(['df', '--output=avail', '-B1', '--', folder], signal)).trim().split('\n');
  return BigInt(/^\s*(\d+)$/.exec(lines.at(-1) ?? '')?.[1] ?? 0);
}

/** @param root of a container that is not listed yet @throws SettingsFault */
export async function writeSettings(files: HostFiles, root: string, { nameserver, searchDomain, password }: RootSettings, signal: AbortSignal): Promise<void> {
  if (password !== undefined) await setPassword(files, root, password, signal);
  if (nameserver === undefined && searchDomain === undefined) return;
  await requireReal(files, `${root}/etc`, signal);
  const lines = [nameserver !== undefined && `nameserver ${nameserver}`, searchDomain !== undefined && `search ${searchDomain}`];
  await files.write(`${root}/${RESOLV_CONF}`, lines.filter((line) => line !== false).map((line) => `${line}\n`).join(''), signal);
}

/** Nothing of the root is run for it: what is in a template would be done by the host's root. */
async function setPassword(files: HostFiles, root: string, password: string, signal: AbortSignal): Promise<void> {
  const path = `${root}/${SHADOW}`;
  await requireReal(files, path, signal);
  const lines = (await files.readAsRoot(['cat', '--', path], signal, SHADOW_MOST)).split('\n');
  const at = lines.findIndex((line) => line.startsWith('root:'));
  if (at < 0) throw new SettingsFault({ password: `the template has no account root in ${SHADOW}` });
  const hash = (await files.readWith(['openssl', 'passwd', '-6', '-stdin'], `${password}\n`, signal)).trim();
  if (!HASH.test(hash)) throw new ArgoError('FAILED', 'openssl made no hash of the password');
  const [name = '', , changed = '', ...rest] = lines[at]!.split(':');
  lines[at] = [name, hash, changed, ...rest].join(':');
  await files.write(path, lines.join('\n'), signal);
}

async function requireReal(files: HostFiles, path: string, signal: AbortSignal): Promise<void> {
  if (await files.realPath(path, signal) !== path) throw new ArgoError('FAILED', 'a link in the template leads to where something was to be written');
}

/** Bytes that a root takes at most when it is unpacked from an archive of it. */
export async function sizeOfRoot(files: HostFiles, root: string, signal: AbortSignal): Promise<bigint> {
  const answer = await files.readAsRoot(['du', '--summarize', '--one-file-system', '--apparent-size', '--block-size=1', '--', root], signal);
  return BigInt(/^\d+/.exec(answer)?.[0] ?? 0);
}

/**
 * Packs the root of a container that is off, as {@link unpackRoot} takes it.
 * @throws ArgoError FAILED where there is something in it that could not be unpacked
 */
export async function packRoot(
  files: HostFiles,
  { root, archive, capacity }: { readonly root: string; readonly archive: string; readonly capacity: bigint },
  signal: AbortSignal,
): Promise<void> {
  await files.copy(
    [
      'tar',
      '--create',
      '--gzip',
      '--force-local',
      '--numeric-owner',
      '--one-file-system',
      ...LEFT_OUT,
      '--directory',
      root,
      '--file',
      archive,
      '--',
      '.',
    ],
    signal,
  );
  await readRootArchive(files, archive, capacity, signal);
}
