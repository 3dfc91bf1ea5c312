/** Which tests a change of a source is about: those that import it, directly or through others. */

/** @typedef {Map<string, string[]>} Graph sources, and what each imports */

/** By what each is imported. @param {Graph} graph @returns {Graph} */
function turned(graph) {
  /** @type {Graph} */
  const importers = new Map();
  for (const [file, targets] of graph) {
    for (const target of targets) {
      const known = importers.get(target);
      if (known === undefined) importers.set(target, [file]);
      else known.push(file);
    }
  }
  return importers;
}

/** All that can be reached, the nearest first. @param {Graph} graph @param {Iterable<string>} from @returns {string[]} */
function reached(graph, from) {
  const found = new Set(from);
  // what is added meanwhile is walked through, too
  for (const file of found) for (const next of graph.get(file) ?? []) found.add(next);
  return [...found];
}

/**
 * The tests that some sources are about, the nearest first: themselves, those that import them, and so on.
 * @param {Graph} graph @param {Iterable<string>} changed
 */
export const testsFor = (graph, changed) => reached(turned(graph), changed).filter((file) => file.endsWith('.test.ts'));

/** Sources and all that they import. @param {Graph} graph @param {Iterable<string>} files */
export const neededBy = (graph, files) => reached(graph, files);
