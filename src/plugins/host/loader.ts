import { readdir, stat } from 'node:fs/promises';
import { dirname, extname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Log } from '../../kit/log.js';
import { Deadline } from '../../kit/deadline.js';
import { PLUGIN_LOAD_TIMEOUT } from '../../kit/limits.js';
import { CommandTable, loadCommands, type LoadedCommand } from './command-table.js';

/** Our own plugins: the folder above, compiled. */
const OWN_FOLDER = fileURLToPath(new URL('..', import.meta.url));

/** Node strips the types of .ts files itself from 22.18 on; before that, authors compile them. */
const EXTENSIONS = new Set(['.js', '.mjs', ...('typescript' in process.features && process.features.typescript ? ['.ts', '.mts'] : [])]);

interface Loaded {
  readonly name: string;
  /** of the file that it came from: reloaded when that changes */
  readonly version: string;
  readonly commands: readonly LoadedCommand[];
}

/**
 * Finds plugins by looking into folders and loads them. One that cannot be loaded is reported and
 * leaves the others alone; if it worked before, it stays as it was.
 */
export class PluginLoader {
  #loaded = new Map<string, Loaded>();
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  /**
   * Loads what is new or has changed.
   * @param folders of the configuration's plugin-path
   */
  async load(folders: readonly string[]): Promise<CommandTable> {
    const files = [...await this.#filesIn(OWN_FOLDER)];
    for (const folder of folders) files.push(...await this.#filesIn(resolve(folder)));
    const loaded = await Promise.all(files.map((file) => this.#loadFile(file)));
    this.#loaded = new Map(files.flatMap((file, index) => (loaded[index] ? [[file, loaded[index]]] : [])));
    return new CommandTable(this.#loaded.values(), this.#log);
  }

  async #filesIn(folder: string): Promise<string[]> {
    try {
      const entries = await readdir(folder, { withFileTypes: true });
      return entries
        .filter((entry) => !entry.isDirectory() && EXTENSIONS.has(extname(entry.name)) && !/\.d\.m?ts$/.test(entry.name))
        .map(({ name }) => join(folder, name))
        .sort();
    } catch (error) {
      const before = [...this.#loaded.keys()].filter((file) => dirname(file) === folder);
      this.#log('error', 'plugin folder cannot be read', { folder, reason: (error as Error).message, keptFromBefore: before.length > 0 });
      return before;
    }
  }

  async #loadFile(file: string): Promise<Loaded | undefined> {
    const before = this.#loaded.get(file);
    try {
      const { mtimeMs, size } = await stat(file);
      const version = `${mtimeMs}-${size}`;
      if (before?.version === version) return before;
      const module = await importWithin(PLUGIN_LOAD_TIMEOUT, `${pathToFileURL(file).href}?version=${version}`);
      return { name: file, version, commands: loadCommands(module.default) };
    } catch (error) {
      this.#log('error', 'plugin cannot be loaded', { plugin: file, reason: error instanceof Error ? error.message : String(error), keptFromBefore: before !== undefined });
      return before;
    }
  }
}

/** A module that waits for ever at its top level must not hold up the others. */
async function importWithin(ms: number, url: string): Promise<{ default?: unknown }> {
  const deadline = new Deadline(ms);
  try {
    return await deadline.run(() => import(url) as Promise<{ default?: unknown }>);
  } finally {
    deadline.clear();
  }
}
