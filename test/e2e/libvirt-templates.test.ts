import { execFileSync } from 'node:child_process';
import { chownSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Machine } from '../../src/drivers/driver.js';
import type { DeploySettings } from '../../src/drivers/management/storage.js';
import { findMachine, outcome, soon } from '../drivers/driving.js';
import { openDriver } from '../drivers/libvirt/open-driver.js';
import { ovf } from '../drivers/libvirt/templates/descriptors.js';
import { removalOf } from '../drivers/libvirt/works.js';
import { tarOf, type TarMember } from '../drivers/libvirt/templates/tar-file.js';
import { must } from '../peers/enclosure.js';
import { guestImages } from '../peers/guest-images.js';
import { LIBVIRT_PROGRAMS, type LibvirtPeer } from '../peers/libvirt.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';
import { buildWorld, call, domainsOf, leftovers, MIB, putTiny, tableOf, templatesOf, templatingOf } from './support/templates.js';

/** Templates on a real libvirt, judged by virsh and qemu-img. */

const WAIT_MS = 60_000;
const READY = 'argo-guest: ready';

/** Starts it, and waits for what the guest says on its serial line. */
async function boots(t: Test, peer: LibvirtPeer, machine: Machine): Promise<void> {
  t.match(await peer.virsh('start', machine.name, '--paused'), { code: 0, stderr: '' });
  const { stream } = await machine.console!.text!({ signal: soon() });
  let said = '';
  stream.on('data', (chunk: Buffer) => { said += chunk.toString('latin1'); });
  t.equal((await peer.virsh('resume', machine.name)).code, 0);
  await until(() => said.includes(READY), WAIT_MS, `${machine.name} to boot`);
  stream.destroy();
}

