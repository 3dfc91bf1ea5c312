/**
 * The imports of src/, drawn from the sources, types included: which rooms look into which, whether
 * any modules need each other in a circle, and whether any arrow points upwards.
 *
 *     node scripts/imports.js      prints the rooms and what each looks into
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { fromRoot } from './root.js';

/**
 * The rooms and what each may look into. `daemon` puts everything together; main.ts starts it. The
 * package's doors for authors of plugins and drivers stand outside.
 */
export const MAY_USE = {
  kit: [],
  config: ['kit'],
  store: ['kit'],
  protocols: ['kit'],
  drivers: ['protocols', 'config', 'kit'],
  instances: ['drivers', 'store', 'config', 'kit'],
  auth: ['instances', 'config', 'kit'],
  listening: ['auth', 'config', 'kit'],
  plugins: ['instances', 'drivers', 'kit'],
  enrolment: ['instances', 'drivers', 'protocols', 'store', 'config', 'kit'],
  plans: ['auth', 'instances', 'drivers', 'protocols', 'store', 'config', 'kit'],
  fleet: ['auth', 'instances', 'drivers', 'store', 'config', 'kit'],
  gateways: ['listening', 'auth', 'instances', 'drivers', 'protocols', 'store', 'config', 'kit'],
  server: ['plugins', 'listening', 'auth', 'instances', 'drivers', 'config', 'kit'],
  client: ['protocols', 'config', 'kit'],
  mqtt: ['client', 'config', 'kit'],
  // types of what the server says, and the patterns
  web: ['gateways', 'instances', 'drivers', 'kit'],
};

/** Folders of which none may look into its neighbours, but for the one that holds what they share. */
const APART = ['gateways'];
const SHARED = 'shared';

const IMPORT = /(?:^|\n)\s*(?:import|export)\b[^'";]*?from\s*'(\.[^']+)'|\bimport\(\s*'(\.[^']+)'\s*\)|(?:^|\n)\s*import\s*'(\.[^']+)'/g;

/** @typedef {Map<string, string[]>} Graph modules, by paths below src, and what each imports */

/** All below a folder, by full paths. @returns {string[]} */
export function sources(/** @type {string} */ folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? sources(path) : /\.tsx?$/.test(entry.name) && !entry.name.endsWith('.d.ts') ? [path] : [];
  });
}

/** What a source imports of ours. @param {string} file its full path @returns {string[]} full paths, each once */
export function importsOf(file, text = readFileSync(file, 'utf8')) {
  const targets = [...text.matchAll(IMPORT)].map(([, from, dynamic, bare]) => from ?? dynamic ?? bare ?? '');
  return [...new Set(targets.flatMap((target) => ['.ts', '.tsx'].map((end) => resolve(dirname(file), target.replace(/\.js$/, end)))).filter((target) => existsSync(target)))];
}

/** Reads a folder of sources. @returns {Graph} */
export function readGraph(folder = fromRoot('src')) {
  return new Map(sources(folder).map((file) => [relative(folder, file), importsOf(file).map((target) => relative(folder, target))]));
}

/**
 * Reads sources, and which of them have something in their text. All paths are below the project's folder.
 * @param {string[]} folders those that are not there have none @param {RegExp} mark
 * @returns {{ graph: Graph, marked: Set<string> }}
 */
export function readMarked(folders, mark) {
  /** @type {Set<string>} */
  const marked = new Set();
  const files = folders.map((folder) => fromRoot(folder)).filter((folder) => existsSync(folder)).flatMap(sources);
  const graph = new Map(files.map((file) => {
    const text = readFileSync(file, 'utf8');
    if (mark.test(text)) marked.add(relative(fromRoot(), file));
    return [relative(fromRoot(), file), importsOf(file, text).map((target) => relative(fromRoot(), target))];
  }));
  return { graph, marked };
}

/** The modules that need each other, each circle once, as the path that leads back. @returns {string[][]} */
export function circles(/** @type {Graph} */ graph) {
  /** @type {string[][]} */
  const found = [];
  /** @type {Set<string>} */
  const done = new Set();
  /** @type {string[]} */
  const path = [];
  const visit = (/** @type {string} */ module) => {
    const at = path.indexOf(module);
    if (at !== -1) return void found.push([...path.slice(at), module]);
    if (done.has(module)) return;
    path.push(module);
    for (const next of graph.get(module) ?? []) visit(next);
    path.pop();
    done.add(module);
  };
  for (const module of graph.keys()) visit(module);
  return found;
}

const roomOf = (/** @type {string} */ module) => (module.includes('/') ? module.slice(0, module.indexOf('/')) : '');
const folderOf = (/** @type {string} */ module) => module.split('/').slice(0, -1).join('/');

/** What looks where it must not. @returns {string[]} a line each */
export function upwards(/** @type {Graph} */ graph) {
  return [...graph].flatMap(([module, targets]) => targets.flatMap((target) => {
    const [room, other] = [roomOf(module), roomOf(target)];
    if (room === '' || room === 'daemon') return [];
    const may = MAY_USE[/** @type {keyof typeof MAY_USE} */ (room)];
    if (may === undefined) return [`${module}: the room ${room} is not in the plan`];
    if (room !== other) return may.includes(/** @type {never} */ (other)) ? [] : [`${module} imports ${target}`];
    const [own, looked] = [folderOf(module), folderOf(target)].map((folder) => folder.split('/')[1]);
    const isApart = APART.includes(room) && own !== undefined && looked !== undefined && looked !== SHARED && own !== looked;
    return isApart ? [`${module} imports its neighbour ${target}`] : [];
  }));
}

/** The rooms and what each looks into, a line each. @returns {string[]} */
export function rooms(/** @type {Graph} */ graph) {
  /** @type {Map<string, Set<string>>} */
  const seen = new Map();
  for (const [module, targets] of graph) {
    const room = roomOf(module);
    const into = seen.get(room) ?? new Set();
    seen.set(room, into);
    for (const target of targets) if (roomOf(target) !== room) into.add(roomOf(target));
  }
  return [...seen].filter(([room]) => room !== '').sort(([, one], [, other]) => one.size - other.size).map(([room, into]) => `${room} → ${[...into].sort().join(', ')}`);
}

/** Everything that is wrong, a line each. @returns {string[]} */
export function faults(/** @type {Graph} */ graph) {
  return [...upwards(graph), ...circles(graph).map((circle) => `circle: ${circle.join(' → ')}`)];
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const graph = readGraph();
  const wrong = faults(graph);
  process.stdout.write(`${[...rooms(graph), '', ...wrong].join('\n')}\n`);
  process.exitCode = wrong.length === 0 ? 0 : 1;
}
