import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { must } from '../peers/enclosure.js';
import { buildDebian, lintian, packageFolder } from './support/packages.js';

/** What is in the Debian package, and what lintian, Debian's own checker, has to say of it. */

const folder = packageFolder(t);
const first = await buildDebian(join(folder, 'first'), '0.1.0');

await t.test('the same sources make the same package', async (t) => {
  const again = await buildDebian(join(folder, 'again'), '0.1.0', { TZ: 'Asia/Tokyo', LC_ALL: 'C' });
  t.ok(readFileSync(first).equals(readFileSync(again)), 'byte by byte');
});

await t.test('lintian finds nothing wrong', async (t) => {
  await lintian(t, first);
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
  t.same(having(/^-rw-r----- root\/root .*\.\/etc\/argo-server\/argo-server\.conf$/).length, 1, 'others cannot read what has passwords');
});