await t.test('virtual machines', { skip: lacksRoot(...LIBVIRT_PROGRAMS), timeout: 300_000 }, async (t) => {
  const world = await buildWorld(t, 'qemu');
  const { peer, driver, templates, folder, pool } = world;
  const names = async (): Promise<string[]> => (await templates.list({}, call())).map(({ name }) => name);
  const domains = (): Promise<string[]> => domainsOf(world);

  await t.test('what is there', async (t) => {
    t.same(await names(), []);
    await putTiny(world);
    symlinkSync(join(folder, 'tiny'), join(folder, 'linked'));
    writeFileSync(join(folder, 'broken.tar'), 'no archive');
    mkdirSync(join(folder, 'empty'));
    mkdirSync(join(folder, 'box'));
    writeFileSync(join(folder, 'box', 'box.ovf'), ovf({ type: 'lxc', file: 'root.tar.gz', format: 'tar.gz' }));
    t.same(await names(), ['tiny']);
    t.match(await templates.describe({ template: 'tiny' }, call()), {
      name: 'tiny', type: 'vm', arch: 'x86_64', vcpus: 1, memory: 64n * MIB, disks: [{ file: 'tiny1.img', format: 'qcow2', capacity: MIB }],
      limits: { vcpus: { min: 1 }, memory: { min: 64n * MIB } },
    });
    t.match(await outcome(templates.describe({ template: 'linked' }, call())), { phrase: 'WRONG STATE', detail: 'there is no template linked' });
    t.match(await outcome(templates.describe({ template: 'box' }, call())), { phrase: 'FAILED', detail: /template of containers/ });
  });

  await t.test('one is made, and boots', async (t) => {
    const parts: number[] = [];
    await templates.deploy({ template: 'tiny', name: 'web1', settings: { memory: 128n * MIB } }, call({ progress: (part) => { parts.push(part); } }));
    t.equal(Math.max(...parts), 1);
    t.same(await domains(), ['web1']);
    t.match((await peer.virsh('dominfo', 'web1')).stdout, /State:\s+shut off[^]*Max memory:\s+131072 KiB/);
    t.match((await peer.virsh('domblklist', '--details', 'web1')).stdout, new RegExp(`file +disk +vda +${pool}/web1-1.qcow2`));
    t.match(JSON.parse(await must('qemu-img', ['info', '--output=json', join(pool, 'web1-1.qcow2')])), { format: 'qcow2', 'virtual-size': 1048576 });
    t.match((await peer.virsh('vol-list', 'default')).stdout, /web1-1\.qcow2/, 'libvirt sees it');
    t.same(leftovers(world), []);
    const machine = await findMachine(driver, 'web1');
    await boots(t, peer, machine);
    await machine.powerOff!(soon());
  });

  await t.test('a template of it, and a machine from that', async (t) => {
    const templating = templatingOf(await findMachine(driver, 'web1'));
    t.match(await templating.preview({ template: 'again' }, call()), {
      template: 'again', arch: 'x86_64', vcpus: 1, memory: 128n * MIB, folder: join(folder, 'again'),
      disks: [{ target: 'vda', path: join(pool, 'web1-1.qcow2'), file: 'again1.qcow2', capacity: MIB }],
    });
    await templating.create({ template: 'again', settings: { vcpus: 1 } }, call());
    t.same(await names(), ['again', 'tiny']);
    t.same(readdirSync(join(folder, 'again')).sort(), ['again.ovf', 'again1.qcow2']);
    t.match(JSON.parse(await must('qemu-img', ['info', '--output=json', join(folder, 'again', 'again1.qcow2')])), { format: 'qcow2', 'virtual-size': 1048576 });
    t.match(await outcome(templating.create({ template: 'again', settings: {} }, call())), { phrase: 'WRONG STATE' }, 'a name once');
    t.match(await outcome(templating.create({ template: 'more', settings: { vcpus: 9999 } }, call())), { phrase: 'BAD REQUEST', detail: /^vcpus: / });
    await templates.deploy({ template: 'again', name: 'web2', settings: {} }, call());
    t.match((await peer.virsh('dominfo', 'web2')).stdout, /Max memory:\s+131072 KiB/);
    await must('qemu-img', ['compare', join(pool, 'web1-1.qcow2'), join(pool, 'web2-1.qcow2')]);
    t.match(await peer.virsh('start', 'web2'), { code: 0, stderr: '' });
    const running = templatingOf(await findMachine(driver, 'web2'));
    t.match(await outcome(running.create({ template: 'more', settings: {} }, call())), { phrase: 'WRONG STATE', detail: 'it is on, and must be off' });
    t.equal((await peer.virsh('destroy', 'web2')).code, 0);
    t.same(leftovers(world), []);
  });

  await t.test('machines that no template can be made of', async (t) => {
    await peer.defineDom('kernel');
    await peer.defineChanged('efi', (xml) => xml.replace("<boot dev='hd'/>", "<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE.fd</loader><boot dev='hd'/>"));
    for (const [name, words] of [['kernel', /kernel of the host/], ['efi', /UEFI/]] as const) {
      const templating = templatingOf(await findMachine(driver, name));
      t.match(await outcome(templating.preview({ template: 'never' }, call())), { phrase: 'NOT SUPPORTED', detail: words }, 'it is not promised either');
      t.match(await outcome(templating.create({ template: 'never', settings: {} }, call())), { phrase: 'NOT SUPPORTED', detail: words });
      t.match(await peer.virsh('undefine', name), { code: 0 });
    }
    t.notOk(existsSync(join(folder, 'never')));
  });

  await t.test('an archive', async (t) => {
    await must('tar', ['-czf', join(folder, 'packed.tar.gz'), '-C', join(folder, 'tiny'), '--transform', 's/tiny.ovf/packed.ovf/', './tiny.ovf', './tiny1.img']);
    t.ok((await names()).includes('packed'));
    await templates.deploy({ template: 'packed', name: 'web3', settings: {} }, call());
    await must('qemu-img', ['compare', join(pool, 'web1-1.qcow2'), join(pool, 'web3-1.qcow2')]);
    t.same(leftovers(world), []);
    await templates.delete({ template: 'packed' }, call());
    t.notOk(existsSync(join(folder, 'packed.tar.gz')));
    await templates.delete({ template: 'again' }, call());
    t.same(await names(), ['tiny']);
  });

  await t.test('settings that cannot be', async (t) => {
    const before = await domains();
    const faults = (await outcome(templates.deploy({
      template: 'tiny', name: 'no', settings: { vcpus: 5000, memory: MIB, bridge: 'nobridge', size: MIB, address: '192.0.2.1', nameserver: '192.0.2.1', searchDomain: 'x.org', password: 'x' },
    }, call()))) as { detail?: string };
    for (const name of ['vcpus', 'memory', 'bridge', 'size', 'address', 'nameserver', 'searchDomain', 'password']) t.match(faults.detail, new RegExp(`\\b${name}: `));
    t.same(await domains(), before);
    t.same(leftovers(world), []);
  });

  await t.test('names of every bad kind', async (t) => {
    const bad = ['', '.', '..', '../tiny', 'a/b', '/etc/passwd', '-rf', '--help', 'a b', 'a\nb', 'a\0b', 'a"b', 'a\'b', 'a;reboot', '$(id)', 'a..b', 'é', 'x.argo-1', 'x'.repeat(200)];
    for (const name of bad) {
      t.match(await outcome(templates.deploy({ template: 'tiny', name, settings: {} }, call())), { phrase: /BAD REQUEST/ }, JSON.stringify(name));
      t.match(await outcome(templates.describe({ template: name }, call())), { phrase: /BAD REQUEST/ }, JSON.stringify(name));
      t.match(await outcome(templates.delete({ template: name }, call())), { phrase: /BAD REQUEST/ }, JSON.stringify(name));
    }
    t.same(await names(), ['tiny']);
  });

  await t.test('templates that are traps', async (t) => {
    const secret = peer.file('secret');
    writeFileSync(secret, 'secret'.repeat(1000));
    const trap = async (name: string, make: (path: string) => Promise<unknown> | void, format = 'qcow2'): Promise<void> => {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, `${name}.ovf`), ovf({ format }));
      await make(join(folder, name, 'tiny1.img'));
    };
    await trap('backed', (path) => must('qemu-img', ['create', '-f', 'qcow2', '-F', 'raw', '-b', secret, path]));
    await trap('elsewhere', (path) => must('qemu-img', ['create', '-f', 'qcow2', '-o', `data_file=${secret}2,data_file_raw=on`, path, '1M']));
    await trap('link', (path) => symlinkSync(secret, path));
    await trap('other', (path) => must('qemu-img', ['create', '-f', 'vmdk', path, '1M']));
    await trap('larger', (path) => must('qemu-img', ['create', '-f', 'qcow2', path, '1G']));
    for (const [name, words] of [['backed', /change to another/], ['elsewhere', /another file/], ['link', /no file tiny1.img/], ['other', /qcow2/], ['larger', /its descriptor says/]] as const) {
      t.match(await outcome(templates.deploy({ template: name, name: 'caught', settings: {} }, call())), { phrase: 'FAILED', detail: words }, name);
    }
    writeFileSync(join(folder, 'climbs.tar'), tarOf([{ name: 'climbs.ovf', content: ovf() }, { name: '../escaped', content: 'x' }, { name: 'tiny1.img', content: 'x' }]));
    writeFileSync(join(folder, 'links.tar'), tarOf([{ name: 'links.ovf', content: ovf() }, { name: 'tiny1.img', kind: 'link', target: secret }]));
    for (const [name, words] of [['climbs', /leads out/], ['links', /symbolic link/]] as const) {
      t.match(await outcome(templates.describe({ template: name }, call())), { phrase: 'FAILED', detail: words }, name);
      t.match(await outcome(templates.deploy({ template: name, name: 'caught', settings: {} }, call())), { phrase: 'FAILED', detail: words }, name);
    }
    t.notOk(existsSync(peer.file('escaped')));
    t.notOk((await domains()).includes('caught'));
    t.notOk(readdirSync(pool).some((name) => name.startsWith('caught')));
    t.same(leftovers(world), []);
  });

  await t.test('two of one name', async (t) => {
    const { uri, options } = tableOf(world);
    const { driver: other } = openDriver(uri, options);
    t.teardown(() => other.close(soon()));
    for (const [name, second] of [['twin', templates], ['pair', templatesOf(other)]] as const) {
      const [one, two] = await Promise.all([templates, second].map((each) => outcome(each.deploy({ template: 'tiny', name, settings: {} }, call()))));
      t.equal([one, two].filter((each) => each?.phrase === undefined && each?.error === undefined).length, 1, 'one is made');
      t.match([one, two].find((each) => each?.phrase !== undefined), { phrase: 'WRONG STATE' });
      t.equal((await domains()).filter((each) => each === name).length, 1);
      t.ok(existsSync(join(pool, `${name}-1.qcow2`)), 'whose disk is left to it');
    }
    t.match(await outcome(templates.deploy({ template: 'tiny', name: 'twin', settings: {} }, call())), { phrase: 'WRONG STATE' });
    t.same(leftovers(world), []);
  });

  await t.test('a machine made on a template keeps it', async (t) => {
    await must('qemu-img', ['create', '-f', 'qcow2', '-F', 'qcow2', '-b', join(folder, 'tiny', 'tiny1.img'), join(pool, 'overlay.qcow2')]);
    t.match(await outcome(templates.delete({ template: 'tiny' }, call())), { phrase: 'WRONG STATE' });
    t.same((await names()).includes('tiny'), true);
  });
});

