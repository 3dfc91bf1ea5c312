/**
 * Brings packages and compiled code up to date, and is quick and silent when they are: every `npm`
 * command of the project begins with it. It needs nothing but Node, since there may be no packages yet.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { missingPackages, needsCompiling, orphans } from './freshness.js';
import { fromRoot } from './root.js';

export const SOURCES = ['src', 'test', 'bench'];
/** What else decides what comes out; the lock, since some packages go into the bundle. */
const SETTINGS = ['tsconfig.json', 'package-lock.json', 'scripts/bundle.js', 'scripts/common-js.js', 'scripts/keep-start.js', 'scripts/kept-server.js', 'scripts/tap.js', 'scripts/web.js'];
/** Its time is when the last good compilation began; it is written when all is there. */
const STAMP = fromRoot('dist', '.compiled');
/** What the compiler knows of its last run, as tsconfig.json says. */
export const BUILD_INFO = fromRoot('dist', '.tsbuildinfo');
/** What packages with native code are built with. */
const COMPILERS = ['python3', 'make', 'g++'];

/** A reason why the project can't be made ready, in words for the person at the terminal. */
export class PrepareError extends Error {}

const say = (/** @type {string} */ text) => process.stderr.write(`argo: ${text}\n`);

/** @param {string} path */
function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return { packages: {} };
    throw new PrepareError(`${path} can't be read: ${error.message}`);
  }
}

