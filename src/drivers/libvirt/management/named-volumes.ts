import { posix } from 'node:path';
import type { LibvirtClient } from '../../../protocols/libvirt/client.js';
import { ErrorCode, LibvirtError } from '../../../protocols/libvirt/errors.js';
import { inParts } from './in-parts.js';
import { parsePoolXml } from './pool-xml.js';

/** Where volumes are that descriptions of domains name by pool and volume (`<source pool='…' volume='…'/>`), and not by path. */

/** A volume of these pools is the folder of the pool and its own name: files, and the logical volumes of a group, whose folder is `/dev/GROUP`. */
const BY_NAME: ReadonlySet<string> = new Set(['dir', 'fs', 'netfs', 'logical']);

/** Milliseconds for which a pool is taken for where it was. */
const KEPT_MS = 60_000;

interface Known {
  readonly folder: string | undefined;
  readonly at: number;
}

/** By pool and volume, as they stand in a description. */
export const volumeKey = (pool: string, volume: string): string => `${pool}/${volume}`;

/** Pools have no "/" in their names. */
const partsOf = (key: string): readonly [pool: string, volume: string] => [key.slice(0, key.indexOf('/')), key.slice(key.indexOf('/') + 1)];

/** Remembers where pools are, of those alone that domains name. */
export class NamedVolumes {
  readonly #known = new Map<string, Known>();

  /**
   * @param keys all that domains name, by {@link volumeKey}
   * @param isFresh asks anew where the pools are
   * @returns the paths by key, without those of pools that libvirt does not know, and of volumes that are no files or devices of the host
   * @throws LibvirtError where that cannot be learnt: a volume that somebody has must not look free
   */
  async paths(client: LibvirtClient, keys: ReadonlySet<string>, signal: AbortSignal, isFresh: boolean): Promise<ReadonlyMap<string, string>> {
    const pools = new Set([...keys].map((key) => partsOf(key)[0]));
    for (const pool of this.#known.keys()) if (isFresh || !pools.has(pool)) this.#known.delete(pool);
    const folders = new Map(await inParts([...pools], async (pool) => [pool, await this.#folder(client, pool, signal)] as const));
    return new Map([...keys].flatMap((key): (readonly [string, string])[] => {
      const [pool, volume] = partsOf(key);
      const folder = folders.get(pool);
      return folder === undefined ? [] : [[key, posix.join(folder, volume)]];
    }));
  }

  async #folder(client: LibvirtClient, pool: string, signal: AbortSignal): Promise<string | undefined> {
    const known = this.#known.get(pool);
    if (known !== undefined && performance.now() - known.at < KEPT_MS) return known.folder;
    const folder = await readFolder(client, pool, signal);
    this.#known.set(pool, { folder, at: performance.now() });
    return folder;
  }
}

async function readFolder(client: LibvirtClient, pool: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    const { type, path } = parsePoolXml(await client.storage.poolXml(await client.storage.pool(pool, signal), signal));
    return BY_NAME.has(type) ? path : undefined;
  } catch (error) {
    if (error instanceof LibvirtError && error.code === ErrorCode.NO_STORAGE_POOL) return undefined;
    throw error;
  }
}
