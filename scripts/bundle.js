/**
 * Puts what runs into dist/bundle: a few files, made of the sources that tsc has checked. Node needs
 * about a millisecond for each file that it loads, so all that every start needs lies in one; what only
 * some need is still by itself. (dist/src, a file for each source, is for the tests.) All but the client
 * is CommonJS (common-js.js says why), and of large files it is kept what V8 makes of them (src/kit/kept-code.ts).
 *
 * The server is put together in one go, so that what its parts share is there once: an ArgoError of a
 * driver is one for whoever catches it, and `argo-server` is the same for a plugin of `plugin-path` as
 * for us. The client and the store's thread share nothing with it while they run.
 */
import { readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { basename, dirname, relative } from 'node:path';
import { build } from 'esbuild';
import { commonJs } from './common-js.js';
import { keepStart } from './keep-start.js';
import { licences, PACKAGE } from './licences.js';
import { fromRoot } from './root.js';

const BUNDLE = fromRoot('dist', 'bundle');
/** It takes the place of the other when it is whole. */
const UNFINISHED = fromRoot('dist', '.bundle');

/**
 * Packages that every start loads: what we use of them is put in. So is mqtt, which goes into a program of its own
 * that few need, so that nobody else has it and what it builds on. All others are loaded where they are needed.
 */
const INLINED = ['valibot', 'toml-eslint-parser', 'eslint-visitor-keys', 'mqtt'];
/** xen-api's wire forms: each is put in, whole, in a file of its own beside the server's. */
const WIRE_FORM = /^\.\/(?:json|xml)-form\.js$/;
/** What stands for a package in those that are put in. */
const STAND_INS = { undici: 'src/protocols/xapi/dispatched-request.ts' };
/** What packages that are put in try to load, and do without. */
const DISPENSABLE = ['supports-color', 'bufferutil', 'utf-8-validate'];
/** It hands out a whole package, which would then all be put in. */
const WHOLE_PACKAGES = 'src/driver-api.ts';
/** Its paths start from where it lies, see there. */
const OWN_FILES = 'src/kit/own-files.ts';
const OWN_PLUGINS = /\/own-plugins\.js$/;
/** What runs large files, and what imports ES modules for all, by their paths in the bundle. */
const KEPT_CODE = 'kit/kept-code.js';
const IMPORTER = 'kit/import.js';
/** Of files from this size on it is kept what V8 makes of them, bytes: three files are then read instead of one. */
const LARGE = 25_000;

/** Modules that are made here. */
const MADE = {
  /** All our plugins, found by looking, in place of {@link OWN_PLUGINS}. */
  'argo:plugins': () => {
    const names = readdirSync(fromRoot('src', 'plugins')).filter((name) => name.endsWith('.ts')).sort();
    const imports = names.map((name, at) => `import plugin${at} from './src/plugins/${name}';`);
    const list = names.map((name, at) => `{ name: 'plugins/${name}', exported: plugin${at} }`);
    return [...imports, `export const ownPlugins = () => Promise.resolve([${list.join(', ')}]);`].join('\n');
  },
  /**
   * What every start needs. Each source is made to need it too: esbuild puts into one file what is
   * needed by the same others, and would part it into twenty.
   */
  'argo:server': () => "import './src/daemon/run.ts';",
  'argo:client': () => "import './src/client/main.ts';",
};

/** A source that goes into the server's files. */
const SOURCE = /(?<!\.d|-thread|(?:json|xml)-form)\.ts$/;

/** Imports all sources of a folder of src. */
const wholeFolder = (/** @type {string} */ folder) => readdirSync(fromRoot('src', folder))
  .filter((name) => SOURCE.test(name)).sort().map((name) => `import './src/${folder}/${name}';`).join('\n');

/**
 * A module of Node's as one of ours: the one that imports it asks the process for what it needs of it. To have
 * Node import it would be a module made for it, with all that it has read once.
 */
function ofNode(/** @type {string} */ path) {
  const names = Object.keys(process.getBuiltinModule(path)).filter((name) => /^[A-Za-z_]\w*$/.test(name) && name !== 'default');
  return [
    `const whole = /* @__PURE__ */ process.getBuiltinModule('${path}');`,
    'const part = (name) => whole[name];',
    ...names.map((name) => `export const ${name} = /* @__PURE__ */ part('${name}');`),
    'export default whole;',
  ].join('\n');
}

/** @type {import('esbuild').Plugin} */
const RULES = {
  name: 'argo',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: OWN_PLUGINS }, () => ({ path: 'argo:plugins', namespace: 'argo' }));
    onResolve({ filter: /^argo:/ }, ({ path }) => ({ path, namespace: 'argo' }));
    onLoad({ filter: /./, namespace: 'argo' }, ({ path }) => ({
      contents: path.startsWith(FOLDER) ? wholeFolder(path.slice(FOLDER.length)) : MADE[/** @type {keyof typeof MADE} */ (path)](), resolveDir: fromRoot(),
    }));
    onResolve({ filter: WIRE_FORM }, ({ path, kind }) => (kind === 'entry-point' ? undefined : { path: `../protocols/xapi/${path.slice(2)}`, external: true }));
    onResolve({ filter: /^node:/ }, ({ path }) => ({ path, namespace: 'node', sideEffects: false }));
    onLoad({ filter: /./, namespace: 'node' }, ({ path }) => ({ contents: ofNode(path) }));
    onResolve({ filter: /^[a-z@]/ }, ({ path, importer, kind }) => {
      if (kind === 'entry-point' || path.startsWith('argo:')) return undefined;
      if (path in STAND_INS) return { path: fromRoot(STAND_INS[/** @type {keyof typeof STAND_INS} */ (path)]) };
      // what is put in brings what it needs itself
      if (importer.includes('/node_modules/')) return isBuiltin(path) || DISPENSABLE.includes(path) ? { path, external: true } : undefined;
      return (INLINED.includes(path) || path.startsWith('xen-api/')) && relative(fromRoot(), importer) !== WHOLE_PACKAGES ? undefined : { path, external: true };
    });
  },
};

