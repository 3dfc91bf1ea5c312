import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { checkEnvelope, checkRoot, LISTING, parseListing, type Member } from '../../../../src/drivers/libvirt/management/templates/archive.js';
import { tarOf, type TarMember } from './tar-file.js';

/** What the host's own tar says of archives that tar would not make. */

const folder = t.testdir();
const list = (members: readonly TarMember[]): Member[] => {
  const file = join(folder, 'a.tar');
  writeFileSync(file, tarOf(members));
  return parseListing(execFileSync('tar', [...LISTING, '--file', file], { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' }, stdio: ['ignore', 'pipe', 'ignore'] }));
};

const descriptor: TarMember = { name: 'web.ovf', content: '<x/>' };

void t.test('a listing', (t) => {
  t.same(list([
    { name: './', kind: 'folder' }, { name: './a b"c\n→', content: 'xyz' }, { name: 'l', kind: 'link', target: 'x -> y' }, { name: 'h', kind: 'hard', target: './l' },
    { name: 'n', kind: 'char' }, { name: 'd/', kind: 'folder' },
  ]).map(({ kind, name, target, size }) => [kind, name, target, size]), [
    ['d', '', undefined, 0n], ['-', 'a b\\"c\\n\\342\\206\\222', undefined, 3n], ['l', 'l', 'x -> y', 0n], ['h', 'h', './l', 0n], ['c', 'n', undefined, 0n], ['d', 'd', undefined, 0n],
  ]);
  t.throws(() => parseListing('tar: what?\n'), { message: /^FAILED: / });
  t.end();
});

void t.test('envelopes', (t) => {
  checkEnvelope(list([{ name: './', kind: 'folder' }, { ...descriptor, name: './web.ovf' }, { name: './web1.img', content: 'x' }]));
  const refused: readonly (readonly [string, TarMember, RegExp])[] = [
    ['an absolute path', { name: '/etc/cron.d/x', content: 'x' }, /leads out/],
    ['a path that climbs', { name: '../x', content: 'x' }, /leads out/],
    ['a path that climbs inside', { name: 'a/../../x', content: 'x' }, /leads out/],
    ['a symbolic link', { name: 'web1.img', kind: 'link', target: '/etc/shadow' }, /a symbolic link/],
    ['a symbolic link beside', { name: 'web1.img', kind: 'link', target: 'web.ovf' }, /a symbolic link/],
    ['a hard link', { name: 'web1.img', kind: 'hard', target: 'web.ovf' }, /a hard link/],
    ['a hard link out of it', { name: 'web1.img', kind: 'hard', target: '/etc/shadow' }, /a hard link/],
    ['a device', { name: 'web1.img', kind: 'char' }, /a device/],
    ['a disk of the host', { name: 'web1.img', kind: 'block' }, /a device/],
    ['a pipe', { name: 'web1.img', kind: 'pipe' }, /a pipe/],
    ['a folder', { name: 'a/', kind: 'folder' }, /a folder/],
    ['a file in a folder', { name: 'a/b', content: 'x' }, /in a folder/],
    ['a file twice', { name: './web.ovf', content: 'y' }, /twice/],
  ];
  for (const [name, member, words] of refused) t.throws(() => checkEnvelope(list([descriptor, member])), { message: words }, name);
  t.end();
});

void t.test('roots', (t) => {
  const good: readonly TarMember[] = [
    { name: './', kind: 'folder' }, { name: './etc/', kind: 'folder' }, { name: './etc/shadow', content: 'root:*::' }, { name: './usr/lib/', kind: 'folder' },
    { name: './lib', kind: 'link', target: 'usr/lib' }, { name: './etc/mtab', kind: 'link', target: '../proc/self/mounts' }, { name: './etc/localtime', kind: 'link', target: '/usr/share/zoneinfo/UTC' },
    { name: './etc/shadow-', kind: 'hard', target: './etc/shadow' }, { name: './run/initctl', kind: 'pipe' },
    { name: './dev/null', kind: 'char' }, { name: './dev/sda', kind: 'block' },
  ];
  checkRoot(list(good), 1000n);
  checkRoot(list(good.map((member) => ({ ...member, name: member.name.replace('./', '') })).filter(({ name }) => name !== '')), 1000n);
  const refused: readonly (readonly [string, readonly TarMember[], RegExp])[] = [
    ['an absolute path', [{ name: '/etc/passwd', content: 'x' }], /leads out/],
    ['a path that climbs', [{ name: './../x', content: 'x' }], /leads out/],
    ['a path that climbs from dev', [{ name: 'dev/../../x', content: 'x' }], /leads out/],
    ['a link above the root', [{ name: 'a/b', kind: 'link', target: '../../x' }], /above its root/],
    ['a link above the root and back', [{ name: 'b', kind: 'link', target: 'c/../../srv/x' }], /above its root/],
    ['a file below a link', [{ name: 'a', kind: 'link', target: '/etc' }, { name: 'a/passwd', content: 'x' }], /below a link/],
    ['a file far below a link', [{ name: 'a/b', kind: 'link', target: '/' }, { name: 'a/b/c/d', content: 'x' }], /below a link/],
    ['a file before the link above it', [{ name: 'a/passwd', content: 'x' }, { name: 'a', kind: 'link', target: '/etc' }], /below a link/],
    ['a hard link out of it', [{ name: 'x', kind: 'hard', target: '/etc/shadow' }], /hard link/],
    ['a hard link that climbs', [{ name: 'x', kind: 'hard', target: '../../etc/shadow' }], /hard link/],
    ['a device', [{ name: 'etc/disk', kind: 'block' }], /a device/],
    ['a device beside dev', [{ name: 'device', kind: 'char' }], /a device/],
    ['a device by a detour', [{ name: '././dev/x', kind: 'char' }], /another way/],
    ['a device by two slashes', [{ name: 'x//dev', kind: 'char' }], /another way/],
    ['a name twice', [{ name: 'a', content: 'x' }, { name: './a', kind: 'link', target: '/etc' }], /twice/],
    ['more than it says', [{ name: 'a', content: 'x'.repeat(1001) }], /more than the 1000/],
  ];
  for (const [name, members, words] of refused) t.throws(() => checkRoot(list(members), 1000n), { message: words }, name);
  t.end();
});
