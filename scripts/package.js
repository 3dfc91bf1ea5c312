/**
 * `npm run package`: makes a Debian package and an npm tarball of what is compiled, and the Ansible collection.
 *
 *     npm run package                        into dist/packages
 *     npm run package -- --out FOLDER
 *     npm run package -- --version 1.2.3     of the Debian package, another version than that of package.json
 *     npm run package -- --quick             packed less tightly, in a fifth of the time
 *     npm run package -- --only deb          or npm, or ansible, which needs nothing compiled
 *     npm run package -- --as-it-is          nothing is installed and compiled first
 *
 * SOURCE_DATE_EPOCH says when it was made; without it, it is the time of the last commit. The same sources, packages
 * and Node make the same Debian package and the same collection, byte by byte.
 */
import { createHash } from 'node:crypto';
import { cpSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { makeCollection } from './collection.js';
import { CONFFILES } from './package-files.js';
import { filesIn, run, settle } from './package-steps.js';
import { layOut } from './package-tree.js';
import { prepareOrExit } from './prepare.js';
import { fromRoot } from './root.js';

/** As Debian's own tools are told who makes a package. */
const { DEBFULLNAME = 'Argo', DEBEMAIL = 'argo@argo-server.invalid' } = process.env;
const MAINTAINER = `${DEBFULLNAME} <${DEBEMAIL}>`;
const SCRIPTS = ['postinst', 'prerm', 'postrm'];
/** Beside libraries and Node: what the package's own scripts run. */
const DEPENDS = ['adduser', 'init-system-helpers (>= 1.54)'];
const RECOMMENDS = ['python3'];
const SUGGESTS = ['ansible-core', 'bash-completion', 'fence-agents', 'ipmitool', 'libvirt-clients', 'monitoring-plugins-basic', 'mosquitto', 'powerman', 'python3-impacket'];

const manifest = JSON.parse(readFileSync(fromRoot('package.json'), 'utf8'));

/** When it is said to be made, s since 1970. */
function sourceDate() {
  const { SOURCE_DATE_EPOCH: said } = process.env;
  if (said !== undefined && !/^\d{1,11}$/.test(said)) throw new Error('SOURCE_DATE_EPOCH is a number of seconds since 1970');
  return Number(said ?? run('git', ['-C', fromRoot(), 'log', '-1', '--format=%ct']));
}

/** A version as Debian compares it: what comes before a release is less than it. @param {string} version */
export const debianVersion = (version) => `${version.replace('-', '~').replaceAll('-', '.')}-1`;

/** Libraries of the system that native code needs. @param {string[]} native @param {string} scratch */
function libraries(native, scratch) {
  if (native.length === 0) return [];
  mkdirSync(join(scratch, 'debian'));
  writeFileSync(join(scratch, 'debian', 'control'), 'Source: argo-server\n\nPackage: argo-server\nArchitecture: any\n');
  const said = run('dpkg-shlibdeps', ['-O', ...native.map((path) => `-e${path}`)], { cwd: scratch });
  return (/^shlibs:Depends=(.*)$/m.exec(said)?.[1] ?? '').split(', ').filter((name) => name !== '');
}

/** Native code is for one major of Node. */
function node() {
  const [major] = process.versions.node.split('.').map(Number);
  const least = major === 20 ? '20.19' : `${major}`;
  return [`nodejs (>= ${least})`, `nodejs (<< ${major + 1}~)`];
}

/** @param {string} version @param {string} architecture @param {string[]} depends @param {number} size KiB */
const control = (version, architecture, depends, size) => `Package: argo-server
Version: ${version}
Architecture: ${architecture}
Maintainer: ${MAINTAINER}
Installed-Size: ${size}
Depends: ${depends.join(', ')}
Recommends: ${RECOMMENDS.join(', ')}
Suggests: ${SUGGESTS.join(', ')}
Section: admin
Priority: optional
Description: line protocol that powers every machine you own
 A small server that switches machines on and off. It puts one plain-text line
 protocol in front of KVM, LXC, Xen, XenServer, Hyper-V, ESXi and physical
 hosts. It can be used by hand with telnet, from scripts, in a browser, or with
 its own client argo, which comes along. Each account does what its grants say,
 and what is done is recorded.
`;

/** @param {string} root @param {{ version: string, epoch: number, native: string[], scratch: string, architecture: string }} facts */
function addControl(root, { version, epoch, native, scratch, architecture }) {
  const files = filesIn(root);
  const size = files.reduce((sum, path) => sum + Math.ceil(lstatSync(join(root, path)).size / 1024), 0);
  const sums = files.filter((path) => !CONFFILES.includes(path) && !lstatSync(join(root, path)).isSymbolicLink())
    .map((path) => `${createHash('md5').update(readFileSync(join(root, path))).digest('hex')}  ${path}\n`);
  const folder = join(root, 'DEBIAN');
  mkdirSync(folder);
  writeFileSync(join(folder, 'control'), control(version, architecture, [...DEPENDS, ...node(), ...libraries(native, scratch)], size));
  writeFileSync(join(folder, 'conffiles'), CONFFILES.map((path) => `/${path}\n`).join(''));
  writeFileSync(join(folder, 'md5sums'), sums.join(''));
  for (const name of SCRIPTS) cpSync(fromRoot('packaging', 'debian', name), join(folder, name));
  for (const name of readdirSync(folder)) run('chmod', [SCRIPTS.includes(name) ? '755' : '644', join(folder, name)]);
  settle(root, epoch);
}

/** @param {string} out @param {{ version: string, quick: boolean }} wanted @returns the package's path */
function makeDeb(out, { version, quick }) {
  const epoch = sourceDate();
  const debian = debianVersion(version);
  const architecture = run('dpkg', ['--print-architecture']).trim();
  const scratch = mkdtempSync(join(tmpdir(), 'argo-package-'));
  try {
    const root = join(scratch, 'root');
    mkdirSync(root);
    const { native } = layOut(root, { version, debian, epoch }, MAINTAINER);
    addControl(root, { version: debian, epoch, native, scratch, architecture });
    const path = join(out, `argo-server_${debian}_${architecture}.deb`);
    // on one thread: how many there are shows in what xz makes
    const packing = quick ? ['-Zgzip', '-z1'] : ['-Zxz', '--threads-max=1', '-z6'];
    run('dpkg-deb', ['--root-owner-group', ...packing, '--build', root, path], { env: { ...process.env, SOURCE_DATE_EPOCH: String(epoch) } });
    return path;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** @param {string} out @returns the tarball's path */
function makeTarball(out) {
  const npm = process.env.npm_execpath?.endsWith('npm-cli.js') ? [process.execPath, process.env.npm_execpath] : ['npm'];
  const said = run(npm[0], [...npm.slice(1), 'pack', '--json', '--ignore-scripts', '--pack-destination', out], { cwd: fromRoot() });
  return join(out, JSON.parse(said)[0].filename);
}

/** What can be made, each in a folder. @type {Record<string, (out: string, wanted: { version: string, quick: boolean }) => string>} */
const KINDS = {
  deb: makeDeb,
  npm: makeTarball,
  ansible: (out) => makeCollection(out, { version: manifest.version, epoch: sourceDate() }),
};

function main() {
  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: fromRoot('dist', 'packages') }, version: { type: 'string', default: manifest.version },
      quick: { type: 'boolean', default: false }, 'as-it-is': { type: 'boolean', default: false }, only: { type: 'string' },
    },
  });
  if (!/^\d[\w.+-]*$/.test(values.version)) throw new Error(`${values.version} is no version`);
  const kinds = values.only === undefined ? Object.keys(KINDS) : [values.only];
  if (!kinds.every((kind) => Object.hasOwn(KINDS, kind))) throw new Error(`--only ${Object.keys(KINDS).join(' or ')}`);
  if (!values['as-it-is']) prepareOrExit({ dev: true });
  const out = resolve(values.out);
  mkdirSync(out, { recursive: true });
  for (const kind of kinds) process.stdout.write(`${KINDS[kind](out, values)}\n`);
}

try {
  main();
} catch (error) {
  process.stderr.write(`argo: ${error.message}\n`);
  process.exitCode = 1;
}