/** Protocols that no driver speaks: they go with their gateway into one file. */
const OF_GATEWAYS = ['protocols/zabbix/'];

/** What an entry for a folder is named by. */
const FOLDER = 'argo:folder/';

/**
 * What drivers are made of stays in files of its own, about one a folder: a server at work that is given its
 * first provider of a type loads them in turns (src/drivers/catalogue.ts), since a driver in one go would
 * hold up others. A file a source would take a start too long: that of libvirt would load 120 files.
 */
function inTurns() {
  const sources = ['drivers', 'protocols'].flatMap((room) => readdirSync(fromRoot('src', room), { recursive: true, encoding: 'utf8' }).map((path) => `${room}/${path}`))
    .filter((path) => SOURCE.test(path) && !OF_GATEWAYS.some((folder) => path.startsWith(folder)));
  const drivers = sources.filter((path) => /^drivers\/[^/]+\/index\.ts$/.test(path)).map((path) => [path.slice(0, -'.ts'.length), `src/${path}`]);
  const folders = [...new Set(sources.map(dirname))].map((folder) => [`folders/${folder}`, `${FOLDER}${folder}`]);
  return Object.fromEntries([...drivers, ...folders]);
}

/** @typedef {Pick<import('esbuild').BuildOptions, 'entryPoints' | 'chunkNames' | 'inject' | 'splitting' | 'outExtension'> & { format: 'cjs' | 'esm' | 'cjs-of-esm' }} Part what is put together in one go */

/** @type {Part[]} */
const PARTS = [
  {
    entryPoints: { main: 'src/main.ts', 'plugin-api': 'src/plugin-api.ts', 'driver-api': 'src/driver-api.ts', ...inTurns() },
    chunkNames: 'server/[name]-[hash]', inject: ['argo:server'], splitting: true, format: 'cjs-of-esm',
  },
  { entryPoints: { 'client/main': 'src/client/main.ts' }, chunkNames: 'client/[name]-[hash]', inject: ['argo:client'], splitting: true, format: 'esm', outExtension: { '.js': '.mjs' } },
  {
    // CommonJS, since what mqtt builds on is
    entryPoints: { 'mqtt/main': 'src/mqtt/main.ts' }, format: 'cjs', define: { 'import.meta.url': 'argoOwnAddress' },
    banner: { js: "const argoOwnAddress = require('node:url').pathToFileURL(__filename).href;" },
  },
  {
    entryPoints: { 'store/thread-main': 'src/store/thread-main.ts', 'protocols/zabbix/configuration-thread': 'src/protocols/zabbix/configuration-thread.ts',
      'protocols/xapi/json-form': 'src/protocols/xapi/json-form.ts', 'protocols/xapi/xml-form': 'src/protocols/xapi/xml-form.ts', 'kit/kept-code': 'src/kit/kept-code.ts' },
    format: 'cjs',
  },
];

