/** Lays out what packages install, below a folder: files, modes and times are the same each time. */
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { layOutCollection } from './collection.js';
import { writeManPages } from './man.js';
import { linkDocuments, placesIn } from './package-docs.js';
import {
  BUILD_ONLY, BUNDLED_NODE, COLLECTION_HOME, COMPILED_LEFT_OUT, COMPLETIONS, DOC, FILES, HOME, isForeign, isProgram, LEFT_OUT, LINKS, overridesOf,
  saidIn, TERMS, UNIT_HOME, UNITS,
} from './package-files.js';
import { addNode } from './package-node.js';
import { copy, copyRows, filesIn, run, write } from './package-steps.js';
import { productionPackages } from './production.js';
import { fromRoot } from './root.js';

/**
 * @typedef {object} Facts
 * @property {string} name of the package
 * @property {string} version
 * @property {string} debian the version, as Debian has it
 * @property {number} epoch when it is said to be made, s since 1970
 * @property {boolean} hasNode whether it brings its Node along
 */

/** Whether a file of a package runs, or is its terms. @param {string} path in the package @param {boolean} isCompiled */
export const isWanted = (path, isCompiled) => TERMS.test(path)
  || !(isForeign(path) || [...LEFT_OUT, ...isCompiled ? COMPILED_LEFT_OUT : []].some((pattern) => pattern.test(path)));

/** Copies the packages that run. @param {string} root @returns {string[]} their folders below the project's */
function addPackages(root) {
  const { packages } = JSON.parse(readFileSync(fromRoot('package-lock.json'), 'utf8'));
  const folders = productionPackages(packages, BUILD_ONLY).filter((folder) => existsSync(fromRoot(folder)));
  for (const folder of folders) {
    const isCompiled = existsSync(fromRoot(folder, 'binding.gyp')) || existsSync(fromRoot(folder, 'lib', 'protocol', 'crypto', 'binding.gyp'));
    // those within are packages of their own
    const files = filesIn(fromRoot(folder)).filter((path) => !path.startsWith('node_modules/') && isWanted(path, isCompiled));
    for (const path of files) copy(fromRoot(folder, path), join(root, HOME, folder, path));
  }
  return folders;
}

/** What debuggers want of native code is the most of it. @param {string} root @returns {string[]} native code below it */
function stripNative(root) {
  const native = filesIn(join(root, HOME)).filter((path) => path.endsWith('.node')).map((path) => join(root, HOME, path));
  if (native.length > 0) run('strip', ['--strip-unneeded', '--enable-deterministic-archives', ...native]);
  return native;
}

/** The units, for where the programs are here. @param {string} root */
function addUnits(root) {
  for (const { name, document, page } of UNITS) {
    const text = readFileSync(fromRoot('etc', name), 'utf8').replaceAll(`/opt/argo-server/docs/${document}`, `/${DOC}/${document}`).replaceAll('/opt/argo-server', `/${HOME}`);
    write(root, `${UNIT_HOME}/${name}`, text.replace(/^(Documentation=)/m, `$1man:${page} `));
  }
}

/** Debian's date, as a changelog has it. @param {number} epoch */
const debianDate = (epoch) => new Date(epoch * 1000).toUTCString().replace('GMT', '+0000');

/** @param {string} root @param {Facts} facts @param {string} maintainer */
function addChangelogs(root, { name, debian, epoch }, maintainer) {
  const entry = `${name} (${debian}) stable; urgency=medium\n\n  * What has changed is in changelog.gz.\n\n -- ${maintainer}  ${debianDate(epoch)}\n`;
  write(root, `${saidIn(name)}/changelog.Debian.gz`, gzipSync(entry, { level: 9 }));
  write(root, `${saidIn(name)}/changelog.gz`, gzipSync(readFileSync(fromRoot('CHANGELOG.md')), { level: 9 }));
}