await t.test('containers', { skip: lacksRoot(...LIBVIRT_PROGRAMS), timeout: 300_000 }, async (t) => {
  const world = await buildWorld(t, 'lxc');
  const { peer, driver, templates, folder, containers } = world;
  const lxc = (...words: string[]) => peer.virsh('-c', peer.uri('lxc'), ...words);
  const { rootfs } = await guestImages();
  mkdirSync(join(folder, 'box'));
  writeFileSync(join(folder, 'box', 'box.ovf'), ovf({ type: 'lxc-x86_64', file: 'box.tar.gz', format: 'tar.gz', capacity: String(16n * MIB) }));
  const source = peer.file('source');
  cpSync(rootfs, source, { recursive: true, verbatimSymlinks: true });
  writeFileSync(join(source, 'etc', 'shadow'), 'daemon:*:19000:0:99999:7:::\nroot:*:19000:0:99999:7:::\n', { mode: 0o600 });
  writeFileSync(join(source, 'sbin', 'init'), '#!/bin/sh\nwhile read -r line; do echo "heard $line"; cat /etc/resolv.conf; done\n');
  mkdirSync(join(source, 'home'));
  writeFileSync(join(source, 'home', 'mine'), 'x');
  chownSync(join(source, 'home', 'mine'), 4242, 4243);
  symlinkSync('/etc/shadow', join(source, 'home', 'link'));
  await must('tar', ['-czf', join(folder, 'box', 'box.tar.gz'), '--numeric-owner', '-C', source, '.']);
  const rootOf = (name: string): string => join(containers, readdirSync(containers).find((each) => each.startsWith(`${name}-`)) ?? 'none');

  await t.test('one is made, and runs', async (t) => {
    t.same(await templates.list({}, call()), [{ name: 'box', type: 'container' }]);
    t.match(await templates.describe({ template: 'box' }, call()), { type: 'container', size: 16n * MIB, disks: [], limits: { disk: { min: 16n * MIB, max: 16n * MIB } } });
    await templates.deploy({ template: 'box', name: 'c1', settings: { password: 'gr\u00fcn: & "$(id)"', nameserver: '192.0.2.53', searchDomain: 'example.org', size: 16n * MIB } }, call());
    t.match((await lxc('dominfo', 'c1')).stdout, /State:\s+shut off/);
    t.match((await lxc('dumpxml', 'c1')).stdout, /<privnet\/>/, 'the host\'s network is not its');
    const root = rootOf('c1');
    t.same(readdirSync(root).sort(), readdirSync(source).sort());
    t.match(statSync(join(root, 'home', 'mine')), { uid: 4242, gid: 4243 });
    t.equal(readlinkSync(join(root, 'home', 'link')), '/etc/shadow');
    t.equal(readFileSync(join(root, 'etc', 'resolv.conf'), 'utf8'), 'nameserver 192.0.2.53\nsearch example.org\n');
    const [first, second] = readFileSync(join(root, 'etc', 'shadow'), 'utf8').split('\n');
    t.equal(first, 'daemon:*:19000:0:99999:7:::');
    const [, hash = '', rest] = /^root:([^:]+):(.*)$/.exec(second!) ?? [];
    t.equal(rest, '19000:0:99999:7:::');
    const made = execFileSync('openssl', ['passwd', '-6', '-salt', hash.split('$')[2]!, '-stdin'], { input: 'gr\u00fcn: & "$(id)"\n', encoding: 'utf8' }).trim();
    t.equal(made, hash, 'it is the hash of the password');
    t.equal(statSync(join(root, 'etc', 'shadow')).mode & 0o777, 0o600);
    t.equal(statSync(containers).mode & 0o777, 0o700);
    t.same(leftovers(world), []);
    const machine = await findMachine(driver, 'c1');
    await machine.start!(soon());
    t.equal(await machine.status(soon()), 'on');
    const { stream } = await machine.console!.text!({ signal: soon() });
    let said = '';
    stream.on('data', (chunk: Buffer) => { said += chunk.toString('latin1'); });
    stream.write('hello\n');
    await until(() => /heard hello[^]*nameserver 192\.0\.2\.53/.test(said), WAIT_MS, 'an answer');
    stream.destroy();
    t.match(await outcome(templatingOf(machine).create({ template: 'no', settings: {} }, call())), { phrase: 'WRONG STATE' });
    await machine.powerOff!(soon());
  });

  await t.test('a template of it, and a container from that', async (t) => {
    const root = rootOf('c1');
    mkdirSync(join(root, 'dev'), { recursive: true });
    await must('mknod', [join(root, 'dev', 'extra'), 'c', '1', '3']);
    const templating = templatingOf(await findMachine(driver, 'c1'));
    t.match(await templating.preview({ template: 'again' }, call()), { disks: [{ target: '/', path: root, file: 'again.tar.gz' }] });
    await templating.create({ template: 'again', settings: {} }, call());
    await templates.deploy({ template: 'again', name: 'c2', settings: {} }, call());
    t.match(statSync(join(rootOf('c2'), 'home', 'mine')), { uid: 4242, gid: 4243 });
    t.notOk(existsSync(join(rootOf('c2'), 'dev', 'extra')), 'devices are left out');
    t.equal(readFileSync(join(rootOf('c2'), 'etc', 'resolv.conf'), 'utf8'), readFileSync(join(root, 'etc', 'resolv.conf'), 'utf8'));
    const machine = await findMachine(driver, 'c2');
    await machine.start!(soon());
    t.equal(await machine.status(soon()), 'on');
    await machine.powerOff!(soon());
    await must('mknod', [join(root, 'home', 'extra'), 'c', '1', '3']);
    t.match(await outcome(templating.create({ template: 'never', settings: {} }, call())), { phrase: 'FAILED', detail: /a device/ });
    t.notOk(existsSync(join(folder, 'never')));
    t.same(leftovers(world), []);
  });

  await t.test('one is removed, with its root', async (t) => {
    const removal = async (name: string) => removalOf(await findMachine(driver, name));
    const root = rootOf('c2');
    const other = peer.file('other.xml');
    writeFileSync(other, `<domain type='lxc'><name>guest</name><memory unit='MiB'>32</memory><os><type>exe</type><init>/sbin/init</init></os><devices><filesystem type='mount'><source dir='${root}/etc'/><target dir='/'/></filesystem></devices></domain>`);
    t.match(await lxc('define', other), { code: 0 });
    t.match(await outcome((await removal('c2')).delete({ disks: true }, call())), { phrase: 'FAILED', detail: /in use by guest/ });
    t.match(await outcome((await removal('guest')).delete({ disks: true }, call())), { phrase: 'NOT SUPPORTED', detail: /is no folder in/ });
    await (await removal('guest')).delete({ disks: false }, call());
    t.ok(existsSync(join(root, 'etc')));
    await (await removal('c2')).delete({ disks: true }, call());
    t.notOk(existsSync(root));
    t.notMatch((await lxc('list', '--all', '--name')).stdout, /c2|guest/);
    t.same(leftovers(world), []);
  });

  await t.test('settings that cannot be', async (t) => {
    const faults = await outcome(templates.deploy({ template: 'box', name: 'no', settings: { size: MIB, address: '192.0.2.7', memory: 1n, vcpus: 4000 } }, call()));
    for (const name of ['vcpus', 'memory', 'size', 'address']) t.match(faults.detail, new RegExp(`\\b${name}: `));
    t.match((await outcome(templates.deploy({ template: 'box', name: 'no', settings: { bridge: 'nobridge' } }, call()))).detail, /^bridge: /);
    t.notOk((await lxc('list', '--all', '--name')).stdout.includes('no\n'));
  });

  await t.test('roots that are traps', async (t) => {
    const secret = peer.file('secret');
    writeFileSync(secret, 'as it was');
    const passwd = readFileSync('/etc/shadow', 'utf8');
    const trap = async (name: string, members: readonly TarMember[], words: RegExp, settings: DeploySettings = {}): Promise<void> => {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, `${name}.ovf`), ovf({ type: 'lxc', file: 'root.tar', format: 'tar', capacity: '4096' }));
      writeFileSync(join(folder, name, 'root.tar'), tarOf(members));
      t.match(await outcome(templates.deploy({ template: name, name: 'caught', settings }, call())), { phrase: /FAILED|BAD REQUEST/, detail: words }, name);
    };
    const up = '../'.repeat(12);
    await trap('absolute', [{ name: secret, content: 'x' }], /leads out/);
    await trap('climbs', [{ name: `${up}${secret.slice(1)}`, content: 'x' }], /leads out/);
    await trap('through', [{ name: 'etc', kind: 'link', target: peer.file('') }, { name: 'etc/secret', content: 'x' }], /below a link/);
    await trap('hard', [{ name: 'x', kind: 'hard', target: secret }], /hard link/);
    await trap('device', [{ name: 'disk', kind: 'block' }], /a device/);
    await trap('large', [{ name: 'x', content: 'x'.repeat(5000) }], /more than the 4096/);
    await trap('etc-link', [{ name: 'etc', kind: 'link', target: '/etc' }], /password: /, { password: 'x' });
    await trap('shadow-link', [{ name: 'etc/', kind: 'folder' }, { name: 'etc/shadow', kind: 'link', target: '/etc/shadow' }], /password: /, { password: 'x' });
    await trap('resolver-link', [{ name: 'etc/', kind: 'folder' }, { name: 'etc/resolv.conf', kind: 'link', target: '/etc/resolv.conf' }], /nameserver: /, { nameserver: '192.0.2.1' });
    await trap('no-root', [{ name: 'etc/', kind: 'folder' }, { name: 'etc/shadow', content: 'x:*::\n' }], /password: .*no account root/, { password: 'x' });
    t.equal(readFileSync(secret, 'utf8'), 'as it was');
    t.equal(readFileSync('/etc/shadow', 'utf8'), passwd);
    t.notOk((await lxc('list', '--all', '--name')).stdout.includes('caught'));
    t.notOk(readdirSync(containers).some((name) => name.startsWith('caught')));
    t.same(leftovers(world), []);
  });
});
