import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Where this program's own files are. It runs in two shapes: a file for each source below dist/src, as
 * tests take it to pieces, and a few files below dist/bundle, as everybody else runs it. In both this
 * module lies one folder below that (scripts/bundle.js sees to it), so that one path leads out of both;
 * no other module may ask for its own place.
 */

/** A compiled module that is loaded by its address: its path below src, ending in .js. */
export const ownModule = (path: string): URL => new URL(`../${path}`, import.meta.url);

const PACKAGE = fileURLToPath(new URL('../../..', import.meta.url));

/** A file of the package, or of the clone, as a full path. */
export const packageFile = (...parts: readonly string[]): string => join(PACKAGE, ...parts);

/** Of the product. */
export const packageVersion = (): string => (JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as { version: string }).version;