/** @param {string} root @param {string[]} folders packages that come along @param {{ name: string, hasNode: boolean }} facts */
function addCopyright(root, folders, { name, hasNode }) {
  const rows = folders.map((folder) => {
    const { name: its, version, license } = JSON.parse(readFileSync(fromRoot(folder, 'package.json'), 'utf8'));
    return `  ${its} ${version}: ${typeof license === 'string' ? license : 'see there'}`;
  });
  write(root, `${saidIn(name)}/copyright`, [
    'argo-server comes under these terms:', '', readFileSync(fromRoot('LICENSE'), 'utf8'),
    `Packages that it is built on come along in /${HOME}/node_modules, each with its own terms beside it:`, '', ...rows, '',
    `The terms of those that are put into what runs are in /${HOME}/dist/bundle/LICENSES`, `and /${HOME}/dist/web.`, '',
    ...hasNode ? [`Node.js ${process.version} is /${BUNDLED_NODE}; its terms are in node.LICENSE.gz beside this file.`, ''] : [],
    'Apache-2.0, where it is named above, is in /usr/share/common-licenses/Apache-2.0 on Debian systems.', '',
  ].join('\n'));
}

/** What lintian finds, and why it is as it is: a file for all packages, and one for what only a Node has. @param {string} root @param {Facts} facts */
function addOverrides(root, { name, hasNode }) {
  const files = ['lintian-overrides', ...hasNode ? ['lintian-overrides-bundled'] : []];
  write(root, overridesOf(name), files.map((file) => readFileSync(fromRoot('packaging', 'debian', file), 'utf8')).join(''));
}

/** @param {string} root */
function addCompletions(root) {
  for (const [shell, path] of Object.entries(COMPLETIONS)) {
    write(root, path, `${run(process.execPath, [fromRoot('bin', 'argo.js'), '--completion'], { env: { ...process.env, SHELL: shell } }).trim()}\n`);
  }
}

/** @param {string} root @param {Facts} facts */
function addManPages(root, { version, epoch }) {
  for (const path of writeManPages(join(root, 'usr/share/man'), { version, epoch })) {
    const page = join(root, 'usr/share/man', path);
    write(root, `usr/share/man/${path}.gz`, gzipSync(readFileSync(page), { level: 9 }));
    rmSync(page);
  }
}

/**
 * What runs, wherever that is: the program, what it is built on with its terms, the commands.
 * @param {string} root an empty folder
 * @param {Pick<Facts, 'name' | 'version' | 'hasNode'>} facts
 * @returns {{ native: string[] }} what depends on libraries of the system, as full paths
 */
export function layOutProgram(root, facts) {
  copyRows(root, FILES.filter(isProgram));
  const manifest = JSON.parse(readFileSync(fromRoot('package.json'), 'utf8'));
  // what only a clone can do is not in it
  for (const key of ['scripts', 'devDependencies', 'overrides', 'allowScripts', 'files']) delete manifest[key];
  write(root, `${HOME}/package.json`, `${JSON.stringify({ ...manifest, version: facts.version }, undefined, 2)}\n`);
  for (const [path, target] of Object.entries(LINKS)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    symlinkSync(target, join(root, path));
  }
  addCopyright(root, addPackages(root), facts);
  return { native: stripNative(root) };
}

/**
 * What a Debian package installs.
 * @param {string} root an empty folder
 * @param {Facts} facts @param {string} maintainer
 * @returns {{ native: string[] }} as above
 */
export function layOut(root, facts, maintainer) {
  const { native } = layOutProgram(root, facts);
  copyRows(root, FILES.filter((row) => !isProgram(row)));
  linkDocuments(root, placesIn(facts.name));
  layOutCollection(join(root, COLLECTION_HOME), facts.version);
  addUnits(root);
  addChangelogs(root, facts, maintainer);
  addOverrides(root, facts);
  addCompletions(root);
  addManPages(root, facts);
  return { native: facts.hasNode ? [...native, addNode(root, facts.name)] : native };
}
