import { Limit, ListActive, PoolState, Procedure } from './constants.js';
import type { CallOptions, RpcConnection } from './rpc.js';
import { UUID_BYTES } from './types.js';
import { XdrWriter, type XdrReader } from './xdr.js';

/** libvirt's pools of storage and their volumes, in its own RPC. */

/** `remote_nonnull_storage_pool` */
export interface Pool {
  readonly name: string;
  readonly uuid: Buffer;
}

/** `remote_nonnull_storage_vol` */
export interface Volume {
  /** name of its pool */
  readonly pool: string;
  readonly name: string;
  /** what libvirt knows it by: its path, in a pool of files */
  readonly key: string;
}

export interface PoolInfo {
  /** whether its volumes can be used */
  readonly isActive: boolean;
  /** bytes */
  readonly available: bigint;
}

/** What calls are counted under that read a pool: a store that does not answer keeps nobody else waiting. */
export const placeOfPool = (pool: string): string => `pool ${pool}`;
/** The same of a call that works on one volume, which may take as long as it is large. */
export const placeOfVolume = (pool: string, name: string): string => `volume ${pool}/${name}`;

/** Each method rejects as {@link RpcConnection.call} does. */
export class LibvirtStorage {
  readonly #rpc: RpcConnection;
  readonly #options: CallOptions;

  constructor(rpc: RpcConnection, options: CallOptions) {
    this.#rpc = rpc;
    this.#options = options;
  }

  /** @throws LibvirtError NO_STORAGE_POOL */
  pool(name: string, signal: AbortSignal): Promise<Pool> {
    return this.#read(Procedure.STORAGE_POOL_LOOKUP_BY_NAME, name, new XdrWriter().string(name), readPool, signal);
  }

  /** Those that are active. */
  pools(signal: AbortSignal): Promise<Pool[]> {
    const body = new XdrWriter().int(1).int(ListActive).bytes();
    return this.#rpc.call(
      Procedure.CONNECT_LIST_ALL_STORAGE_POOLS,
      body,
      (reply) => reply.array(Limit.POOLS, () => readPool(reply)),
      { ...this.#options, signal },
    );
  }

  poolInfo(pool: Pool, signal: AbortSignal): Promise<PoolInfo> {
    return this.#read(Procedure.STORAGE_POOL_GET_INFO, pool.name, writePool(pool), readPoolInfo, signal);
  }

  /** https://libvirt.org/formatstorage.html */
  poolXml(pool: Pool, signal: AbortSignal): Promise<string> {
    return this.#read(Procedure.STORAGE_POOL_GET_XML_DESC, pool.name, writePool(pool).int(0), (reply) => reply.string(), signal);
  }

  /** Looks what is in it now: libvirt does not see what others put there. */
  refresh(pool: Pool, signal: AbortSignal): Promise<void> {
    return this.#read(Procedure.STORAGE_POOL_REFRESH, pool.name, writePool(pool).int(0), nothing, signal);
  }

  volumes(pool: Pool, signal: AbortSignal): Promise<Volume[]> {
    const read = (reply: XdrReader): Volume[] => reply.array(Limit.VOLUMES, () => readVolume(reply));
    return this.#read(Procedure.STORAGE_POOL_LIST_ALL_VOLUMES, pool.name, writePool(pool).int(1).int(0), read, signal);
  }

  /** @throws LibvirtError NO_STORAGE_VOL */
  volume(pool: Pool, name: string, signal: AbortSignal): Promise<Volume> {
    return this.#read(Procedure.STORAGE_VOL_LOOKUP_BY_NAME, pool.name, writePool(pool).string(name), readVolume, signal);
  }

  /** The volume of any active pool that has a path. @throws LibvirtError NO_STORAGE_VOL */
  volumeAt(path: string, signal: AbortSignal): Promise<Volume> {
    return this.#rpc.call(Procedure.STORAGE_VOL_LOOKUP_BY_PATH, new XdrWriter().string(path).bytes(), readVolume, { ...this.#options, signal, slow: true, about: 'paths' });
  }

  /** https://libvirt.org/formatstorage.html; reads the head of its file. */
  volumeXml(volume: Volume, signal: AbortSignal): Promise<string> {
    return this.#read(Procedure.STORAGE_VOL_GET_XML_DESC, volume.pool, writeVolume(volume).int(0), (reply) => reply.string(), signal);
  }

  /** @throws LibvirtError STORAGE_VOL_EXIST */
  createVolume(pool: Pool, name: string, xml: string, signal: AbortSignal): Promise<Volume> {
    return this.#act(Procedure.STORAGE_VOL_CREATE_XML, { pool: pool.name, name }, writePool(pool).string(xml).int(0), readVolume, signal);
  }

  deleteVolume(volume: Volume, signal: AbortSignal): Promise<void> {
    return this.#act(Procedure.STORAGE_VOL_DELETE, volume, writeVolume(volume).int(0), nothing, signal);
  }

  #read<T>(procedure: number, pool: string, body: XdrWriter, read: (reply: XdrReader) => T, signal: AbortSignal): Promise<T> {
    return this.#rpc.call(procedure, body.bytes(), read, { ...this.#options, signal, slow: true, about: placeOfPool(pool) });
  }

  #act<T>(procedure: number, on: Pick<Volume, 'pool' | 'name'>, body: XdrWriter, read: (reply: XdrReader) => T, signal: AbortSignal): Promise<T> {
    return this.#rpc.call(procedure, body.bytes(), read, { ...this.#options, signal, slow: true, about: placeOfVolume(on.pool, on.name) });
  }
}

const nothing = (): void => undefined;

const writePool = (pool: Pool): XdrWriter => new XdrWriter().string(pool.name).fixed(pool.uuid);
const readPool = (reader: XdrReader): Pool => ({ name: reader.string(), uuid: reader.fixed(UUID_BYTES) });

const writeVolume = ({ pool, name, key }: Volume): XdrWriter => new XdrWriter().string(pool).string(name).string(key);
const readVolume = (reader: XdrReader): Volume => ({ pool: reader.string(), name: reader.string(), key: reader.string() });

/** `remote_storage_pool_get_info_ret`: state, capacity, allocation, available; in XDR a char takes four bytes too. */
function readPoolInfo(reader: XdrReader): PoolInfo {
  const state = reader.unsigned();
  reader.unsignedHyper();
  reader.unsignedHyper();
  return { isActive: state === PoolState.RUNNING || state === PoolState.DEGRADED, available: reader.unsignedHyper() };
}
