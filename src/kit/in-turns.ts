import { readFile } from 'node:fs/promises';
import { createRequire, Module } from 'node:module';
import { setImmediate as turn } from 'node:timers/promises';
import { isAbsolute } from 'node:path';

/** A static `import` or `export … from` of an ES module, at the beginning of a line. */
const IMPORTED = /^(?:import|export)\b(?:[^'";]*?\bfrom)?\s*(['"])([^'"]+)\1/gm;

/**
 * Imports an ES module of this program after what it needs, file by file, so that other connections
 * have their turns in between. As with {@link loadInTurns}, a later `import` finds it there; what is
 * in a circle, or cannot be loaded, is left to that.
 */
export async function importInTurns(file: URL): Promise<void> {
  // The file that this stands in, with all that every start needs, is there.
  await importAhead(file, new Map([[import.meta.url, true]]), []);
}

/** @param above the files that lead to it @returns whether it is loaded now */
async function importAhead(file: URL, known: Map<string, boolean>, above: readonly string[]): Promise<boolean> {
  const { href } = file;
  if (above.includes(href)) return false;
  const before = known.get(href);
  if (before !== undefined) return before;
  const isLoaded = await importNeeds(file, known, [...above, href]) && await beginImport(href);
  known.set(href, isLoaded);
  return isLoaded;
}

async function importNeeds(file: URL, known: Map<string, boolean>, above: readonly string[]): Promise<boolean> {
  const text = await readFile(file, 'utf8').catch(() => '');
  let areLoaded = true;
  for (const [, , name = ''] of text.matchAll(IMPORTED)) {
    areLoaded = await (name.startsWith('.') ? importAhead(new URL(name, file), known, above) : importPackage(name, known)) && areLoaded;
  }
  return areLoaded;
}

/** Those of Node too. */
async function importPackage(name: string, known: Map<string, boolean>): Promise<boolean> {
  const before = known.get(name);
  if (before !== undefined) return before;
  const isLoaded = await beginImport(name);
  known.set(name, isLoaded);
  return isLoaded;
}

async function beginImport(name: string): Promise<boolean> {
  await turn();
  return import(name).then(() => true, () => false);
}

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
const REQUIRED = /^[^\s/*].*?\brequire\((['"])([^'"]+)\1\)/gm;

/**
 * Loads a CommonJS package file by file, so that other connections have their turns in between: Node
 * runs a large one in a single go of 50 ms and more. A later `import` of the package finds it loaded.
 * What cannot be loaded ahead is left to that import: it loads the rest, or says what is wrong.
 * @param from URL or path of the file that will import it
 */
export async function loadInTurns(name: string, from: string): Promise<void> {
  await new Loader().load(name, createRequire(from), []);
}

class Loader {
  /** by path: whether it was loaded ahead */
  readonly #known = new Map<string, boolean>();

  /** What needs others comes after them. @param above the files that lead to it @returns whether it is loaded now */
  async load(name: string, require: NodeJS.Require, above: readonly string[]): Promise<boolean> {
    const file = resolve(name, require);
    if (file === undefined) return false;
    const known = this.#known.get(file) ?? (require.cache[file]?.loaded === true ? true : undefined);
    if (known !== undefined) return known;
    // Files that need each other have to be begun at the one that is needed first.
    if (above.includes(file)) return false;
    const isLoaded = await this.#loadNeeds(file, [...above, file]) && await begin(file, require);
    this.#known.set(file, isLoaded);
    return isLoaded;
  }

  async #loadNeeds(file: string, above: readonly string[]): Promise<boolean> {
    if (!isAbsolute(file) || !/\.c?js$/.test(file)) return true;
    const text = await readFile(file, 'utf8');
    const require = createRequire(file);
    let areLoaded = true;
    for (const [, , name = ''] of text.matchAll(REQUIRED)) areLoaded = await this.load(name, require, above) && areLoaded;
    return areLoaded;
  }
}

function resolve(name: string, require: NodeJS.Require): string | undefined {
  try {
    return require.resolve(name);
  } catch {
    return undefined;
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
