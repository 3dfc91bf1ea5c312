import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { deadLinks } from '../docs/markdown.js';
import { must } from '../peers/enclosure.js';
import { fromRoot } from '../support/paths.js';
import { runNode } from '../support/programs.js';
import { buildDebian, lintian, packageFolder } from './support/packages.js';

/** What is in the Debian package, and what lintian, Debian's own checker, has to say of it. */

const folder = packageFolder(t);
const first = await buildDebian(join(folder, 'first'), '0.1.0');

await t.test('the same sources make the same package', async (t) => {
  const again = await buildDebian(join(folder, 'again'), '0.1.0', { TZ: 'Asia/Tokyo', LC_ALL: 'C' });
  t.ok(readFileSync(first).equals(readFileSync(again)), 'byte by byte');
});

await t.test('who cannot make it is told what to install', async (t) => {
  const { code, stderr } = await runNode([fromRoot('scripts', 'package.js'), '--as-it-is', '--only', 'deb', '--out', join(folder, 'none')], { env: { PATH: folder, SOURCE_DATE_EPOCH: '0' } });
  t.same([code, stderr], [1, 'argo: a Debian package is made on Debian, and with more: apt install dpkg-dev binutils go-md2man\n']);
});

await t.test('lintian finds nothing wrong', async (t) => {
  await lintian(t, first);
});

await t.test('every link of its documents leads to a file that is in it', async (t) => {
  const root = join(folder, 'extracted');
  mkdirSync(root);
  await must('dpkg-deb', ['--extract', first, root]);
  const docs = readdirSync(join(root, 'usr/share/doc'), { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.md'));
  for (const path of docs) t.same(deadLinks(root, join('usr/share/doc', path)), [], path);
  const read = (path: string): string => readFileSync(join(root, 'usr/share/doc/argo-server', path), 'utf8');
  t.match(read('configuration.md'), '(../../argo-server/argo-server.conf)', 'what is elsewhere is found there');
  t.match(read('SECURITY.md'), '(security.md)');
  t.match(read('fleet.md'), '(changelog.gz)');
});

await t.test('what it needs, and what it leaves out', async (t) => {
  const major = Number(process.versions.node.split('.')[0]);
  const depends = await must('dpkg-deb', ['--field', first, 'Depends']);
  t.match(depends, new RegExp(`nodejs \\(>= ${major}[.\\d]*\\), nodejs \\(<< ${major + 1}~\\)`), 'the Node that its native code is for');
  t.match(depends, /\blibc6 \(>= /);
  const listed = (await must('dpkg-deb', ['--contents', first])).trimEnd().split('\n');
  const having = (pattern: RegExp): string[] => listed.filter((line) => pattern.test(line));
  t.same(having(/node_modules\/(?:typescript|esbuild|tap|prebuild-install|nan)\//), []);
  t.same(having(/\.(?:ts|c|o|h|gypi?|kept)$|\/obj\.target\//), []);
  t.same(having(new RegExp(`prebuilds/(?!${process.platform}-${process.arch}/)[^/]+/`)), [], 'code for other systems');
  t.same(having(/ \.\/etc\//), [], 'no conffile, about which dpkg would ask');
});
