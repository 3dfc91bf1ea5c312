import { readFileSync } from 'node:fs';
import { createRequire, Module } from 'node:module';
import { dirname, isAbsolute, join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { giveWay } from './slices.js';

/** All of them have one cache. */
const ownRequire = createRequire(import.meta.url);

/**
 * Does work in which packages find, where they ask for a certain CommonJS module, one of ours: for
 * those that bring a large part of which we use nothing. It changes nothing where that module is loaded.
 * @param from URL or path of the file that asks
 */
export async function withStandIn<T>(name: string, from: string, exports: unknown, work: () => Promise<T>): Promise<T> {
  const require = createRequire(from);
  const file = require.resolve(name);
  if (require.cache[file] !== undefined) return work();
  require.cache[file] = Object.assign(new Module(file), { filename: file, loaded: true, exports });
  try {
    return await work();
  } finally {
    delete require.cache[file];
  }
}

/** A `require` at the beginning of a file's line is run when the file is loaded; one further in may never be. */
const REQUIRED = /^(?:[^\s/*].*?\b)?require\((['"])([^'"]+)\1\)/gm;
/** What begins a line of an ES module alone. */
const ES_MODULE = /^(?:import|export)\s/m;

/**
 * Loads what is made of CommonJS files, a package or a part of this program, file by file, so that other
 * connections have their turns in between: Node runs a large one in a single go of 50 ms and more. A later
 * `import` finds it loaded. What cannot be loaded ahead, such as an ES module, is left to that import: it
 * loads the rest, or says what is wrong.
 * @param name as `require` takes it
 * @param from URL or path of the file that will import it
 */
export async function loadInTurns(name: string, from: string): Promise<void> {
  await new Loader().load(name, new Importer(from), []);
}

/** A file that asks for others. */
class Importer {
  readonly #folder: string;
  /** made when it is used first: that takes as long as to look through a short file */
  #require: NodeJS.Require | undefined;

  constructor(readonly from: string) {
    this.#folder = dirname(from.startsWith('file:') ? fileURLToPath(from) : from);
  }

  get require(): NodeJS.Require {
    return (this.#require ??= createRequire(this.from));
  }

  /** Where a file that is named whole lies, without a look at the disk. @returns undefined for another name */
  near(name: string): string | undefined {
    return /^\.\.?\/.*\.c?js$/.test(name) ? join(this.#folder, name) : undefined;
  }

  /** @returns undefined where there is none */
  resolve(name: string): string | undefined {
    try {
      return this.require.resolve(name);
    } catch {
      return undefined;
    }
  }
}

class Loader {
  /** by path: whether it was loaded ahead */
  readonly #known = new Map<string, boolean>();

  /** What needs others comes after them. @param above the files that lead to it @returns whether it is loaded now */
  async load(name: string, importer: Importer, above: readonly string[]): Promise<boolean> {
    // most of what is asked for was loaded before
    const file = this.#knows(importer.near(name)) === undefined ? importer.resolve(name) : importer.near(name);
    if (file === undefined) return false;
    const known = this.#knows(file);
    if (known !== undefined) return known;
    // Files that need each other have to be begun at the one that is needed first.
    if (above.includes(file)) return false;
    const isLoaded = await this.#loadNeeds(file, [...above, file]) && await begin(file, importer.require);
    this.#known.set(file, isLoaded);
    return isLoaded;
  }

  #knows(file: string | undefined): boolean | undefined {
    return file === undefined ? undefined : this.#known.get(file) ?? (ownRequire.cache[file]?.loaded === true ? true : undefined);
  }

  async #loadNeeds(file: string, above: readonly string[]): Promise<boolean> {
    if (file.endsWith('.mjs')) return false;
    if (!isAbsolute(file) || !/\.c?js$/.test(file)) return true;
    await giveWay();
    // Node reads it in the same way a moment later: by way of its threads it would take ten times as long
    const text = readFileSync(file, 'utf8');
    if (ES_MODULE.test(text)) return false;
    const importer = new Importer(file);
    let areLoaded = true;
    for (const [, , name = ''] of text.matchAll(REQUIRED)) areLoaded = await this.load(name, importer, above) && areLoaded;
    return areLoaded;
  }
}

async function begin(file: string, require: NodeJS.Require): Promise<boolean> {
  await turn();
  try {
    require(file);
    return true;
  } catch {
    return false;
  }
}
