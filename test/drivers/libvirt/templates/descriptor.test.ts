import t from 'tap';
import { DESCRIPTOR_MOST, parseDescriptor, type Descriptor } from '../../../../src/drivers/libvirt/management/templates/descriptor.js';
import { writeDescriptor } from '../../../../src/drivers/libvirt/management/templates/write-descriptor.js';
import { ovf } from './descriptors.js';

const MIB = 1024n * 1024n;

void t.test('a descriptor as OpenNode\'s server wrote it', (t) => {
  t.same(parseDescriptor(ovf({ vcpus: '2', memory: '256', bridge: 'vmbr0', capacity: '8878644224' })), {
    type: 'vm', arch: 'x86_64',
    vcpus: { min: 1, normal: 2, max: undefined },
    memory: { min: 256n * MIB, normal: 256n * MIB, max: undefined },
    bridges: ['vmbr0'],
    disks: [{ file: 'tiny1.img', format: 'qcow2', capacity: 8878644224n }],
  });
  t.match(parseDescriptor(ovf({ type: 'openvz', file: 'ubuntu.tar.gz', format: 'tar.gz' })), { type: 'container', disks: [{ format: 'tar' }] });
  t.end();
});

void t.test('units, formats and bounds of other programs', (t) => {
  const memory = (unit: string): bigint => parseDescriptor(ovf({ memory: '2048', unit })).memory.normal;
  t.equal(memory('byte * 2^20'), 2048n * MIB);
  t.equal(memory('KiloBytes'), 2n * MIB);
  t.equal(memory('byte * 2^10'), 2n * MIB);
  t.equal(memory('bytes'), 2048n);
  const format = (words: string): string => parseDescriptor(ovf({ format: words })).disks[0]!.format;
  t.equal(format('http://www.gnome.org/~markmc/qcow-image-format.html'), 'qcow2');
  t.equal(format('raw'), 'raw');
  const most = '<ovf:Item ovf:bound="max"><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>8</rasd:VirtualQuantity></ovf:Item>';
  t.same(parseDescriptor(ovf({ vcpus: '2', items: most })).vcpus, { min: 1, normal: 2, max: 8 });
  t.equal(parseDescriptor(ovf({ type: 'qemu-aarch64' })).arch, 'aarch64');
  t.end();
});

void t.test('what is written is read as the same', (t) => {
  const descriptors: Descriptor[] = [{
    type: 'vm', arch: 'x86_64', vcpus: { min: 1, normal: 4, max: 16 }, memory: { min: 64n * MIB, normal: 512n * MIB, max: undefined }, bridges: ['br0', '', 'br0'],
    disks: [{ file: 'web1.qcow2', format: 'qcow2', capacity: 1n << 40n }, { file: 'web2.qcow2', format: 'qcow2', capacity: 4096n }],
  }, {
    type: 'container', arch: 'aarch64', vcpus: { min: 1, normal: 1, max: undefined }, memory: { min: 1n, normal: 33n * MIB + 1n, max: 1n << 50n }, bridges: [],
    disks: [{ file: 'web.tar.gz', format: 'tar', capacity: 77n }],
  }];
  for (const descriptor of descriptors) {
    t.same(parseDescriptor(writeDescriptor('web', { ...descriptor, disks: descriptor.disks.map((disk) => ({ ...disk, size: 5n })) })), descriptor);
  }
  t.end();
});

void t.test('what is refused', (t) => {
  const refused: readonly (readonly [string, string, RegExp])[] = [
    ['nothing', '', /no good XML|no OVF envelope/],
    ['no XML', 'vcpus = 1', /no good XML|no OVF envelope/],
    ['cut off', ovf().slice(0, 900), /no good XML/],
    ['another document', '<domain type="kvm"><name>x</name></domain>', /no OVF envelope/],
    ['an entity of a file', ovf({ head: '<!DOCTYPE e [<!ENTITY f SYSTEM "file:///etc/passwd">]>', file: '&f;' }), /DOCTYPE/],
    ['entities that grow', ovf({ head: '<!DOCTYPE e [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' }), /DOCTYPE/],
    ['a CDATA section', ovf({ vcpus: '<![CDATA[1]]>' }), /CDATA/],
    ['too long', ovf({ head: `<!--${'x'.repeat(DESCRIPTOR_MOST)}-->` }), /longer than/],
    ['nested beyond all measure', `<Envelope>${'<a>'.repeat(60_000)}`, /no good XML/],
    ['another hypervisor', ovf({ type: 'vmx-07' }), /system that cannot be made here/],
    ['a type that objects have', ovf({ type: 'constructor' }), /system that cannot be made here/],
    ['UEFI', ovf({ items: '<vmw:Config xmlns:vmw="http://www.vmware.com/schema/ovf" ovf:required="false" vmw:key="firmware" vmw:value="efi"/>' }), /wants UEFI/],
    ['no memory', ovf({ memory: '' }), /VirtualQuantity/],
    ['negative memory', ovf({ memory: '-1' }), /VirtualQuantity/],
    ['memory of none', ovf({ memory: '0' }), /how much memory/],
    ['memory without end', ovf({ memory: '999999999999999999', unit: 'TeraBytes' }), /beyond all measure/],
    ['an unknown unit', ovf({ unit: 'furlongs' }), /unit/],
    ['a million CPUs', ovf({ vcpus: '1000000' }), /wants 1000000 CPUs/],
    ['a least that is more', ovf({ items: '<ovf:Item ovf:bound="max"><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>0</rasd:VirtualQuantity></ovf:Item>' }), /bounds/],
    ['a file elsewhere', ovf({ file: '../../etc/passwd' }), /no name that it may have/],
    ['an absolute file', ovf({ file: '/etc/passwd' }), /no name that it may have/],
    ['a file like an option', ovf({ file: '-rf' }), /no name that it may have/],
    ['a file on the web', ovf({ file: 'http://192.0.2.1/x.img' }), /no name that it may have/],
    ['a file with a newline', ovf({ file: 'a&#10;b' }), /no name that it may have/],
    ['no file', ovf({ file: '' }), /no name that it may have/],
    ['a format that is not known', ovf({ format: 'vmdk' }), /format/],
    ['an archive as a disk', ovf({ format: 'tar.gz' }), /archive/],
    ['a disk as a root', ovf({ type: 'lxc' }), /exactly one disk/],
    ['a file twice', ovf({ disks: '<ovf:Disk ovf:capacity="1" ovf:fileRef="diskfile1" ovf:format="raw"/>' }), /a file for two disks/],
    ['a change to another disk', ovf({ disks: '<ovf:Disk ovf:capacity="1" ovf:fileRef="diskfile1" ovf:parentRef="vmdisk1.img" ovf:format="raw"/>' }), /change to another disk/],
    ['a capacity that is no number', ovf({ capacity: '1e9' }), /capacity/],
    ['two machines', ovf().replace('</ovf:Envelope>', '<ovf:VirtualSystem/></ovf:Envelope>').replace('<ovf:VirtualSystem/>', '<ovf:VirtualSystem><a/></ovf:VirtualSystem>'), /several machines/],
  ];
  for (const [name, xml, words] of refused) t.throws(() => parseDescriptor(xml), { message: words }, name);
  t.end();
});

void t.test('what is configured besides, as a BIOS, is none of ours', (t) => {
  t.equal(parseDescriptor(ovf({ items: '<vmw:Config xmlns:vmw="http://www.vmware.com/schema/ovf" vmw:key="firmware" vmw:value="bios"/><Config/>' })).type, 'vm');
  t.end();
});
