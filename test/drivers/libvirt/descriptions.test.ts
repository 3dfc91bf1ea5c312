import t from 'tap';
import { parseHardware, withVcpus } from '../../../src/drivers/libvirt/management/hardware-xml.js';
import { findUsers, madeOn, namesOf } from '../../../src/drivers/libvirt/management/image-users.js';
import { machineXml } from '../../../src/drivers/libvirt/management/machine-xml.js';
import { halfMadeName, requireFileName, requireMachineName, wholeName } from '../../../src/drivers/libvirt/management/names.js';
import { needsOf } from '../../../src/drivers/libvirt/management/os-variants.js';
import { parseOwnDisks } from '../../../src/drivers/libvirt/management/own-disks.js';
import { parseUse } from '../../../src/drivers/libvirt/management/uses.js';
import { emptyVolumeXml, parseVolumeXml } from '../../../src/drivers/libvirt/management/volume-xml.js';
import { createReader, element, writeXml } from '../../../src/drivers/libvirt/xml.js';

/** Descriptions that are read and written, without a libvirt. */

const volume = (name: string, more = '', path = `/pool/${name}`) => parseVolumeXml({ pool: 'default', name, key: path },
  `<volume type='file'><name>${name}</name><key>${path}</key><capacity unit='bytes'>8388608</capacity><allocation unit='bytes'>200704</allocation><physical unit='bytes'>196616</physical>
  <target><path>${path}</path><format type='qcow2'/><permissions><mode>0600</mode></permissions>
  <timestamps><atime>1764420000.1</atime><mtime>1764420001.25</mtime><ctime>1764420002.000000001</ctime><btime>0</btime></timestamps></target>${more}</volume>`);

await t.test('a volume', async (t) => {
  t.match(volume('over', '<backingStore><path>/pool/../pool/base</path><format type="qcow2"/></backingStore>'), {
    path: '/pool/over', type: 'file', format: 'qcow2', capacity: 8_388_608n, allocation: 200_704n, physical: 196_616n, backing: '/pool/base', changed: 1_764_420_001.25,
    stamp: '1764420001.25 1764420002.000000001 0 196616',
  });
  t.equal(volume('alone', '<backingStore/>').backing, undefined);
  t.equal(volume('far', '<backingStore><path>rbd:pool/image</path></backingStore>').backing, undefined);
  t.match(parseVolumeXml({ pool: 'p', name: 'n', key: '/k' }, '<volume/>'), { path: '/k', type: 'file', format: 'raw', capacity: 0n });
  t.equal(emptyVolumeXml('a&<b>', 5n, 'raw'),
    '<volume><name>a&amp;&lt;b&gt;</name><capacity unit="bytes">5</capacity><allocation unit="bytes">0</allocation><target><format type="raw"/></target></volume>');
});

await t.test('what machines have, by path, by volume, and by what that is made on', async (t) => {
  const base = volume('base');
  const over = volume('over', '<backingStore><path>/pool/base</path></backingStore>');
  const free = volume('free');
  const round = volume('round', '<backingStore><path>/pool/round</path></backingStore>');
  const all = [base, over, free, round];
  const use = parseUse('1', 'web', [
    `<domain><os><loader>/usr/share/OVMF.fd</loader><nvram>/var/nvram/web.fd</nvram></os><devices>
      <disk type='file'><source file='/pool//over'/><backingStore type='file'><source file='/srv/./deep'/></backingStore></disk>
      <disk type='volume'><source pool='default' volume='round'/></disk></devices></domain>`,
    '<domain><devices><disk type="block"><source dev="/dev/vg/lv"/></disk></devices></domain>',
  ]);
  for (const path of ['/pool/over', '/srv/deep', '/usr/share/OVMF.fd', '/var/nvram/web.fd', '/dev/vg/lv']) t.ok(use.paths.has(path), path);
  t.same([...use.sources], ['/pool/over', '/srv/deep', '/dev/vg/lv']);
  const users = findUsers(all, [use, { ...use, id: '2', name: 'db' }]);
  t.same(all.map((each) => users.get(each)), [['db', 'web'], ['db', 'web'], undefined, ['db', 'web']]);
  t.same(madeOn(base, all), [over]);
  t.equal(namesOf(base, all).length, 4, 'all of one time and length');
});

await t.test('disks that are a machine\'s own', async (t) => {
  t.same(parseOwnDisks(`<domain><devices>
    <disk type='file' device='disk'><source file='/p/../p/a'/><target dev='vda'/></disk>
    <disk type='volume'><source pool='p' volume='b'/><target dev='vdb'/></disk>
    <disk type='block' device='lun'><source dev='/dev/sdx'/><target dev='sda'/></disk>
    <disk type='network' device='disk'><source protocol='rbd' name='pool/c'/><target dev='vdc'/></disk>
    <disk type='file' device='disk'><source file='/p/shared'/><target dev='vdd'/><shareable/></disk>
    <disk type='file' device='disk'><source file='/p/read'/><target dev='vde'/><readonly/></disk>
    <disk type='file' device='cdrom'><source file='/p/iso'/><target dev='sdb'/></disk>
    <disk type='file' device='floppy'><target dev='fda'/></disk></devices></domain>`), [
    { target: 'vda', path: '/p/a', words: '/p/../p/a' },
    { target: 'vdb', pool: 'p', volume: 'b', words: 'volume b of p' },
    { target: 'sda', path: '/dev/sdx', words: '/dev/sdx' },
    { target: 'vdc', path: 'pool/c', words: 'pool/c' },
  ]);
});

