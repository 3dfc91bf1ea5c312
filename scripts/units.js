/**
 * Which tests are unit tests: those that start nothing, neither a program nor the daemon that puts all rooms together,
 * and that run what they test, unlike those of types, which a compiler looks at.
 */
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { neededBy } from './dependents.js';
import { importsOf, sources } from './imports.js';
import { fromRoot } from './root.js';

const STARTS_PROGRAMS = /'node:child_process'/;
const DAEMON = 'src/daemon/';
/** Folders of others. */
const NONE_IN = /^test\/(?:e2e|types)\//;

const short = (/** @type {string} */ path) => relative(fromRoot(), path);

/** Reads what tests and their helpers import. @returns {(file: string) => boolean} whether a test is one, by its path below the project's folder */
export function unitTests() {
  /** @type {Set<string>} */
  const starting = new Set();
  const graph = new Map(sources(fromRoot('test')).map((file) => {
    const text = readFileSync(file, 'utf8');
    if (STARTS_PROGRAMS.test(text)) starting.add(short(file));
    return [short(file), importsOf(file, text).map(short)];
  }));
  return (file) => !NONE_IN.test(file) && !neededBy(graph, [file]).some((one) => one.startsWith(DAEMON) || starting.has(one));
}
