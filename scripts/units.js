/**
 * Which tests are unit tests: those that start nothing, neither a program nor the daemon that puts all rooms together,
 * and that run what they test, unlike those of types, which a compiler looks at.
 */
import { neededBy } from './dependents.js';
import { readMarked } from './imports.js';

const STARTS_PROGRAMS = /'node:child_process'/;
const DAEMON = 'src/daemon/';
/** Folders of others. */
const NONE_IN = /^test\/(?:e2e|types)\//;

/** Reads what tests and their helpers import. @returns {(file: string) => boolean} whether a test is one, by its path below the project's folder */
export function unitTests() {
  const { graph, marked: starting } = readMarked(['test'], STARTS_PROGRAMS);
  return (file) => !NONE_IN.test(file) && !neededBy(graph, [file]).some((one) => one.startsWith(DAEMON) || starting.has(one));
}
