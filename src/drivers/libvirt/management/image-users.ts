import { inOrder } from '../../../kit/text.js';
import { volumeKey } from './named-volumes.js';
import type { DomainUse } from './uses.js';
import type { VolumeDescription } from './volume-xml.js';

/**
 * The machines that have each volume, or have something that is made on it.
 * @param volumes all that are known: what a volume is made on is found among them
 */
export function findUsers(volumes: readonly VolumeDescription[], uses: readonly DomainUse[]): ReadonlyMap<VolumeDescription, readonly string[]> {
  const byPath = new Map(volumes.map((each) => [each.path, each]));
  const byKey = new Map(volumes.map((each) => [volumeKey(each.volume.pool, each.volume.name), each]));
  const users = new Map<VolumeDescription, Set<string>>();
  for (const { name, paths, volumes: named } of uses) {
    const had = new Set<VolumeDescription>();
    for (const path of paths) addWithBacking(byPath.get(path), byPath, had);
    for (const key of named) addWithBacking(byKey.get(key), byPath, had);
    for (const each of had) users.set(each, (users.get(each) ?? new Set()).add(name));
  }
  return new Map([...users].map(([each, names]) => [each, inOrder([...names], (name) => name)]));
}

function addWithBacking(first: VolumeDescription | undefined, byPath: ReadonlyMap<string, VolumeDescription>, had: Set<VolumeDescription>): void {
  for (let each = first; each !== undefined && !had.has(each); each = each.backing === undefined ? undefined : byPath.get(each.backing)) had.add(each);
}

/**
 * The volumes that are one file with another: it itself, first, and those whose names are links to it, or to which its name
 * is one. Files of one length that were made within a tick of the kernel's clock, and not written to since, look like that too.
 */
export const namesOf = (one: VolumeDescription, volumes: readonly VolumeDescription[]): VolumeDescription[] =>
  [one, ...volumes.filter((each) => each.path !== one.path && one.stamp !== undefined && each.stamp === one.stamp)];

/** The volumes that are made on another. */
export const madeOn = (one: VolumeDescription, volumes: readonly VolumeDescription[]): VolumeDescription[] =>
  volumes.filter((each) => each.backing === one.path);
