import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Log } from '../../kit/log.js';
import { Deadline } from '../../kit/deadline.js';
import { PLUGIN_LOAD_TIMEOUT } from '../../kit/limits.js';
import { CommandTable, loadCommands, type LoadedCommand } from './command-table.js';
import { keyFault } from './known-keys.js';
import { ownPlugins } from './own-plugins.js';
import { syntaxPlace } from './syntax-place.js';

/** Node strips the types of .ts files itself from 22.18 on; before that, authors compile them. */
const EXTENSIONS = new Set(['.js', '.mjs', ...('typescript' in process.features && process.features.typescript ? ['.ts', '.mts'] : [])]);

interface Commands {
  readonly name: string;
  readonly commands: readonly LoadedCommand[];
}

/** What a file brings: commands, or else a driver or a gateway. */
interface Loaded extends Commands {
  /** of the file that it came from: reloaded when that changes */
  readonly version: string;
  readonly module: object | undefined;
}

/** What a file may bring instead of commands. */
export type ModuleKind = 'driver' | 'gateway';

/** Of what kind a default export is; undefined where it is a list of commands. */
function kindOf(exported: unknown): ModuleKind | undefined {
  if (typeof exported !== 'object' || exported === null || !('open' in exported)) return undefined;
  return 'kind' in exported && exported.kind === 'driver' ? 'driver' : 'gateway';
}

/** Why a default export is neither a driver nor a gateway, or undefined. */
function moduleFault({ options, open, defaults = {} }: Readonly<Record<'options' | 'open' | 'defaults', unknown>>): string | undefined {
  if (typeof open !== 'function') return 'open must be a function';
  if (typeof options !== 'object' || options === null) return 'options must be an object: the keys of its table';
  if ('type' in options) return 'options must not hold type, which every table has';
  if (typeof defaults !== 'object' || defaults === null) return 'defaults must be an object';
  // "30s" would be no pause at all between two listings
  const strange = keyFault(defaults, 'defaults', 'defaults');
  if (strange !== undefined) return strange;
  const wrong = Object.entries(defaults).find(([, value]) => value !== undefined && !(Number.isFinite(value) && (value as number) >= 1));
  return wrong && `defaults.${wrong[0]} must be a number, at least 1; times are in milliseconds`;
}

/**
 * Finds plugins by looking into folders and loads them. One that cannot be loaded is reported and
 * leaves the others alone; if it worked before, it stays as it was.
 */
export class PluginLoader {
  /** our own, which are part of the program that runs: they are loaded once */
  #own: readonly Commands[] | undefined;
  #loaded = new Map<string, Loaded>();
  /** files of which was told that they cannot be loaded, since the start or reload began, and in which version: that is not tried again in it */
  readonly #told = new Map<string, string>();
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  /** A start or a reload begins: what cannot be loaded is told once in it, also where it ends in a refusal. */
  begin(): void {
    this.#told.clear();
  }

  /**
   * Loads what is new or has changed.
   * @param folders of the configuration's plugin-path
   */
  async load(folders: readonly string[]): Promise<CommandTable> {
    this.#own ??= (await ownPlugins()).map(({ name, exported }) => ({ name, commands: loadCommands(exported) }));
    const files = await this.#filesInAll(folders);
    const loaded = await Promise.all(files.map((file) => this.#loadFile(file)));
    this.#loaded = new Map(files.flatMap((file, index) => (loaded[index] ? [[file, loaded[index]]] : [])));
    return new CommandTable([...this.#own, ...this.#loaded.values()], this.#log);
  }

  /**
   * The drivers or gateways that folders bring, by their type: the file's name without its ending. What is
   * loaded here is not loaded a second time by {@link load}.
   */
  async modulesIn(folders: readonly string[], kind: ModuleKind): Promise<ReadonlyMap<string, object>> {
    const loaded = await Promise.all((await this.#filesInAll(folders)).map((file) => this.#loadFile(file)));
    const modules = new Map<string, object>();
    for (const one of loaded) {
      if (one?.module === undefined || kindOf(one.module) !== kind) continue;
      const type = basename(one.name, extname(one.name));
      if (!modules.has(type)) modules.set(type, one.module);
    }
    return modules;
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
  #contentOf(exported: unknown): Pick<Loaded, 'commands' | 'module'> {
    const kind = kindOf(exported);
    if (kind === undefined) return { commands: loadCommands(exported), module: undefined };
    const fault = moduleFault(exported as Parameters<typeof moduleFault>[0]) ?? keyFault(exported as object, kind, `the ${kind}`);
    if (fault !== undefined) throw new Error(fault);
    return { commands: [], module: exported as object };
  }

  async #loadFile(file: string): Promise<Loaded | undefined> {
    const before = this.#loaded.get(file);
    let version = '';
    try {
      const { mtimeMs, size } = await stat(file);
      version = `${mtimeMs}-${size}`;
      if (before?.version === version || this.#told.get(file) === version) return before;
      const module = await importWithin(PLUGIN_LOAD_TIMEOUT, `${pathToFileURL(file).href}?version=${version}`);
      return { name: file, version, ...this.#contentOf(module.default) };
    } catch (error) {
      const isTold = this.#told.has(file);
      this.#told.set(file, version);
      if (!isTold) this.#log('error', 'plugin cannot be loaded', { plugin: file, ...await faultOf(error, file), keptFromBefore: before !== undefined, cause: error });
      return before;
    }
  }
}

/** What is wrong with a file, and in which line where it is not JavaScript. */
async function faultOf(error: unknown, file: string): Promise<{ readonly reason: string; readonly line?: number }> {
  const reason = error instanceof Error ? error.message : String(error);
  const line = error instanceof SyntaxError ? await syntaxPlace(file) : undefined;
  return { reason, ...(line !== undefined && { line }) };
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