/** Whether a package, as it is required, is no ES module. @param {string} name */
function isCommonJs(name) {
  const file = createRequire(import.meta.url).resolve(name);
  return file.endsWith('.cjs') || (file.endsWith('.js') && JSON.parse(readFileSync(`${PACKAGE.exec(file)}/package.json`, 'utf8')).type !== 'module');
}

/** A file of the bundle as another requires it. */
const toBundled = (/** @type {string} */ from, /** @type {string} */ path) => relative(dirname(from), `${UNFINISHED}/${path}`).replace(/^(?!\.)/, './');

/** @returns the sources that went in, by paths below the project's folder */
async function bundle(/** @type {Part} */ { format, ...part }) {
  const { metafile } = await build({
    ...part, absWorkingDir: fromRoot(), outdir: UNFINISHED, plugins: [RULES], format: format === 'cjs' ? 'cjs' : 'esm',
    // packages that are loaded later are required, too: see common-js.js
    ...(format === 'cjs' && { supported: { 'dynamic-import': false } }),
    bundle: true, platform: 'node', target: 'node20.19', sourcemap: true, sourcesContent: false, metafile: true, logLevel: 'warning',
  });
  for (const [file, { inputs }] of Object.entries(metafile.outputs)) {
    if (OWN_FILES in inputs && dirname(dirname(fromRoot(file))) !== UNFINISHED) throw new Error(`${OWN_FILES} went into ${file}, from where its paths lead astray`);
  }
  const imported = new Set(Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path)));
  for (const [file, { entryPoint = '' }] of Object.entries(metafile.outputs)) {
    // what others need of it went into files of its own, and nobody asks for this one
    const isNeedless = !imported.has(file) && entryPoint.includes(FOLDER);
    if (isNeedless) for (const end of ['', '.map']) rmSync(fromRoot(`${file}${end}`), { force: true });
    else if (format === 'cjs-of-esm' && file.endsWith('.js')) writeFileSync(fromRoot(file), commonJs(readFileSync(fromRoot(file), 'utf8'), toBundled(fromRoot(file), IMPORTER), isCommonJs));
  }
  return Object.keys(metafile.inputs);
}

/** A file or a package that a file needs when it is loaded. */
const NEEDED = /^(?:const .* = |\} = )?(require\("[^"]+"\);)$/gm;

/** What is no ASCII, where it is not in a comment: kept-code.ts reads a byte as a character. esbuild writes it otherwise. */
const NO_ASCII = /^(?!\s*(?:\*|\/\/|\/\*)).*[\u0080-\uffff].*/m;

/**
 * Takes a file's code into another beside it, which is run through what is kept of it.
 * @returns {string} its path in the bundle
 */
function takeApart(/** @type {string} */ path) {
  const file = `${UNFINISHED}/${path}`;
  const code = file.replace(/\.js$/, '.code.js');
  for (const end of ['', '.map']) renameSync(`${file}${end}`, `${code}${end}`);
  const text = readFileSync(code, 'utf8');
  const strange = NO_ASCII.exec(text);
  if (strange !== null) throw new Error(`${file} has characters that are no ASCII: ${strange[0].slice(0, 100)}`);
  // said here too, for those who load in turns
  const needed = [...text.matchAll(NEEDED)].map(([, one]) => one);
  const run = `require("${toBundled(file, KEPT_CODE)}").runKept(module, require, \`\${__dirname}/${basename(code)}\`);`;
  writeFileSync(file, [...needed, run, ''].join('\n'));
  return path.replace(/\.js$/, '.code.js');
}

rmSync(UNFINISHED, { recursive: true, force: true });
const inputs = (await Promise.all(PARTS.map(bundle))).flat();
writeFileSync(`${UNFINISHED}/LICENSES`, licences(inputs));
writeFileSync(`${UNFINISHED}/${IMPORTER}`, 'module.exports = (name) => import(name);\n');
writeFileSync(`${UNFINISHED}/package.json`, '{ "type": "commonjs" }\n');
const parted = readdirSync(`${UNFINISHED}/server`).map((name) => `server/${name}`)
  .filter((path) => path.endsWith('.js') && statSync(`${UNFINISHED}/${path}`).size >= LARGE).map(takeApart);
rmSync(BUNDLE, { recursive: true, force: true });
renameSync(UNFINISHED, BUNDLE);
// where it will run: what is kept of code knows its path
for (const path of parted) createRequire(import.meta.url)(`${BUNDLE}/${KEPT_CODE}`).keepCode(`${BUNDLE}/${path}`);
if (!await keepStart(BUNDLE)) process.stderr.write('argo: the server could not be started by the build: it will start a little slower\n');
