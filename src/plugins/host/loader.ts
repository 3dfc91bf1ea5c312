import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
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
  /** what it brings: commands, or else a gateway */
  readonly commands: readonly LoadedCommand[];
  readonly gateway: object | undefined;
}

/** Whether a default export is a gateway rather than a list of commands. */
const isGateway = (exported: unknown): exported is object => typeof exported === 'object' && exported !== null && 'open' in exported;

/** Names the fault of something that should be a gateway. */
type GatewayFault = (candidate: object) => string | undefined;

/**
 * Finds plugins by looking into folders and loads them. One that cannot be loaded is reported and
 * leaves the others alone; if it worked before, it stays as it was.
 */
export class PluginLoader {
  #loaded = new Map<string, Loaded>();
  /** files of which was told that they cannot be loaded, since the last {@link load} */
  readonly #told = new Set<string>();
  readonly #log: Log;
  readonly #gatewayFault: GatewayFault;

  constructor(log: Log, gatewayFault: GatewayFault = () => undefined) {
    this.#log = log;
    this.#gatewayFault = gatewayFault;
  }

  /**
   * Loads what is new or has changed. Called last of what a start or a reload asks for.
   * @param folders of the configuration's plugin-path
   */
  async load(folders: readonly string[]): Promise<CommandTable> {
    const files = [...await this.#filesIn(OWN_FOLDER), ...await this.#filesInAll(folders)];
    const loaded = await Promise.all(files.map((file) => this.#loadFile(file)));
    this.#loaded = new Map(files.flatMap((file, index) => (loaded[index] ? [[file, loaded[index]]] : [])));
    this.#told.clear();
    return new CommandTable(this.#loaded.values(), this.#log);
  }

  /**
   * The gateways that folders bring, by their type: the file's name without its ending. What is loaded
   * here is not loaded a second time by {@link load}.
   */
  async gatewaysIn(folders: readonly string[]): Promise<ReadonlyMap<string, object>> {
    const loaded = await Promise.all((await this.#filesInAll(folders)).map((file) => this.#loadFile(file)));
    const gateways = new Map<string, object>();
    for (const one of loaded) {
      if (one?.gateway === undefined) continue;
      const type = basename(one.name, extname(one.name));
      if (!gateways.has(type)) gateways.set(type, one.gateway);
    }
    return gateways;
  }

  async #filesInAll(folders: readonly string[]): Promise<string[]> {
    const files = [];
    for (const folder of folders) files.push(...await this.#filesIn(resolve(folder)));
    return files;
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

  /** @throws Error that says what is wrong with a module's default export */
  #contentOf(exported: unknown): Pick<Loaded, 'commands' | 'gateway'> {
    if (!isGateway(exported)) return { commands: loadCommands(exported), gateway: undefined };
    const fault = this.#gatewayFault(exported);
    if (fault !== undefined) throw new Error(fault);
    return { commands: [], gateway: exported };
  }

  async #loadFile(file: string): Promise<Loaded | undefined> {
    const before = this.#loaded.get(file);
    try {
      const { mtimeMs, size } = await stat(file);
      const version = `${mtimeMs}-${size}`;
      if (before?.version === version) return before;
      const module = await importWithin(PLUGIN_LOAD_TIMEOUT, `${pathToFileURL(file).href}?version=${version}`);
      return { name: file, version, ...this.#contentOf(module.default) };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (!this.#told.has(file)) this.#log('error', 'plugin cannot be loaded', { plugin: file, reason, keptFromBefore: before !== undefined });
      this.#told.add(file);
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
