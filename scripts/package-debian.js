/** Makes Debian packages: control data around what package-tree.js lays out. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { filesIn, run, settle, write } from './package-steps.js';
import { layOut } from './package-tree.js';
import { fromRoot } from './root.js';

/** As Debian's own tools are told who makes a package. */
const { DEBFULLNAME = 'Argo', DEBEMAIL = 'argo@argo-server.invalid' } = process.env;
const MAINTAINER = `${DEBFULLNAME} <${DEBEMAIL}>`;
const SCRIPTS = ['postinst', 'prerm', 'postrm'];
/** The line of these in whose place is what they share. */
const SHARED = '#SHARED#\n';
/** Beside libraries and Node: what the package's own scripts run. */
const DEPENDS = ['adduser', 'init-system-helpers (>= 1.54)'];
const RECOMMENDS = ['python3'];
const SUGGESTS = ['ansible-core', 'bash-completion', 'fence-agents', 'ipmitool', 'libvirt-clients', 'monitoring-plugins-basic', 'mosquitto', 'powerman', 'python3-impacket'];

/** What runs here for it, and in which of Debian's packages that is. @type {Record<string, string>} */
const PROGRAMS = { 'dpkg-shlibdeps': 'dpkg-dev', strip: 'binutils', 'go-md2man': 'go-md2man' };

/** @throws {Error} with what is to be installed */
function requirePrograms() {
  const isThere = (/** @type {string} */ program) => spawnSync('/bin/sh', ['-c', 'command -v "$0"', program]).status === 0;
  const missing = Object.keys(PROGRAMS).filter((program) => !isThere(program)).map((program) => PROGRAMS[program]);
  if (missing.length > 0) throw new Error(`a Debian package is made on Debian, and with more: apt install ${missing.join(' ')}`);
}

/** A version as Debian compares it: what comes before a release is less than it. @param {string} version */
const debianVersion = (version) => `${version.replace('-', '~').replaceAll('-', '.')}-1`;

/** What most of a Node is in that Debian makes; it comes with a Node of that release alone. */
const NODE_LIBRARY = /^libnode\d/;

/** Libraries of the system that native code needs. @param {string[]} native @param {string} scratch */
function libraries(native, scratch) {
  if (native.length === 0) return [];
  mkdirSync(join(scratch, 'debian'));
  writeFileSync(join(scratch, 'debian', 'control'), 'Source: argo-server\n\nPackage: argo-server\nArchitecture: any\n');
  const said = run('dpkg-shlibdeps', ['-O', ...native.map((path) => `-e${path}`)], { cwd: scratch });
  const depends = (/^shlibs:Depends=(.*)$/m.exec(said)?.[1] ?? '').split(', ').filter((name) => name !== '');
  if (depends.some((name) => NODE_LIBRARY.test(name))) throw new Error(`${process.execPath} is not whole: take a Node of nodejs.org, which brings along all but the C library`);
  return depends;
}

/** Native code is for one major of Node. */
function node() {
  const [major] = process.versions.node.split('.').map(Number);
  const least = major === 20 ? '20.19' : `${major}`;
  return [`nodejs (>= ${least})`, `nodejs (<< ${major + 1}~)`];
}

/** Which of the two it takes the place of: it is the same in all but its Node. @param {import('./package-tree.js').Facts} facts */
const instead = ({ debian, hasNode }) => (hasNode
  ? `Provides: argo-server (= ${debian})\nConflicts: argo-server\nReplaces: argo-server`
  : 'Conflicts: argo-server-bundled\nReplaces: argo-server-bundled');

/** @param {import('./package-tree.js').Facts} facts @param {string} architecture @param {string[]} depends @param {number} size KiB */
const control = (facts, architecture, depends, size) => `Package: ${facts.name}
Version: ${facts.debian}
Architecture: ${architecture}
Maintainer: ${MAINTAINER}
Installed-Size: ${size}
Depends: ${depends.join(', ')}
${instead(facts)}
Recommends: ${RECOMMENDS.join(', ')}
Suggests: ${SUGGESTS.join(', ')}
Section: admin
Priority: optional
Description: line protocol that powers every machine you own${facts.hasNode ? ', with Node.js' : ''}
 A small server that switches machines on and off. It puts one plain-text line
 protocol in front of KVM, LXC, Xen, XenServer, Hyper-V, ESXi and physical
 hosts. It can be used by hand with telnet, from scripts, in a browser, or with
 its own client argo, which comes along. Each account does what its grants say,
 and what is done is recorded.
${facts.hasNode ? ' .\n This package brings its own Node.js along, for systems whose own is too old.\n' : ''}`;

/** @param {string} name */
const packagingFile = (name) => readFileSync(fromRoot('packaging', 'debian', name), 'utf8');

/** @param {string} root @param {import('./package-tree.js').Facts} facts @param {{ native: string[], scratch: string, architecture: string }} system */
function addControl(root, facts, { native, scratch, architecture }) {
  const files = filesIn(root);
  const size = files.reduce((sum, path) => sum + Math.ceil(lstatSync(join(root, path)).size / 1024), 0);
  const sums = files.filter((path) => !lstatSync(join(root, path)).isSymbolicLink())
    .map((path) => `${createHash('md5').update(readFileSync(join(root, path))).digest('hex')}  ${path}\n`);
  const folder = join(root, 'DEBIAN');
  mkdirSync(folder);
  writeFileSync(join(folder, 'control'), control(facts, architecture, [...DEPENDS, ...(facts.hasNode ? [] : node()), ...libraries(native, scratch)], size));
  writeFileSync(join(folder, 'md5sums'), sums.join(''));
  const shared = packagingFile('shared');
  for (const name of SCRIPTS) write(folder, name, packagingFile(name).replace(SHARED, () => shared));
  for (const name of readdirSync(folder)) run('chmod', [SCRIPTS.includes(name) ? '755' : '644', join(folder, name)]);
  settle(root, facts.epoch);
}

/**
 * @param {string} out the folder for it @param {{ version: string, epoch: number, quick: boolean, hasNode: boolean }} wanted
 * @returns the package's path
 */
export function makeDebian(out, { version, epoch, quick, hasNode }) {
  requirePrograms();
  const facts = { name: hasNode ? 'argo-server-bundled' : 'argo-server', version, debian: debianVersion(version), epoch, hasNode };
  const architecture = run('dpkg', ['--print-architecture']).trim();
  const scratch = mkdtempSync(join(tmpdir(), 'argo-package-'));
  try {
    const root = join(scratch, 'root');
    mkdirSync(root);
    const { native } = layOut(root, facts, MAINTAINER);
    addControl(root, facts, { native, scratch, architecture });
    const path = join(out, `${facts.name}_${facts.debian}_${architecture}.deb`);
    // on one thread: how many there are shows in what xz makes
    const packing = quick ? ['-Zgzip', '-z1'] : ['-Zxz', '--threads-max=1', '-z6'];
    run('dpkg-deb', ['--root-owner-group', ...packing, '--build', root, path], { env: { ...process.env, SOURCE_DATE_EPOCH: String(epoch) } });
    return path;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
