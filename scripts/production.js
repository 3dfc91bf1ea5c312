/** Which packages run: those that package.json names and those that these need, by package-lock.json. */

/** @typedef {{ dependencies?: Record<string, string>, optionalDependencies?: Record<string, string> }} Entry */

/**
 * Packages that others would merely like to have (their peers), such as a compiler for types, are none.
 * @param {Record<string, Entry>} packages of package-lock.json
 * @param {readonly string[]} without names that are passed over, with what only they need
 * @returns {string[]} their folders, sorted: node_modules/ws. Optional ones may not be installed
 */
export function productionPackages(packages, without = []) {
  const found = new Set();
  const open = [''];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const { dependencies = {}, optionalDependencies = {} } = packages[at];
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const folder = without.includes(name) ? undefined : resolved(packages, at, name);
      if (folder === undefined || found.has(folder)) continue;
      found.add(folder);
      open.push(folder);
    }
  }
  return [...found].sort();
}

/** As Node looks: beside the one that asks, then further and further out. @param {Record<string, Entry>} packages @param {string} from @param {string} name */
function resolved(packages, from, name) {
  for (let at = from; ; at = at.includes('/node_modules/') ? at.slice(0, at.lastIndexOf('/node_modules/')) : '') {
    const folder = `${at === '' ? '' : `${at}/`}node_modules/${name}`;
    if (folder in packages) return folder;
    if (at === '') return undefined;
  }
}