const HARDWARE = `<domain type='lxc' xmlns:x='urn:x'>
  <name>a &amp; b</name>
  <metadata><x:note>  <vcpu>7</vcpu> &lt;vcpu&gt; <!-- kept --></x:note></metadata>
  <memory unit='KiB'>65536</memory>
  <currentMemory unit='KiB'>32768</currentMemory>
  <vcpu placement='static' current='2'>4</vcpu>
  <cputune><period>50000</period><quota>25000</quota></cputune>
  <devices/>
</domain>`;

await t.test('CPUs and memory', async (t) => {
  t.same(parseHardware(HARDWARE), { vcpus: 2, mostVcpus: 4, memory: 32n << 20n, mostMemory: 64n << 20n, cpuLimit: 50 });
  t.same(parseHardware('<domain><memory unit="KiB">1024</memory><vcpu>1</vcpu><cputune><quota>-1</quota></cputune></domain>'),
    { vcpus: 1, mostVcpus: 1, memory: 1n << 20n, mostMemory: 1n << 20n });
  const changed = withVcpus(HARDWARE, 3);
  t.match(parseHardware(changed), { mostVcpus: 3, memory: 32n << 20n });
  t.equal(changed.replace('>3</vcpu>', '>4</vcpu>').replaceAll('"', '\''), HARDWARE, 'nothing else is changed');
  t.throws(() => withVcpus('<domain/>', 3));
});

await t.test('a machine that installs itself', async (t) => {
  const parts = {
    name: 'a&b', uuid: 'u', type: 'kvm', arch: 'x86_64', vcpus: 2, memory: (1n << 30n) + 1n, disks: [{ file: '/p/a"b.qcow2' }], iso: '/p/x.iso', nics: [],
    needs: needsOf('debian12', 'linux'), apic: true, acpi: true,
  };
  const xml = machineXml(parts);
  for (const part of ['<domain type="kvm"><name>a&amp;b</name>', '<memory unit="KiB">1048577</memory>', 'file="/p/a&quot;b.qcow2"', '<features><acpi/><apic/></features>', 'dev="vda" bus="virtio"',
    '<boot order="1"/></disk><disk type="file" device="cdrom">', 'listen="127.0.0.1"']) t.ok(xml.includes(part), part);
  t.notOk(xml.includes('<interface'));
  const other = machineXml({ ...parts, type: 'qemu', disks: [{ device: '/dev/vg/lv' }], nics: [{ network: 'default' }], needs: needsOf('Win11', ''), apic: false, acpi: false });
  for (const part of ['<features/>', 'dev="sda" bus="sata"', 'dev="sdb" bus="sata"', '<source dev="/dev/vg/lv"/>', '<model type="e1000e"/>', '<clock offset="localtime"/>']) t.ok(other.includes(part), part);
  t.notOk(other.includes('<cpu'));
  const copied = machineXml({ ...parts, iso: undefined, disks: [{ file: '/p/1' }, { file: '/p/2' }], nics: [{ bridge: 'br0' }, { network: 'default' }] });
  for (const part of ['dev="vdb" bus="virtio"/></disk>', '<interface type="bridge"><source bridge="br0"/>', '<interface type="network"><source network="default"/>']) t.ok(copied.includes(part), part);
  t.notOk(copied.includes('cdrom'));
  t.same(needsOf('nobody-knows', 'linux'), needsOf('generic', 'linux'));
  t.same(needsOf('nobody-knows', 'windows'), needsOf('win10', 'windows'));
  t.throws(() => machineXml({ ...parts, iso: '/a\u0000b' }), RangeError);
});

await t.test('XML that is written is read as it was', async (t) => {
  const hard = '<&>"\' ]]> \u00e4';
  const node = element('a', { b: hard, none: undefined }, [element('c', {}, hard), undefined, element('d')]);
  t.same(createReader([])(writeXml(node)), { a: { '@b': hard, c: hard, d: '' } });
});

await t.test('a description that would keep everybody waiting is not read', async (t) => {
  const refused = { name: 'ArgoError', phrase: 'FAILED', detail: /at a length/ };
  const text = 'x'.repeat(1024 * 1024 - 7);
  t.equal(createReader([])(`<a>${text}</a>`).a, text);
  t.throws(() => createReader([])(`<a>${text}x</a>`), refused);
  for (const part of ['<b/>', '<b c="d"/>']) t.throws(() => createReader([])(`<a>${part.repeat(100_000)}</a>`), refused, part);
  t.throws(() => withVcpus(`<domain><vcpu>1</vcpu>${'<b/>'.repeat(100_000)}</domain>`, 2), refused);
});

await t.test('names', async (t) => {
  for (const name of ['a', 'Debian-12.3_x.iso', '0']) {
    requireFileName(name);
    requireMachineName(name);
  }
  for (const name of ['', '.', '..', 'a..b', '-rf', '/a', 'a/b', 'a\n', 'a b', '\u00e4', 'a\u0000', 'x'.repeat(129), halfMadeName('a', 'task-1')]) {
    t.throws(() => requireFileName(name), /BAD REQUEST: name: /, JSON.stringify(name));
    t.throws(() => requireMachineName(name), /BAD REQUEST: name: /, JSON.stringify(name));
  }
  t.equal(wholeName(halfMadeName('a.qcow2', 'ab-12')), 'a.qcow2');
  t.equal(wholeName('a.argo-.x'), undefined);
  t.throws(() => halfMadeName('a', '../x'), /INTERNAL ERROR/);
});
