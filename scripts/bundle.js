/**
 * Puts what runs into dist/bundle: a few files, made of the sources that tsc has checked. Node needs
 * about a millisecond for each file that it loads, so all that every start needs lies in one; what only
 * some need is still by itself. (dist/src, a file for each source, is for the tests.)
 *
 * The server is put together in one go, so that what its parts share is there once: an ArgoError of a
 * driver is one for whoever catches it, and `argo-server` is the same for a plugin of `plugin-path` as
 * for us. The client and the store's thread share nothing with it while they run.
 */
import { readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { build } from 'esbuild';
import { licences } from './licences.js';
import { fromRoot } from './root.js';

const BUNDLE = fromRoot('dist', 'bundle');
/** It takes the place of the other when it is whole. */
const UNFINISHED = fromRoot('dist', '.bundle');

/** Packages that every start loads: what we use of them is put in. All others are loaded where they are needed. */
const INLINED = ['valibot', 'toml-eslint-parser', 'eslint-visitor-keys'];
/** It hands out a whole package, which would then all be put in. */
const WHOLE_PACKAGES = 'src/driver-api.ts';
/** Its paths start from where it lies, see there. */
const OWN_FILES = 'src/kit/own-files.ts';

/** Modules that are made here. */
const MADE = {
  /** All our plugins as one, found by looking. */
  'argo:plugins': () => {
    const names = readdirSync(fromRoot('src', 'plugins')).filter((name) => name.endsWith('.ts'));
    const imports = names.map((name, at) => `import plugin${at} from './src/plugins/${name}';`);
    return [...imports, `export default { commands: [${names.map((_, at) => `...plugin${at}.commands`).join(', ')}] };`].join('\n');
  },
  /**
   * What every start needs. Each source is made to need it too: esbuild puts into one file what is
   * needed by the same others, and would part it into twenty.
   */
  'argo:server': () => "import './src/daemon/run.ts';",
  'argo:client': () => "import './src/client/main.ts';",
};

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
    onResolve({ filter: /^argo:/ }, ({ path }) => ({ path, namespace: 'argo' }));
    onLoad({ filter: /./, namespace: 'argo' }, ({ path }) => ({ contents: MADE[/** @type {keyof typeof MADE} */ (path)](), resolveDir: fromRoot() }));
    onResolve({ filter: /^node:/ }, ({ path }) => ({ path, namespace: 'node', sideEffects: false }));
    onLoad({ filter: /./, namespace: 'node' }, ({ path }) => ({ contents: ofNode(path) }));
    onResolve({ filter: /^[a-z@]/ }, ({ path, importer, kind }) => {
      if (kind === 'entry-point' || path.startsWith('argo:')) return undefined;
      return INLINED.includes(path) && relative(fromRoot(), importer) !== WHOLE_PACKAGES ? undefined : { path, external: true };
    });
  },
};

/** Protocols that no driver speaks: they go with their gateway into one file. */
const OF_GATEWAYS = ['protocols/zabbix/'];

/**
 * What drivers are made of stays in files of its own: a server at work that is given its first provider
 * of a type loads them in turns (src/drivers/catalogue.ts), since a driver in one go would hold up others.
 */
const inTurns = () => Object.fromEntries(['drivers', 'protocols'].flatMap((room) => readdirSync(fromRoot('src', room), { recursive: true, encoding: 'utf8' })
  .filter((path) => /(?<!\.d|-thread)\.ts$/.test(path) && !OF_GATEWAYS.some((folder) => `${room}/${path}`.startsWith(folder)))
  .map((path) => [`${room}/${path.slice(0, -'.ts'.length)}`, `src/${room}/${path}`])));

/** @typedef {Pick<import('esbuild').BuildOptions, 'entryPoints' | 'chunkNames' | 'inject' | 'splitting'>} Part what is put together in one go */

/** @type {Part[]} */
const PARTS = [
  {
    entryPoints: { main: 'src/main.ts', 'plugin-api': 'src/plugin-api.ts', 'driver-api': 'src/driver-api.ts', 'plugins/own': 'argo:plugins', ...inTurns() },
    chunkNames: 'server/[name]-[hash]', inject: ['argo:server'], splitting: true,
  },
  { entryPoints: { 'client/main': 'src/client/main.ts' }, chunkNames: 'client/[name]-[hash]', inject: ['argo:client'], splitting: true },
  { entryPoints: { 'store/thread-main': 'src/store/thread-main.ts', 'protocols/zabbix/configuration-thread': 'src/protocols/zabbix/configuration-thread.ts' } },
];

/** @returns the sources that went in, by paths below the project's folder */
async function bundle(/** @type {Part} */ part) {
  const { metafile } = await build({
    ...part, absWorkingDir: fromRoot(), outdir: UNFINISHED, plugins: [RULES],
    bundle: true, format: 'esm', platform: 'node', target: 'node20.19', sourcemap: true, sourcesContent: false, metafile: true, logLevel: 'warning',
  });
  for (const [file, { inputs }] of Object.entries(metafile.outputs)) {
    if (OWN_FILES in inputs && dirname(dirname(fromRoot(file))) !== UNFINISHED) throw new Error(`${OWN_FILES} went into ${file}, from where its paths lead astray`);
  }
  const imported = new Set(Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path)));
  for (const [file, { entryPoint = '' }] of Object.entries(metafile.outputs)) {
    // what others need of it too went into a file of its own, and nobody asks for this one
    if (!imported.has(file) && /^src\/(drivers|protocols)\/.*(?<!-thread)\.ts$/.test(entryPoint)) for (const end of ['', '.map']) rmSync(fromRoot(`${file}${end}`), { force: true });
  }
  return Object.keys(metafile.inputs);
}

rmSync(UNFINISHED, { recursive: true, force: true });
const inputs = (await Promise.all(PARTS.map(bundle))).flat();
writeFileSync(`${UNFINISHED}/LICENSES`, licences(inputs));
rmSync(BUNDLE, { recursive: true, force: true });
renameSync(UNFINISHED, BUNDLE);
