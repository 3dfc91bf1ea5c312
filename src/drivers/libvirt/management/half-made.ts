import { ArgoError } from '../../../kit/errors.js';
import type { DriverHost } from '../../driver.js';
import { findUsers } from './image-users.js';
import { halfMadeName, wholeName } from './names.js';
import type { ImagePools } from './pools.js';
import type { DomainUse } from './uses.js';
import { emptyVolumeXml, type VolumeDescription } from './volume-xml.js';
import { insist, step, TakingBack } from './steps.js';

/**
 * Images of machines that are being made. libvirt cannot rename a volume, so a second, empty one stands beside it for as long
 * as its machine is not there: `NAME.argo-TASK`. While that stands, the image is listed only if a machine has it. What an
 * earlier process left so is known by it: the image is removed if no machine has it and nothing was ever written into it.
 */

/** Milliseconds after which a mark whose task is not one of ours is an earlier process's: another server may be at work now. */
const LEFT_MS = 60_000;

/** Bytes that an image takes which nothing was ever written into: the tables of qcow2. */
const EMPTY_MOST = 4n * 1024n * 1024n;

export class HalfMade {
  readonly #pools: ImagePools;
  readonly #host: DriverHost;
  /** marks of tasks that are under way here */
  readonly #ours = new Set<string>();

  constructor(pools: ImagePools, host: DriverHost) {
    this.#pools = pools;
    this.#host = host;
  }

  /**
   * Makes the image of a machine, marked until there is a machine that has it.
   * @param undo is told what takes it away again
   * @returns its path, and what ends the mark when there is a machine that has it
   */
  async make(
    image: { readonly name: string; readonly size: bigint; readonly task: string },
    undo: TakingBack,
  ): Promise<{ readonly path: string; readonly unmark: () => Promise<void> }> {
    const { name, size, task } = image;
    const mark = halfMadeName(name, task);
    const { pool } = await step((signal) => this.#pools.room(signal));
    const unmark = async (signal: AbortSignal): Promise<void> => {
      this.#ours.delete(mark);
      await this.#remove(mark, signal);
    };
    this.#ours.add(mark);
    undo.add(`the mark ${mark}`, unmark);
    await step((signal) => this.#pools.create(pool, mark, emptyVolumeXml(mark, size, 'raw'), signal));
    try {
      const { key } = await step((signal) => this.#pools.create(pool, name, emptyVolumeXml(name, size, 'qcow2'), signal));
      undo.add(`the image ${name}`, (signal) => this.#remove(name, signal));
      return { path: key, unmark: () => insist(unmark) };
    } catch (error) {
      // What libvirt refused to make is somebody else's, if it is there.
      if (error instanceof ArgoError && error.phrase === 'UNCERTAIN') {
        undo.add(`the image ${name}`, async (signal) => {
          if (!(await this.#remove(name, signal))) throw new ArgoError('FAILED', 'libvirt may still make it');
        });
      }
      throw error;
    }
  }

  /** @returns whether it was there @throws ArgoError FAILED where something was written into it */
  async #remove(name: string, signal: AbortSignal): Promise<boolean> {
    const found = await this.#pools.describe(name, signal);
    if (found === undefined) return false;
    if (found.allocation > EMPTY_MOST) throw new ArgoError('FAILED', `${name} has content`);
    await this.#pools.delete(found.volume, signal);
    return true;
  }

  /** Without what is being made, or was left half made. */
  whole(volumes: readonly VolumeDescription[], uses: readonly DomainUse[]): VolumeDescription[] {
    const marked = new Set(volumes.map(({ volume }) => wholeName(volume.name)).filter((name) => name !== undefined));
    if (marked.size === 0) return [...volumes];
    const users = findUsers(volumes, uses);
    return volumes.filter(
      (each) => users.has(each) || (wholeName(each.volume.name) === undefined && !marked.has(each.volume.name)),
    );
  }

  /** Removes what earlier processes left in the pool of images. Never rejects: what stays is not listed. */
  async sweep(volumes: readonly VolumeDescription[], uses: readonly DomainUse[]): Promise<void> {
    const users = findUsers(volumes, uses);
    const left = volumes.filter((each) => this.#isLeft(each) && !users.has(each));
    for (const mark of left) {
      const name = wholeName(mark.volume.name);
      const image = volumes.find(({ volume }) => volume.name === name && volume.pool === mark.volume.pool);
      const isNobodys
        = image !== undefined && !users.has(image) && image.allocation <= EMPTY_MOST && image.capacity === mark.capacity;
      const undo = new TakingBack(this.#host);
      undo.add(`the mark ${mark.volume.name}`, (signal) => this.#pools.delete(mark.volume, signal));
      if (isNobodys) undo.add(`the image ${image.volume.name}`, (signal) => this.#pools.delete(image.volume, signal));
      if ((await undo.run()) === undefined)
        this.#host.log('info', 'removed what an earlier task had left half made', { mark: mark.volume.name });
    }
  }

  /** Whether it is a mark that nobody here is at work on. What has content is none of ours. */
  #isLeft({ volume, changed, allocation }: VolumeDescription): boolean {
    return (
      volume.pool === this.#pools.images
      && wholeName(volume.name) !== undefined
      && !this.#ours.has(volume.name)
      && allocation === 0n
      && changed !== undefined
      && Date.now() - changed * 1000 > LEFT_MS
    );
  }
}
