import { existsSync, linkSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { openDriver } from '../drivers/libvirt/open-driver.js';
import { imagesOf, workCall } from '../drivers/libvirt/works.js';
import { outcome, soon } from '../drivers/driving.js';
import { writeIso } from '../peers/iso-image.js';
import { LIBVIRT_PROGRAMS, startLibvirt, type LibvirtPeer } from '../peers/libvirt.js';
import { lacksRoot } from '../support/peers.js';

/** Images in pools of a real libvirtd, judged by virsh and qemu-img. */

const options = { skip: lacksRoot(...LIBVIRT_PROGRAMS), timeout: 170_000 };
const MIB = 1024n * 1024n;

async function setUp(t: Test, given: Record<string, unknown> = {}, tmpfs?: string) {
  const peer = await startLibvirt();
  const { driver, told } = openDriver(`qemu:///system?socket=${peer.socket}`, given);
  t.teardown(async () => {
    await driver.close(soon());
    await peer.stop();
  });
  const folder = await peer.startPool('default', tmpfs);
  const images = imagesOf(driver);
  const names = async (): Promise<string[]> => (await images.list({}, workCall())).map(({ name }) => name);
  return { peer, driver, told, folder, images, names };
}

/** What qemu-img says of a file inside. */
async function imageInfo(peer: LibvirtPeer, path: string): Promise<Record<string, unknown>> {
  const { stdout, stderr, code } = await peer.inside('qemu-img', 'info', '-U', '--output=json', path);
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Record<string, unknown>;
}

const volumesOf = async (peer: LibvirtPeer): Promise<string[]> =>
  (await peer.virsh('vol-list', 'default')).stdout.split('\n').map((line) => line.trim().split(/\s+/)[0]!).filter((name) => name !== '');

const disk = (file: string, extra = ''): string =>
  `<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='${file}'/><target dev='sdb' bus='sata'/>${extra}</disk>`;

await t.test('images are made, listed and removed', options, async (t) => {
  const { peer, folder, images, names } = await setUp(t);
  t.same(await names(), []);
  await images.create({ name: 'a.qcow2', size: 40n * MIB, format: 'qcow2' }, workCall());
  await images.create({ name: 'b.img', size: 30n * MIB, format: 'raw' }, workCall());
  writeIso(join(folder, 'disc.iso'));
  writeIso(join(folder, 'disc'));
  t.match(await imageInfo(peer, join(folder, 'a.qcow2')), { format: 'qcow2', 'virtual-size': Number(40n * MIB) });
  t.match(await imageInfo(peer, join(folder, 'b.img')), { format: 'raw', 'virtual-size': Number(30n * MIB), 'actual-size': 0 });
  await peer.virsh('pool-refresh', 'default');
  t.match(await images.list({}, workCall()), [
    { name: 'a.qcow2', kind: 'disk', format: 'qcow2', capacity: 40n * MIB, usedBy: [] },
    { name: 'b.img', kind: 'disk', format: 'raw', capacity: 30n * MIB, allocation: 0n, usedBy: [] },
    { name: 'disc', kind: 'iso', format: 'iso', usedBy: [] },
    { name: 'disc.iso', kind: 'iso', format: 'iso', usedBy: [] },
  ]);
  t.match(await outcome(images.create({ name: 'a.qcow2', size: MIB, format: 'raw' }, workCall())), { phrase: 'WRONG STATE', detail: /already/ });
  writeFileSync(join(folder, 'unseen.img'), 'not libvirt\'s');
  t.match(await outcome(images.create({ name: 'unseen.img', size: MIB, format: 'raw' }, workCall())), { phrase: 'WRONG STATE', detail: /already/ });
  t.equal(statSync(join(folder, 'unseen.img')).size, 13, 'what libvirt did not know of is as it was');
  await images.delete({ name: 'a.qcow2' }, workCall());
  t.notOk(existsSync(join(folder, 'a.qcow2')));
  t.notOk((await volumesOf(peer)).includes('a.qcow2'));
  t.match(await outcome(images.delete({ name: 'a.qcow2' }, workCall())), { phrase: 'WRONG STATE', detail: /no image/ });
});

await t.test('two makings of one name, and names that are none', options, async (t) => {
  const { peer, folder, images, driver } = await setUp(t);
  const other = openDriver(`qemu:///system?socket=${peer.socket}`).driver;
  t.teardown(() => other.close(soon()));
  const makings = [images, images, imagesOf(other), imagesOf(other)].map((each) => outcome(each.create({ name: 'one.img', size: 5n * MIB, format: 'raw' }, workCall())));
  const outcomes = await Promise.all(makings);
  t.equal(outcomes.filter(({ phrase }) => phrase === undefined).length, 1);
  t.same([...new Set(outcomes.map(({ phrase }) => phrase).filter((phrase) => phrase !== undefined))].filter((phrase) => !['BUSY', 'WRONG STATE'].includes(phrase)), []);
  t.match(await imageInfo(peer, join(folder, 'one.img')), { 'virtual-size': Number(5n * MIB) });
  for (const name of ['..', '../evil.img', '/etc/evil', 'a/b', '-rf', 'a\nb', 'a b', 'a"b', '', '.hidden', 'x.argo-task-1', 'a..b']) {
    t.match(await outcome(images.create({ name, size: MIB, format: 'raw' }, workCall())), { phrase: 'BAD REQUEST' }, JSON.stringify(name));
    t.match(await outcome(images.delete({ name }, workCall())), { phrase: 'BAD REQUEST' }, JSON.stringify(name));
  }
  t.same(await volumesOf(peer), ['one.img']);
  for (const name of ['../evil.img', '/etc/evil']) t.not((await peer.virsh('vol-create-as', 'default', name, '1M', '--format', 'raw')).code, 0, `libvirt refuses ${name} too`);
  t.ok(driver.abilities!.machines);
});

await t.test('an image that a machine has, as it runs or as it will be started', options, async (t) => {
  const { peer, folder, images } = await setUp(t);
  const file = (name: string): string => join(folder, name);
  for (const name of ['base', 'over', 'top', 'byvolume', 'later', 'free', 'bottom', 'unused-top']) {
    const backing = { over: 'base', top: 'over', 'unused-top': 'bottom' }[name];
    const made = backing === undefined ? await peer.inside('qemu-img', 'create', '-q', '-f', 'qcow2', file(name), '8M')
      : await peer.inside('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', backing, '-F', 'qcow2', file(name));
    t.equal(made.code, 0, made.stderr);
  }
  writeIso(file('disc.iso'));
  await peer.virsh('pool-refresh', 'default');
  const volume = "<disk type='volume' device='disk'><driver name='qemu' type='qcow2'/><source pool='default' volume='byvolume'/><target dev='sdc' bus='sata'/></disk>";
  const drive = `<disk type='file' device='cdrom'><source file='${file('disc.iso')}'/><target dev='hdc' bus='ide'/><readonly/></disk>`;
  await peer.defineChanged('off', (xml) => xml.replace('</devices>', `${disk(file('top'))}${volume}${drive}</devices>`));
  await peer.defineTiny('runs');
  t.equal((await peer.virsh('start', 'runs')).code, 0);
  t.equal((await peer.virsh('attach-disk', 'runs', file('later'), 'sdd', '--targetbus', 'sata', '--config', '--driver', 'qemu', '--subdriver', 'qcow2')).code, 0);
  const usedBy = async (): Promise<Record<string, readonly string[]>> =>
    Object.fromEntries((await images.list({}, workCall())).map((each) => [each.name, each.usedBy]));
  t.same(await usedBy(), {
    base: ['off'], over: ['off'], top: ['off'], byvolume: ['off'], 'disc.iso': ['off'], later: ['runs'], free: [], bottom: [], 'unused-top': [],
  });
  for (const name of ['base', 'over', 'top', 'byvolume', 'disc.iso', 'later']) {
    t.match(await outcome(images.delete({ name }, workCall())), { phrase: 'WRONG STATE', detail: /in use by/ }, name);
    t.ok(existsSync(file(name)));
  }
  t.match(await outcome(images.delete({ name: 'bottom' }, workCall())), { phrase: 'WRONG STATE', detail: /unused-top is made on it/ });
  await images.delete({ name: 'free' }, workCall());
  // What a listing remembers is out of date at once: a decision looks again.
  t.equal((await peer.virsh('attach-disk', 'runs', file('unused-top'), 'sde', '--targetbus', 'sata', '--config', '--driver', 'qemu', '--subdriver', 'qcow2')).code, 0);
  t.match(await outcome(images.delete({ name: 'unused-top' }, workCall())), { phrase: 'WRONG STATE', detail: /in use by runs/ });
  t.equal((await peer.virsh('undefine', 'off')).code, 0);
  await images.delete({ name: 'top' }, workCall());
  t.match(await usedBy(), { base: [], over: [] });
});

await t.test('an image under another name', options, async (t) => {
  const { peer, folder, images } = await setUp(t);
  const file = (name: string): string => join(folder, name);
  for (const [name, size] of [['real', '8M'], ['hard', '9M'], ['outside', '10M'], ['alone', '11M']] as const) await peer.inside('qemu-img', 'create', '-q', '-f', 'qcow2', file(name), size);
  symlinkSync(file('real'), file('link'));
  linkSync(file('hard'), file('second'));
  const beside = peer.file('beside.qcow2');
  symlinkSync(file('outside'), beside);
  await peer.virsh('pool-refresh', 'default');
  await peer.defineChanged('has', (xml) => xml.replace('</devices>', `${disk(file('link'))}${disk(file('second')).replace('sdb', 'sdc')}${disk(beside).replace('sdb', 'sdd')}</devices>`));
  for (const name of ['real', 'hard', 'link', 'second']) {
    t.match(await outcome(images.delete({ name }, workCall())), { phrase: 'WRONG STATE', detail: /in use by has/ }, name);
    t.ok(existsSync(file(name)), name);
  }
  t.match(await outcome(images.delete({ name: 'outside' }, workCall())), { phrase: 'WRONG STATE', detail: /has/ }, 'by a link that is in no pool');
  await images.delete({ name: 'alone' }, workCall());
});

await t.test('a pool that is full, that is away, and that is not there', options, async (t) => {
  const { peer, folder, images, names } = await setUp(t, {}, 'size=1m');
  t.match(await outcome(images.create({ name: 'big.img', size: 2n * MIB, format: 'raw' }, workCall())), { phrase: 'FAILED', detail: /has room for/ });
  await peer.inside('sh', '-c', `head -c ${900 * 1024} /dev/zero > ${join(folder, 'filler')}`);
  t.match(await outcome(images.create({ name: 'tight.qcow2', size: 64n * 1024n, format: 'qcow2' }, workCall())), { phrase: 'FAILED' }, 'its tables do not fit');
  await peer.virsh('pool-refresh', 'default');
  t.same(await names(), ['filler']);
  t.equal((await peer.inside('ls', folder)).stdout, 'filler\n', 'nothing half made is left');
  await peer.virsh('pool-destroy', 'default');
  t.match(await outcome(images.list({}, workCall())), { phrase: 'WRONG STATE', detail: /not active/ });
  await peer.virsh('pool-undefine', 'default');
  t.match(await outcome(images.list({}, workCall())), { phrase: 'NOT SUPPORTED', detail: /no storage pool default/ });
});

await t.test('a pool of its own for discs', options, async (t) => {
  const { peer, images } = await setUp(t, { 'iso-pool': 'discs' });
  const folder = await peer.startPool('discs');
  writeIso(join(folder, 'a.iso'));
  await images.create({ name: 'b.img', size: MIB, format: 'raw' }, workCall());
  t.match(await images.list({}, workCall()), [{ name: 'a.iso', kind: 'iso' }, { name: 'b.img', kind: 'disk' }]);
  await images.delete({ name: 'a.iso' }, workCall());
  t.notOk(existsSync(join(folder, 'a.iso')));
});

await t.test('libvirtd ends under a making, which is told to end, and is itself given up', options, async (t) => {
  const { peer, folder, images, names } = await setUp(t);
  for (const format of ['raw', 'qcow2', 'qcow2'] as const) {
    let restarting: Promise<void> | undefined;
    const name = `cut.${format}`;
    const { phrase } = await outcome(images.create({ name, size: 8n * MIB, format }, workCall({ progress: () => {
      restarting = peer.kill().then(() => peer.restart());
    } })));
    await restarting;
    const isThere = existsSync(join(folder, name));
    t.equal(phrase === undefined, isThere, `${format}: ${phrase ?? 'made'}`);
    if (!isThere) continue;
    t.match(await imageInfo(peer, join(folder, name)), { format, 'virtual-size': Number(8n * MIB) });
    await images.delete({ name }, workCall());
  }
  const before = await names();
  const stop = new AbortController();
  await peer.signal('STOP');
  const making = outcome(images.create({ name: 'late.img', size: 8n * MIB, format: 'raw' }, workCall({ signal: stop.signal })));
  stop.abort(new Error('told to end'));
  await peer.signal('CONT');
  t.match(await making, { phrase: 'UNREACHABLE' });
  t.same(await names(), before);
  t.notOk(existsSync(join(folder, 'late.img')));
});
