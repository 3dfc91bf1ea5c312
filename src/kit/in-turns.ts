import { readFile } from 'node:fs/promises';
import { createRequire, Module } from 'node:module';
import { setImmediate as turn } from 'node:timers/promises';
import { isAbsolute } from 'node:path';

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
    if (file.endsWith('.mjs')) return false;
    if (!isAbsolute(file) || !/\.c?js$/.test(file)) return true;
    const text = await readFile(file, 'utf8');
    if (ES_MODULE.test(text)) return false;
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
