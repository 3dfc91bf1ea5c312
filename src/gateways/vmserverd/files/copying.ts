import type { FileHandle } from 'node:fs/promises';
import { COPY_LOOK } from '../../../kit/vmserverd-files-limits.js';
import { CODES, OperationError } from '../../../protocols/vmserverd/codes.js';
import type { Jail, Leaf } from './jail.js';
import type { Placing } from './placing.js';
import { COPY, handed, runOn } from './program.js';
import type { Place } from './roots.js';

/** From where to where. */
export interface Way {
  readonly source: Place;
  readonly target: Place;
  readonly overwrite: boolean;
}

/** Told how many bytes of how many are copied. */
export type Progress = (done: number, all: number) => void;

/** A copy is its owner's and nobody else's to change, and never runs as somebody else. */
export const copiedMode = (mode: bigint): number => Number(mode) & 0o755;

/** Copies files. The work is done by cp(1), which knows how a file system copies best, and by a process that can be killed. */
export class Copying {
  readonly #jail: Jail;
  readonly #placing: Placing;

  constructor(jail: Jail, placing: Placing) {
    this.#jail = jail;
    this.#placing = placing;
  }

  /** Bytes of a file. @throws OperationError FILE for what is none */
  size(source: Place, signal: AbortSignal): Promise<number> {
    return this.#jail.file(source, signal, (leaf) => Promise.resolve(Number(leaf.stats.size)));
  }

  /**
   * One file. It is on the disk when it resolves; when it rejects there is nothing of it.
   * @param after done with what was copied, while it is still held
   * @throws OperationError; the signal's reason
   */
  async copy(
    { source, target, overwrite }: Way,
    signal: AbortSignal,
    progress: Progress,
    after: (leaf: Leaf) => Promise<void> = () => Promise.resolve(),
  ): Promise<void> {
    if (source.path === target.path) throw new OperationError(CODES.INVALID_ARGUMENT, 'source and target are the same file');
    await this.#jail.file(source, signal, async (leaf) => {
      await this.#jail.parent(target, signal, (folder, as) =>
        this.#placing.place({ folder, name: as, overwrite }, copiedMode(leaf.stats.mode), (handle) =>
          fill(leaf, handle, signal, progress),
        ),
      );
      await after(leaf);
    });
  }
}

async function fill(leaf: Leaf, handle: FileHandle, signal: AbortSignal, progress: Progress): Promise<void> {
  const all = Number(leaf.stats.size);
  const look = setInterval(() => {
    handle.stat().then(({ size }) => progress(Math.min(size, all), all), () => undefined);
  }, COPY_LOOK);
  try {
    await runOn([leaf.handle.fd, handle.fd], COPY, signal);
    await runOn([handle.fd], ['sync', '--', handed(0)], signal);
  } finally {
    clearInterval(look);
  }
}
