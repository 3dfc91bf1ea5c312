import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, open, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { DiskProbe, PROBE_SIZE, recognise } from '../../../src/drivers/xen/disks.js';
import { lacks, lacksRoot } from '../../support/peers.js';

const folder = await mkdtemp(join(tmpdir(), 'argo-disks-'));
t.teardown(() => rm(folder, { recursive: true, force: true }));
const signal = AbortSignal.timeout(60_000);

async function image(name: string, size: number): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, '');
  await truncate(path, size);
  return path;
}

/** The machine's own view of its device mapper is of no use here. */
const probe = new DiskProbe(join(folder, 'sys'));

async function formatOf(path: string): Promise<string | undefined> {
  return (await probe.describe([{ vdev: 'xvda', path }], signal))[0]?.format;
}

void t.test('file systems as their own tools make them', { skip: lacks('mkfs.ext4', 'mkswap') }, async (t) => {
  const tools: Record<string, string[]> = {
    ext2: ['mkfs.ext2', '-qF'], ext3: ['mkfs.ext3', '-qF'], ext4: ['mkfs.ext4', '-qF'], swap: ['mkswap', '-q'],
  };
  for (const [format, [tool = '', ...args]] of Object.entries(tools)) {
    const path = await image(format, 16 * 1024 * 1024);
    execFileSync(tool, [...args, path], { env: { PATH: '/usr/sbin:/sbin:/usr/bin:/bin' }, stdio: 'ignore' });
    t.same(await probe.describe([{ vdev: 'xvda', path }], signal), [{ target: 'xvda', type: 'file', format, size: 16_777_216n, source: path }]);
  }
});

void t.test('marks of others', async (t) => {
  const marks: readonly (readonly [format: string, at: number, mark: string])[] = [
    ['xfs', 0, 'XFSB'], ['btrfs', 65_600, '_BHRfS_M'], ['iso9660', 32_769, 'CD001'], ['ntfs', 3, 'NTFS    '], ['qcow2', 0, 'QFI\xfb'],
    ['luks', 0, 'LUKS\xba\xbe'], ['lvm2', 512, 'LABELONE'], ['gpt', 512, 'EFI PART'], ['mbr', 510, '\x55\xaa'],
  ];
  for (const [format, at, mark] of marks) {
    const path = await image(format, 200_000);
    const file = await open(path, 'r+');
    await file.write(Buffer.from(mark, 'latin1'), 0, mark.length, at);
    await file.close();
    t.equal(await formatOf(path), format);
  }
  t.equal(await formatOf(await image('blank', 200_000)), undefined);
  t.equal(await formatOf(await image('nothing', 0)), undefined);
});

void t.test('one mark hides behind another', async (t) => {
  const head = Buffer.alloc(PROBE_SIZE);
  head.write('\x55\xaa', 510, 'latin1');
  t.equal(recognise(head), 'mbr');
  head.write('NTFS    ', 3, 'latin1');
  t.equal(recognise(head), 'ntfs');
  head.fill(0, 0, 11);
  head.writeUInt16LE(0xef53, 1024 + 0x38);
  t.equal(recognise(head), 'ext2', 'a boot sector before an ext file system');
  for (let length = 0; length < PROBE_SIZE; length += 97) recognise(head.subarray(0, length));
});

void t.test('what is no disk', async (t) => {
  const raw = await image('raw', 1000);
  execFileSync('mkfifo', [join(folder, 'fifo')]);
  t.same(await probe.describe([
    { vdev: 'hdc', path: '' },
    { vdev: 'xvda', path: join(folder, 'absent'), format: 'raw' },
    { vdev: 'xvdb', path: 'iqn.2001:disk', script: 'block-iscsi' },
    { vdev: 'xvdc', path: join(folder, 'fifo') },
    { vdev: 'xvdd', path: raw, format: 'raw' },
    { vdev: 'xvde', path: folder },
  ], signal), [
    { target: 'hdc', type: 'empty' },
    { target: 'xvda', type: 'missing', format: 'raw', source: join(folder, 'absent') },
    { target: 'xvdb', type: 'network', source: 'iqn.2001:disk' },
    { target: 'xvdc', type: 'special', source: join(folder, 'fifo') },
    { target: 'xvdd', type: 'file', format: 'raw', size: 1000n, source: raw },
    { target: 'xvde', type: 'special', source: folder },
  ]);
});

void t.test('block devices', { skip: lacksRoot('mknod') }, async (t) => {
  const [lv, plain] = [join(folder, 'dm-7'), join(folder, 'sdq')];
  // Numbers of no driver: nothing can be read, and nothing is harmed.
  execFileSync('mknod', [lv, 'b', '4000', '300']);
  execFileSync('mknod', [plain, 'b', '4000', '301']);
  await symlink(lv, join(folder, 'vg0-root'));
  const sysfs = join(folder, 'sys');
  for (const [number, size] of [['4000:300', '20480'], ['4000:301', '2048']] as const) {
    await mkdir(join(sysfs, 'dev/block', number), { recursive: true });
    await writeFile(join(sysfs, 'dev/block', number, 'size'), `${size}\n`);
  }
  await mkdir(join(sysfs, 'class/block/dm-7/dm'), { recursive: true });
  await writeFile(join(sysfs, 'class/block/dm-7/dm/uuid'), 'LVM-abcdef\n');
  t.same(await probe.describe([{ vdev: 'xvda', path: join(folder, 'vg0-root') }, { vdev: 'xvdb', path: plain, format: 'raw' }], signal), [
    { target: 'xvda', type: 'lvm', size: 10_485_760n, source: join(folder, 'vg0-root') },
    { target: 'xvdb', type: 'block', format: 'raw', size: 1_048_576n, source: plain },
  ]);
});

void t.test('who gives up, does; the next waits for its turn', async (t) => {
  await t.rejects(probe.describe([{ vdev: 'xvda', path: folder }], AbortSignal.abort()), /^TIMEOUT/);
  t.same(await probe.describe([], signal), []);
});
