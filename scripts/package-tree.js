/** Lays out what the Debian package installs, below a folder: files, modes and times are the same each time. */
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { layOutCollection } from './collection.js';
import { writeManPages } from './man.js';
import { BUILD_ONLY, COLLECTION_HOME, COMPILED_LEFT_OUT, COMPLETIONS, CONFFILES, DOC, FILES, HOME, isForeign, LEFT_OUT, LINKS, TERMS, UNITS } from './package-files.js';
import { copy, copyRows, filesIn, run, write } from './package-steps.js';
import { productionPackages } from './production.js';
import { fromRoot } from './root.js';

/** @typedef {{ version: string, debian: string, epoch: number }} Facts the version, as Debian has it, and when it is said to be made, s since 1970 */

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
    write(root, `lib/systemd/system/${name}`, text.replace(/^(Documentation=)/m, `$1man:${page} `));
  }
}

/** Debian's date, as a changelog has it. @param {number} epoch */
const debianDate = (epoch) => new Date(epoch * 1000).toUTCString().replace('GMT', '+0000');

/** @param {string} root @param {Facts} facts @param {string} maintainer */
function addChangelogs(root, { debian, epoch }, maintainer) {
  const entry = `argo-server (${debian}) stable; urgency=medium\n\n  * What has changed is in changelog.gz.\n\n -- ${maintainer}  ${debianDate(epoch)}\n`;
  write(root, `${DOC}/changelog.Debian.gz`, gzipSync(entry, { level: 9 }));
  write(root, `${DOC}/changelog.gz`, gzipSync(readFileSync(fromRoot('CHANGELOG.md')), { level: 9 }));
}

/** @param {string} root @param {string[]} folders packages that come along */
function addCopyright(root, folders) {
  const rows = folders.map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(fromRoot(folder, 'package.json'), 'utf8'));
    return `  ${name} ${version}: ${typeof license === 'string' ? license : 'see there'}`;
  });
  write(root, `${DOC}/copyright`, [
    'argo-server comes under these terms:', '', readFileSync(fromRoot('LICENSE'), 'utf8'),
    `Packages that it is built on come along in /${HOME}/node_modules, each with its own terms beside it:`, '', ...rows, '',
    `The terms of those that are put into what runs are in /${HOME}/dist/bundle/LICENSES`, `and /${HOME}/dist/web.`, '',
    'Apache-2.0, where it is named above, is in /usr/share/common-licenses/Apache-2.0 on Debian systems.', '',
  ].join('\n'));
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
 * @param {string} root an empty folder
 * @param {Facts} facts @param {string} maintainer
 * @returns {{ native: string[] }} what depends on libraries of the system, as full paths
 */
export function layOut(root, facts, maintainer) {
  copyRows(root, FILES);
  layOutCollection(join(root, COLLECTION_HOME), facts.version);
  const manifest = JSON.parse(readFileSync(fromRoot('package.json'), 'utf8'));
  // what only a clone can do is not in it
  for (const key of ['scripts', 'devDependencies', 'overrides', 'allowScripts', 'files']) delete manifest[key];
  write(root, `${HOME}/package.json`, `${JSON.stringify({ ...manifest, version: facts.version }, undefined, 2)}\n`);
  for (const path of CONFFILES) chmodSync(join(root, path), 0o640);
  for (const [path, target] of Object.entries(LINKS)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    symlinkSync(target, join(root, path));
  }
  addCopyright(root, addPackages(root));
  addUnits(root);
  addChangelogs(root, facts, maintainer);
  addCompletions(root);
  addManPages(root, facts);
  return { native: stripNative(root) };
}
