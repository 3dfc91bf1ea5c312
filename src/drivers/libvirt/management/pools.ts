import type { LibvirtClient } from '../../../protocols/libvirt/client.js';
import { ErrorCode, LibvirtError } from '../../../protocols/libvirt/errors.js';
import { placeOfPool, placeOfVolume, type Pool, type Volume } from '../../../protocols/libvirt/storage.js';
import { ArgoError } from '../../../kit/errors.js';
import { refusalOf } from '../errors.js';
import type { LibvirtConnection } from '../connection.js';
import { inParts } from './in-parts.js';
import { parsePoolXml } from './pool-xml.js';
import { parseVolumeXml, type VolumeDescription } from './volume-xml.js';

/** Names of pools. */
export interface PoolOptions {
  readonly 'image-pool': string;
  /** undefined: the image pool */
  readonly 'iso-pool'?: string | undefined;
}

/** A pool and what is in it. */
export interface PoolContents {
  readonly pool: Pool;
  /** files and devices; no folders */
  readonly volumes: readonly VolumeDescription[];
}

/** Types of pools whose volumes are files in a folder. */
const FOLDERS = new Set(['dir', 'fs', 'netfs']);

/** Milliseconds for which a pool is taken for unchanged: libvirt reads all of it anew when it is asked to look. */
const LOOKED_MS = 10_000;

/** The pools in which images are. */
export class ImagePools {
  readonly #connection: LibvirtConnection;
  readonly images: string;
  readonly isos: string;
  /** when each was looked at, of performance.now() */
  readonly #lookedAt = new Map<string, number>();

  constructor(connection: LibvirtConnection, options: PoolOptions) {
    this.#connection = connection;
    this.images = options['image-pool'];
    this.isos = options['iso-pool'] ?? this.images;
  }

  /** The pool of images, and the one of ISO images where that is another. @throws ArgoError NOT SUPPORTED, WRONG STATE where there is none that can be used */
  read(signal: AbortSignal): Promise<PoolContents[]> {
    return Promise.all([...new Set([this.images, this.isos])].map((name) => this.#use(name, signal, async (client, pool) => {
      await this.#look(client, pool, signal);
      return { pool, volumes: await describeVolumes(client, pool, signal, true) };
    })));
  }

  /** All of libvirt's pools, as they are now. @throws ArgoError where one cannot be read: what it holds is not known then */
  async readAll(signal: AbortSignal): Promise<VolumeDescription[]> {
    const pools = await this.#connection.use('reads', signal, (client) => client.storage.pools(signal));
    const found = await Promise.all(pools.map((each) => this.#use(each.name, signal, async (client, pool) => {
      if ([this.images, this.isos].includes(pool.name)) await this.#look(client, pool, signal, true);
      return describeVolumes(client, pool, signal, false);
    })));
    return found.flat();
  }

  /** What there is room for in the pool of images. @throws ArgoError as {@link read} */
  room(signal: AbortSignal): Promise<{ readonly pool: Pool; readonly available: bigint }> {
    return this.#use(this.images, signal, async (client, pool) => ({ pool, available: (await client.storage.poolInfo(pool, signal)).available }));
  }

  /** The folder of the pool of images on the host. @throws ArgoError as {@link read}; NOT SUPPORTED where the pool is no folder */
  async folder(signal: AbortSignal): Promise<string> {
    const { type, path } = parsePoolXml(await this.#use(this.images, signal, (client, pool) => client.storage.poolXml(pool, signal)));
    if (path === undefined || !FOLDERS.has(type)) throw new ArgoError('NOT SUPPORTED', `the storage pool ${this.images} is no folder of the host`);
    return path;
  }

  /** Has libvirt look what is in the pool of images now. */
  refresh(signal: AbortSignal): Promise<void> {
    return this.#use(this.images, signal, (client, pool) => this.#look(client, pool, signal, true));
  }

  /** A volume of the pool of images as it is now; undefined where there is none. */
  describe(name: string, signal: AbortSignal): Promise<VolumeDescription | undefined> {
    return this.#use(this.images, signal, async (client, pool) => {
      try {
        const volume = await client.storage.volume(pool, name, signal);
        return parseVolumeXml(volume, await client.storage.volumeXml(volume, signal));
      } catch (error) {
        if (refusalOf(error) === ErrorCode.NO_STORAGE_VOL) return undefined;
        throw error;
      }
    });
  }

  create(pool: Pool, name: string, xml: string, signal: AbortSignal): Promise<Volume> {
    return this.#connection.useAt(placeOfVolume(pool.name, name), 'acts', signal, (client) => client.storage.createVolume(pool, name, xml, signal));
  }

  /** Also where it is gone already. */
  async delete(volume: Volume, signal: AbortSignal): Promise<void> {
    try {
      await this.#connection.useAt(placeOfVolume(volume.pool, volume.name), 'acts', signal, (client) => client.storage.deleteVolume(volume, signal));
    } catch (error) {
      if (refusalOf(error) !== ErrorCode.NO_STORAGE_VOL) throw error;
    }
  }

  async #use<T>(name: string, signal: AbortSignal, work: (client: LibvirtClient, pool: Pool) => Promise<T>): Promise<T> {
    try {
      return await this.#connection.useAt(placeOfPool(name), 'reads', signal, async (client) => work(client, await client.storage.pool(name, signal)));
    } catch (error) {
      if (refusalOf(error) !== ErrorCode.NO_STORAGE_POOL) throw error;
      throw new ArgoError('NOT SUPPORTED', `libvirt has no storage pool ${name}; image-pool and iso-pool say which are used`, { cause: error });
    }
  }

  /** libvirt does not see by itself what others put into a folder. While it makes a volume there it does not look: then what it knows is told. */
  async #look(client: LibvirtClient, pool: Pool, signal: AbortSignal, isNow = false): Promise<void> {
    if (!isNow && performance.now() - (this.#lookedAt.get(pool.name) ?? -Infinity) < LOOKED_MS) return;
    try {
      await client.storage.refresh(pool, signal);
      this.#lookedAt.set(pool.name, performance.now());
    } catch (error) {
      if (!(error instanceof LibvirtError)) throw error;
    }
  }
}

/** @param skips whether what libvirt cannot describe is left out, and is no error */
async function describeVolumes(client: LibvirtClient, pool: Pool, signal: AbortSignal, skips: boolean): Promise<VolumeDescription[]> {
  const described = await inParts(await client.storage.volumes(pool, signal), async (volume) => {
    try {
      return parseVolumeXml(volume, await client.storage.volumeXml(volume, signal));
    } catch (error) {
      if (error instanceof LibvirtError && (skips || error.code === ErrorCode.NO_STORAGE_VOL)) return undefined;
      throw error;
    }
  });
  return described.filter((each) => each !== undefined && each.type !== 'dir' && each.type !== 'netdir') as VolumeDescription[];
}
