import { constants } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ArgoError } from '../../kit/errors.js';
import type { Log } from '../../kit/log.js';
import { CfgError, parseDefinition, type Definition } from './cfg.js';

/** Bytes: the largest configuration that makes sense is some KiB. */
const MAX_SIZE = 256 * 1024;
/** Files in the folder that are looked at. */
const MAX_FILES = 4096;

/** A domain's configuration file, as it was last understood. */
export interface Config {
  readonly path: string;
  readonly definition: Definition;
}

/** What was last seen of a file. */
interface Seen {
  /** differs after each change of the file */
  readonly mark: string;
  readonly definition?: Definition;
}

/** Editors', dpkg's and xend's leavings; and the two files in the folder that are not about a domain. */
function isConfig(file: string): boolean {
  return file.endsWith('.cfg') && !file.startsWith('.') && !file.includes('.dpkg-') && !file.startsWith('#');
}

/** The folder of the domains' configuration files. One broken file never hides the others. */
export class Configs {
  readonly #seen = new Map<string, Seen>();
  readonly #complained = new Map<string, string>();
  #byNames = new Map<string, Config>();
  /** of the last {@link refresh}: why the folder may hold more machines than were found */
  incomplete: string | undefined;
  readonly #log: Log;

  constructor(readonly folder: string, log: Log) {
    this.#log = log;
  }

  /** As of the last {@link refresh}. */
  get(name: string): Config | undefined {
    return this.#byNames.get(name);
  }

  all(): Iterable<Config> {
    return this.#byNames.values();
  }

  /**
   * Looks at the folder again; only what has changed is read. A file that cannot be understood keeps
   * its last good meaning, or is left out, and is reported once.
   */
  async refresh(): Promise<void> {
    this.incomplete = undefined;
    const files = await this.#files();
    const present = new Set(files);
    for (const path of this.#seen.keys()) if (!present.has(path)) this.#forget(path);
    const found = new Map<string, Config>();
    const leftOut: string[] = [];
    for (const path of files) {
      await this.#look(path);
      const definition = this.#seen.get(path)?.definition;
      if (!definition) {
        if (this.#seen.has(path)) leftOut.push(path);
        continue;
      }
      const first = found.get(definition.name);
      if (!first) found.set(definition.name, { path, definition });
      else this.#complain(path, `same ${first.path}`, `its name ${JSON.stringify(definition.name)} is already that of ${first.path}, which counts`);
    }
    this.#byNames = found;
    if (leftOut.length > 0) this.incomplete ??= `${leftOut[0]}${leftOut.length > 1 ? ` and ${leftOut.length - 1} more files` : ''} cannot be read or understood`;
  }

  /**
   * Reads a domain's file now, for a start.
   * @throws ArgoError `FAILED` when it is gone, broken or names another domain meanwhile
   */
  async fresh({ path, definition: { name } }: Config): Promise<Config> {
    try {
      const definition = parseDefinition(await readLimited(path));
      if (definition.name === name) return { path, definition };
    } catch (error) {
      throw new ArgoError('FAILED', `${path}: ${reason(error)}`, { cause: error });
    }
    throw new ArgoError('FAILED', `${path} is about another domain now`);
  }

  async #files(): Promise<string[]> {
    try {
      const names = (await readdir(this.folder)).filter(isConfig).sort();
      if (names.length > MAX_FILES) {
        this.incomplete = `${this.folder} has more than ${MAX_FILES} files`;
        this.#complain(this.folder, 'many', `only the first ${MAX_FILES} files are used`);
      } else this.#complained.delete(this.folder);
      return names.slice(0, MAX_FILES).map((name) => join(this.folder, name));
    } catch (error) {
      this.incomplete = `${this.folder}: ${reason(error)}`;
      this.#complain(this.folder, reason(error), reason(error));
      return [...this.#seen.keys()].sort();
    }
  }

  async #look(path: string): Promise<void> {
    const before = this.#seen.get(path);
    let mark = '';
    try {
      const { mtimeNs, ctimeNs, size, ino } = await stat(path, { bigint: true });
      mark = `${mtimeNs} ${ctimeNs} ${size} ${ino}`;
      if (before?.mark === mark) return;
      this.#seen.set(path, { mark, definition: parseDefinition(await readLimited(path)) });
      this.#complained.delete(path);
    } catch (error) {
      this.#seen.set(path, { mark, ...(before?.definition && { definition: before.definition }) });
      const kept = before?.definition ? 'what it said before is kept' : 'it is left out';
      this.#complain(path, `${mark} ${reason(error)}`, `${reason(error)}; ${kept}`);
    }
  }

  #forget(path: string): void {
    this.#seen.delete(path);
    this.#complained.delete(path);
  }

  /** Once for each state of the file. */
  #complain(path: string, mark: string, message: string): void {
    if (this.#complained.get(path) === mark) return;
    this.#complained.set(path, mark);
    this.#log('warn', `${path}: ${message}`);
  }
}

/** @throws what the file system throws, CfgError for what is no such file */
export async function readLimited(path: string): Promise<string> {
  // Not blocking, for a FIFO with the name of a configuration would wait for ever.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new CfgError(1, 'this is not a file');
    if (stats.size > MAX_SIZE) throw new CfgError(1, `this is larger than ${MAX_SIZE} bytes`);
    const buffer = Buffer.alloc(MAX_SIZE);
    const { bytesRead } = await file.read(buffer, 0, MAX_SIZE, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

function reason(error: unknown): string {
  if (error instanceof CfgError) return error.message;
  return error instanceof Error && 'code' in error ? `cannot be read (${String(error.code)})` : 'cannot be read';
}
