import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ArgoError } from '../../kit/errors.js';
import type { Log } from '../../kit/log.js';

/** Bytes that a file's name may have, less room for our endings. */
const MAX_FILE_NAME = 240;
/** A whole image, from which the machine can be resumed. */
const WHOLE = '.save';
/** An image that xl is writing, or did not end. */
const PARTIAL = '.partial';
/** An image of a machine that has run since: resuming it would destroy its disks. */
const STALE = '.stale';
/** Milliseconds without a write after which nobody is writing an image any more. */
const ABANDONED = 60_000;

export type SaveKind = 'whole' | 'partial';

/** A file of the folder, as it was when it was looked at. */
export interface Save {
  readonly name: string;
  readonly kind: SaveKind;
  readonly path: string;
  /** differs when the file is another one */
  readonly mark: string;
  /** milliseconds since 1970 */
  readonly written: number;
}

/** The folder of the memory images that suspended machines left. */
export class Saves {
  readonly #log: Log;

  constructor(readonly folder: string, log: Log) {
    this.#log = log;
  }

  /**
   * The path of a machine's image.
   * @throws ArgoError `NOT SUPPORTED` when its name is too long for a file
   */
  path(name: string, kind: SaveKind): string {
    const file = fileOf(name, kind);
    if (!file) throw new ArgoError('NOT SUPPORTED', 'its name is too long for the name of an image');
    return join(this.folder, file);
  }

  /** All images there are. A folder that is missing has none. */
  async all(): Promise<Save[]> {
    const files = await readdir(this.folder).catch((error: unknown) => {
      if (isAbsent(error)) return [];
      throw new ArgoError('FAILED', `${this.folder} cannot be read`, { cause: error });
    });
    const saves = await Promise.all(files.sort().map((file) => this.#look(file)));
    return saves.filter((save) => save !== undefined);
  }

  /** The image of one machine; a whole one before a partial one. */
  async find(name: string): Promise<Save | undefined> {
    return await this.#look(fileOf(name, 'whole')) ?? await this.#look(fileOf(name, 'partial'));
  }

  /** Makes the folder: for root alone, since an image holds the machine's memory, passwords and all. */
  async prepare(): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
      throw new ArgoError('FAILED', `${this.folder} cannot be made`, { cause: error });
    });
  }

  /** A partial image is whole now. */
  async complete(name: string): Promise<void> {
    await rename(this.path(name, 'partial'), this.path(name, 'whole'));
  }

  async remove(name: string, kind: SaveKind): Promise<void> {
    await rm(this.path(name, kind), { force: true });
  }

  /** Puts an image out of use because its machine has been running without it. */
  async setAside(save: Save): Promise<void> {
    const now = await this.#look(save.path.slice(this.folder.length + 1));
    if (now?.mark !== save.mark) return;
    // A save begins with the file, a moment before the domain is seen to stop.
    if (save.kind === 'partial' && Date.now() - save.written < ABANDONED) return;
    await this.discard(save);
    this.#log('warn', `${save.path}: its machine is running, so this image is no longer used`);
  }

  /** A whole image is kept under a name that is never used, in case that a person knows better; a torn one goes. */
  async discard({ kind, path }: Save): Promise<void> {
    if (kind === 'partial') await rm(path, { force: true });
    else await rename(path, path.slice(0, -WHOLE.length) + STALE);
  }

  async #look(file: string | undefined): Promise<Save | undefined> {
    if (!file) return undefined;
    const ending = [WHOLE, PARTIAL].find((candidate) => file.endsWith(candidate));
    const path = join(this.folder, file);
    const name = ending && decoded(file.slice(0, -ending.length));
    if (!name) return undefined;
    const stats = await stat(path, { bigint: true }).catch((error: unknown) => {
      if (isAbsent(error)) return undefined;
      throw new ArgoError('FAILED', `${path} cannot be looked at`, { cause: error });
    });
    if (!stats?.isFile()) return undefined;
    return { name, kind: ending === WHOLE ? 'whole' : 'partial', path, mark: `${stats.ino} ${stats.mtimeNs} ${stats.size}`, written: Number(stats.mtimeMs) };
  }
}

/** @returns undefined for a name that no file can bear, so that there can be no image either */
function fileOf(name: string, kind: SaveKind): string | undefined {
  const encoded = encodeURIComponent(name).replace(/^\./, '%2E');
  return encoded.length > MAX_FILE_NAME ? undefined : encoded + (kind === 'whole' ? WHOLE : PARTIAL);
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
