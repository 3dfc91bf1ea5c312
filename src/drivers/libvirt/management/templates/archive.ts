import { ArgoError } from '../../../../kit/errors.js';

/**
 * What is in an archive, as GNU tar lists it, and what may be in one. Every member is looked at before anything is unpacked.
 */

/** Options for a listing of which each line can be taken apart: names as they are in it, in quotes, with escapes as C has them. */
export const LISTING = ['--list', '--verbose', '--numeric-owner', '--absolute-names', '--quoting-style=c'] as const;

/** Bytes of a listing that are looked at: some hundred thousand members. */
export const LISTING_MOST = 64 * 1024 * 1024;

export interface Member {
  /** `-` a file, `d` a folder, `l` a symbolic link, `h` a hard link, `c` and `b` devices, `p` a pipe, and what else tar may say */
  readonly kind: string;
  /** as tar shows it: what is not plain has a backslash before it. Without `./` before, nor `/` behind; empty for the root itself */
  readonly name: string;
  /** as the archive has it, to name it to tar */
  readonly rawName: string;
  /** of a link, likewise; as it is written there */
  readonly target: string | undefined;
  /** bytes */
  readonly size: bigint;
}

const QUOTED = '"((?:[^"\\\\]|\\\\.)*)"';
const LINE = new RegExp(`^(.)\\S{9}\\S? +\\S+ +(?:(\\d+)|\\d+,\\d+) \\S+ \\S+ ${QUOTED}(?: (?:->|link to) ${QUOTED})?$`);

const harmful = (words: string): ArgoError => new ArgoError('FAILED', `its archive ${words}`);

/** A member's name for people: no longer than they read. */
const shown = (name: string): string => `"${name.length > 60 ? `${name.slice(0, 60)}…` : name}"`;

/** @throws ArgoError FAILED for a line that is none of a listing */
export function parseListing(listing: string): Member[] {
  return listing.split('\n').filter((line) => line !== '').map((line): Member => {
    const [, kind, size, name, target] = LINE.exec(line) ?? [];
    if (kind === undefined || name === undefined) throw harmful('holds something that cannot be told');
    return { kind, name: plainName(name), rawName: name, target, size: BigInt(size ?? 0) };
  });
}

const plainName = (name: string): string => name.replace(/^(?:\.\/+)+/, '').replace(/\/+$/, '').replace(/^\.$/, '');

/** `a//b`, `a/./b`: what is said of a name by a pattern would not hold for it. */
const ROUNDABOUT = /\/\/|.\/\.(?:\/|$)/;

const leads = (name: string): boolean => name.startsWith('/') || name.split('/').includes('..');

/**
 * Looks at the archive of a whole template: its descriptor and its disks, which lie beside each other.
 * @throws ArgoError FAILED where it has anything but such files, one of a name
 */
export function checkEnvelope(members: readonly Member[]): void {
  const names = new Set<string>();
  for (const { kind, name, rawName } of members) {
    if (leads(rawName)) throw harmful(`has ${shown(rawName)}, which leads out of it`);
    if (kind === 'd' && name === '') continue;
    if (kind !== '-') throw harmful(`has ${shown(rawName)}, which is ${KINDS[kind] ?? 'no file'}: only files may be in it`);
    if (name.includes('/')) throw harmful(`has ${shown(rawName)} in a folder: all must lie beside each other`);
    if (names.has(name)) throw harmful(`has ${shown(rawName)} twice`);
    names.add(name);
  }
}

const KINDS: Readonly<Record<string, string>> = {
  d: 'a folder', l: 'a symbolic link', h: 'a hard link', c: 'a device', b: 'a device', p: 'a pipe',
};

/** Folders of a root that are filled anew with each start of a container; devices in them are not unpacked. */
const DEVICES_FOLDER = 'dev';

/** Patterns, for tar, of what is neither packed nor unpacked. */
export const LEFT_OUT = ['--anchored', '--exclude=dev/*', '--exclude=./dev/*'] as const;

/**
 * Looks at the archive of a container's root, which has links by nature. None of its names may lead out of the root, nor
 * lie below a link; no hard link may name what is not below the root, and no relative symbolic link may climb above it.
 * One that begins with `/` means the root of the container, and is not followed by anything that is done here.
 * @param most bytes that all of it may take when it is unpacked
 * @throws ArgoError FAILED where something of that is so, or it holds devices elsewhere than in dev/
 */
export function checkRoot(members: readonly Member[], most: bigint): void {
  for (const { rawName } of members) {
    if (leads(rawName)) throw harmful(`has ${shown(rawName)}, which leads out of it`);
    if (ROUNDABOUT.test(rawName)) throw harmful(`has ${shown(rawName)}, which is another way to say a name`);
  }
  const kept = members.filter(({ name }) => !name.startsWith(`${DEVICES_FOLDER}/`));
  const links = new Set(kept.filter(({ kind }) => kind === 'l').map(({ name }) => name));
  const seen = new Set<string>();
  let size = 0n;
  for (const member of kept) {
    const { kind, name, rawName } = member;
    if (!'-dlhp'.includes(kind)) throw harmful(`has ${shown(rawName)}, which is ${KINDS[kind] ?? 'nothing that a root may have'}`);
    if (seen.has(name) && kind !== 'd') throw harmful(`has ${shown(rawName)} twice`);
    if (parents(name).some((parent) => links.has(parent))) throw harmful(`has ${shown(rawName)} below a link`);
    checkTarget(member);
    seen.add(name);
    size += member.size;
  }
  if (size > most) throw harmful(`takes ${size} bytes, more than the ${most} of its descriptor`);
}

function checkTarget({ kind, name, rawName, target = '' }: Member): void {
  if (kind === 'h' && leads(target)) throw harmful(`has ${shown(rawName)} as a hard link to what is not in it`);
  if (kind !== 'l' || target.startsWith('/')) return;
  let depth = name.split('/').length - 1;
  for (const part of target.split('/')) {
    if (part === '..') depth -= 1;
    else if (part !== '' && part !== '.') depth += 1;
    if (depth < 0) throw harmful(`has ${shown(rawName)} as a link to what is above its root`);
  }
}

/** `a/b/c`: `a`, `a/b`. */
function parents(name: string): string[] {
  const parts = name.split('/');
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'));
}