/** Files and folders below the project's folder, with their times. A folder's time tells of files that went. */
function* walk(/** @type {string} */ folder) {
  if (!existsSync(fromRoot(folder))) return;
  yield { path: folder, time: statSync(fromRoot(folder)).mtimeMs };
  for (const entry of readdirSync(fromRoot(folder), { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) yield* walk(path);
    else if (/\.(?:[cm]?tsx?|css|html|svg)$/.test(entry.name)) yield { path, time: statSync(fromRoot(path)).mtimeMs };
  }
}

/** When the last good compilation began, ms; undefined where there was none. */
const compiledAt = () => (existsSync(STAMP) ? statSync(STAMP).mtimeMs : undefined);

function isCompiled() {
  const stamp = compiledAt();
  const times = SETTINGS.map((file) => statSync(fromRoot(file)).mtimeMs);
  for (const folder of SOURCES) for (const { time } of walk(folder)) times.push(time);
  return !needsCompiling(times, stamp);
}

/** @param {{ dev: boolean }} wanted whether packages for development are wanted too */
function missing(wanted) {
  return missingPackages(readJson(fromRoot('package-lock.json')), readJson(fromRoot('node_modules', '.package-lock.json')), wanted);
}

/**
 * Where native code finds the headers of this very Node, where they came with it; else node-gyp
 * downloads them. It goes before what npm is configured with, which may be another Node's.
 */
function headers() {
  const prefix = dirname(dirname(process.execPath));
  return existsSync(join(prefix, 'include', 'node', 'node_version.h')) ? { npm_config_nodedir: prefix } : {};
}

function install(/** @type {string[]} */ names) {
  if (lstatSync(fromRoot('node_modules'), { throwIfNoEntry: false })?.isSymbolicLink()) {
    throw new PrepareError(`node_modules is a link to a folder that lacks ${names[0]}; run \`npm ci\` where that folder is`);
  }
  say(`installing packages (${names.length} missing or of another version); native code is compiled, which takes minutes`);
  // The npm that runs us, where one does; else the one in the PATH.
  const npm = process.env.npm_execpath?.endsWith('npm-cli.js') ? [process.execPath, process.env.npm_execpath] : ['npm'];
  const { status, error } = spawnSync(npm[0], [...npm.slice(1), 'ci', '--include=dev', '--no-audit', '--no-fund'], {
    cwd: fromRoot(), stdio: ['ignore', 2, 2], env: { ...process.env, ...headers() },
  });
  if (error !== undefined) throw new PrepareError(`npm could not be run: ${error.message}`);
  if (status === 0) return;
  const folders = (process.env.PATH ?? '').split(delimiter);
  const absent = COMPILERS.filter((program) => !folders.some((folder) => existsSync(join(folder, program))));
  throw new PrepareError(absent.length > 0
    ? `\`npm ci\` failed; packages with native code need ${absent.join(', ')} (Debian: apt-get install ${absent.join(' ')})`
    : '`npm ci` failed, see above; it needs the npm registry and, where Node came without its headers, nodejs.org');
}

/** Runs a script to its end. @throws PrepareError where it fails */
function node(/** @type {string} */ fault, /** @type {string} */ script, /** @type {string[]} */ ...args) {
  const { status, error } = spawnSync(process.execPath, [fromRoot(script), ...args], { cwd: fromRoot(), stdio: ['ignore', 2, 2] });
  if (error !== undefined) throw new PrepareError(`${script} could not be run: ${error.message}`);
  if (status !== 0) throw new PrepareError(`${fault}, see above`);
}

function compile() {
  say('compiling');
  const began = new Date();
  // A run that fails or is cut off must not leave behind what looks whole.
  rmSync(STAMP, { force: true });
  node('the sources do not compile', 'node_modules/typescript/bin/tsc', '-p', fromRoot());
  node('the page does not compile', 'node_modules/typescript/bin/tsc', '-p', fromRoot('src', 'web'));
  removeOrphans();
  node('what runs could not be put together', 'scripts/bundle.js');
  node('the page could not be put together', 'scripts/web.js');
  node('the test framework could not be put together', 'scripts/tap.js');
  mkdirSync(fromRoot('dist'), { recursive: true });
  writeFileSync(STAMP, '');
  utimesSync(STAMP, began, began);
}

/** The sources of {@link SOURCES} that were not compiled as they are now, by paths below the project's folder. */
export function staleSources() {
  const stamp = compiledAt();
  return SOURCES.flatMap((folder) => [...walk(folder)]).filter(({ path, time }) => /(?<!\.d)\.ts$/.test(path) && needsCompiling([time], stamp)).map(({ path }) => path);
}

/**
 * Whoever writes to dist by himself says so before: what is there is then nothing that a compilation could go on from, and
 * the next one makes all of it anew.
 */
export function forgetCompiled() {
  for (const path of [STAMP, BUILD_INFO]) rmSync(path, { force: true });
}

/** Removes what was compiled of sources that are gone. */
export function removeOrphans() {
  const compiled = SOURCES.flatMap((folder) => compiledFiles(`dist/${folder}`));
  for (const path of orphans(compiled, (source) => existsSync(fromRoot(source)))) rmSync(fromRoot(path));
}

/** What the compiler wrote, by paths below the project's folder. @returns {string[]} */
function compiledFiles(/** @type {string} */ folder) {
  if (!existsSync(fromRoot(folder))) return [];
  return readdirSync(fromRoot(folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory() ? compiledFiles(path) : [path];
  });
}

/**
 * Installs packages and compiles, as far as needed.
 * @param {{ dev?: boolean, compiles?: boolean }} [options] dev: packages for development are wanted, not only where they
 *   are needed to compile. compiles: false for whoever compiles by himself
 * @throws {PrepareError}
 */
export function prepare({ dev = false, compiles = true } = {}) {
  const compiled = !compiles || isCompiled();
  const lacking = missing({ dev: dev || !compiled });
  if (lacking.length > 0) install(lacking);
  if (!compiled) compile();
}

/** As {@link prepare}; where it fails, says why and ends the process. @param {{ dev?: boolean, compiles?: boolean }} [options] */
export function prepareOrExit(options) {
  try {
    prepare(options);
  } catch (error) {
    if (!(error instanceof PrepareError)) throw error;
    say(error.message);
    process.exit(1);
  }
}
