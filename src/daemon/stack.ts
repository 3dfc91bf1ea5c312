import { readFileSync } from 'node:fs';
import { SourceMap, type SourceMapping } from 'node:module';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ownModule, packageFile } from '../kit/own-files.js';

/**
 * A place in a file of ours: its path in dist/bundle, line and column from 1. What was kept of code (kit/kept-code.ts)
 * has the path that it had when it was made: a folder that was moved since is known by its inside.
 */
const PLACE = /(?:file:\/\/)?\/[^()\n]*?\/dist\/bundle\/([^\s():]+\.js):(\d+):(\d+)/g;

/** What the build says of our files, by their paths; undefined where it says nothing. */
const maps = new Map<string, SourceMap | undefined>();

/**
 * The stack of an error with places in our sources instead of in the few files that they were put
 * together to. Node could do it itself, but would have to read all of that at each start.
 */
export function inSources(stack: string | undefined): string | undefined {
  return stack?.replace(PLACE, (place, path: string, line: string, column: string) => {
    const file = fileURLToPath(ownModule(path));
    const origin: Partial<SourceMapping> = mapOf(file)?.findEntry(Number(line) - 1, Number(column) - 1) ?? {};
    if (origin.originalSource === undefined) return place;
    const source = resolve(dirname(file), origin.originalSource);
    return `${relative(packageFile(), source)}:${origin.originalLine! + 1}:${origin.originalColumn! + 1}`;
  });
}

function mapOf(file: string): SourceMap | undefined {
  if (!maps.has(file)) maps.set(file, readMap(file));
  return maps.get(file);
}

function readMap(file: string): SourceMap | undefined {
  try {
    return new SourceMap(JSON.parse(readFileSync(`${file}.map`, 'utf8')) as ConstructorParameters<typeof SourceMap>[0]);
  } catch {
    return undefined;
  }
}
