import { BACKING_FILES, IMAGE_BYTES } from '../../../kit/vmserverd-files-limits.js';
import { CODES, OperationError } from '../../../protocols/vmserverd/codes.js';
import type { Jail } from './jail.js';
import { isWithin, pathOf } from './paths.js';
import type { Placing } from './placing.js';
import { handed, runOn } from './program.js';
import { QCOW2_BEGINNING, readQcow2 } from './qcow2.js';
import { readPiece } from './reading.js';
import type { Place } from './roots.js';

/** Images that hold what differs from another one. */

/** What an image may be: others name further files in their text, and a probe could be lied to. */
export const IMAGE_FORMATS = ['raw', 'qcow2'] as const;
export type ImageFormat = (typeof IMAGE_FORMATS)[number];

/** qemu counts disks in these. */
const SECTOR = 512;

/** An image is its owner's and its group's. */
const IMAGE_MODE = 0o640;

export interface ImageOrder {
  readonly base: Place;
  readonly target: Place;
  /** of the base; undefined: it is a qcow2 image, or nothing is done */
  readonly format: ImageFormat | undefined;
  /** bytes of the new disk, {@link IMAGE_BYTES} at most; undefined: as large as the base's */
  readonly size: number | undefined;
  /** Where an image behind the base is. @throws OperationError where the account may not read it */
  placeOf(path: string): Place;
}

const refused = (words: string): OperationError => new OperationError(CODES.INVALID_ARGUMENT, words);

export class Images {
  readonly #jail: Jail;
  readonly #placing: Placing;

  constructor(jail: Jail, placing: Placing) {
    this.#jail = jail;
    this.#placing = placing;
  }

  /** Makes an image that is built on another one. @throws OperationError */
  async create({ base, target, format, size, placeOf }: ImageOrder, signal: AbortSignal): Promise<void> {
    const least = await this.#sizeOf(base, format, placeOf, signal);
    if (size !== undefined && size < least) throw refused(`<size>: the base holds ${least} bytes`);
    if (least > IMAGE_BYTES) throw refused(`${base.path}: holds ${least} bytes, more than the ${IMAGE_BYTES} that an image may have`);
    const bytes = Math.ceil((size ?? least) / SECTOR) * SECTOR;
    await this.#jail.parent(target, signal, (folder, name) => this.#placing.place({ folder, name, overwrite: false }, IMAGE_MODE, async (handle) => {
      // -u: it opens nothing but what it is handed, so that no header, and no file that takes another's place, leads it anywhere
      await runOn([handle.fd], ['qemu-img', 'create', '-q', '-u', '-f', 'qcow2', '-F', format ?? 'qcow2', '-b', base.path, '--', handed(0), String(bytes)], signal);
      await folder.calls.on(target.path, () => handle.sync());
    }));
  }

  /** Bytes of the disk in an image, when all files behind it are seen to be such as its reader may read. */
  async #sizeOf(base: Place, format: ImageFormat | undefined, placeOf: (path: string) => Place, signal: AbortSignal): Promise<number> {
    if (format === 'raw') return this.#jail.file(base, signal, (leaf) => Promise.resolve(Number(leaf.stats.size)));
    const first = await this.#header(base, signal);
    let [place, header] = [base, first];
    for (let behind = 0; header.backing !== undefined; behind += 1) {
      const { name, format: next } = header.backing;
      if (behind === BACKING_FILES) throw refused(`more than ${BACKING_FILES} images are built on each other`);
      place = placeOf(backingPath(place.path, name));
      if (next === 'raw') {
        await this.#jail.file(place, signal, () => Promise.resolve());
        break;
      }
      // what a machine has written into a raw disk would be taken for a header by whoever guesses
      if (next !== 'qcow2') throw refused(`${place.path}: is behind the base, which does not say that it is raw or qcow2`);
      header = await this.#header(place, signal);
    }
    return first.size;
  }

  async #header(place: Place, signal: AbortSignal): Promise<NonNullable<ReturnType<typeof readQcow2>>> {
    const { bytes } = await this.#jail.file(place, signal, (leaf) => readPiece(leaf, 0, QCOW2_BEGINNING));
    const header = readQcow2(bytes);
    if (header === undefined) throw refused(`${place.path}: is no qcow2 image that holds its data itself; of a raw one say so in <format>`);
    return header;
  }
}

/** Where the file is that an image's header names: a path, beside the image where it is no full one. @throws OperationError for anything else, such as nbd:… */
function backingPath(image: string, name: string): string {
  const isPath = name.startsWith('/') || !/^[^/]*:/.test(name);
  const path = name.startsWith('/') ? name : `${pathOf(image.split('/').slice(1, -1))}/${name}`;
  if (!isPath || name === '' || path.split('/').includes('..') || isWithin(path, '/dev')) throw refused(`${image}: is built on something that is no file in these folders`);
  return path;
}
