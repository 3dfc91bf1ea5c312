import { element, writeXml, type XmlNode } from '../../xml.js';
import { Resource, type Bounds, type DescribedDisk, type Descriptor, type DiskFormat } from './descriptor.js';

/** What a descriptor of ours says of a disk beyond what is read. */
export interface WrittenDisk extends DescribedDisk {
  /** bytes of its file */
  readonly size: bigint;
}

type NewDescriptor = Omit<Descriptor, 'disks'> & { readonly disks: readonly WrittenDisk[] };

const ENVELOPE = 'http://schemas.dmtf.org/ovf/envelope/1';
const CIM = 'http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2';

const SYSTEMS: Readonly<Record<Descriptor['type'], string>> = { vm: 'kvm', container: 'lxc' };
const FORMATS: Readonly<Record<DiskFormat, string>> = { raw: 'raw', qcow2: 'qcow2', tar: 'tar.gz' };

/** Of CIM_ResourceAllocationSettingData.ResourceType (DSP1041): a disk. */
const DISK = '17';

const info = (words: string): XmlNode => element('Info', {}, words);

/** The descriptor of a template, as other readers of OVF take it too. @param name of the template */
export function writeDescriptor(name: string, { type, arch, vcpus, memory, bridges, disks }: NewDescriptor): string {
  const items = itemsOf(vcpus, memory, bridges, type === 'vm' ? disks : []);
  const system = element('VirtualSystem', { 'ovf:id': name }, [
    info('A machine'),
    element('Name', {}, name),
    element('VirtualHardwareSection', {}, [
      info('What it is made of'),
      element('System', {}, [
        element('vssd:ElementName', {}, name),
        element('vssd:InstanceID', {}, '0'),
        element('vssd:VirtualSystemIdentifier', {}, name),
        element('vssd:VirtualSystemType', {}, `${SYSTEMS[type]}-${arch}`),
      ]),
      ...items,
    ]),
  ]);
  const networks = [...new Set(bridges.filter((bridge) => bridge !== ''))];
  return `<?xml version="1.0" encoding="UTF-8"?>\n${writeXml(element('Envelope', {
    xmlns: ENVELOPE, 'xmlns:ovf': ENVELOPE,
    'xmlns:rasd': `${CIM}/CIM_ResourceAllocationSettingData`, 'xmlns:vssd': `${CIM}/CIM_VirtualSystemSettingData`,
  }, [
    element('References', {}, disks.map(({ file, size }, index) => element('File', { 'ovf:id': `file${index + 1}`, 'ovf:href': file, 'ovf:size': String(size) }))),
    element('DiskSection', {}, [info('Its disks'), ...disks.map(({ capacity, format }, index) => element('Disk', {
      'ovf:diskId': `disk${index + 1}`, 'ovf:fileRef': `file${index + 1}`, 'ovf:capacity': String(capacity), 'ovf:format': FORMATS[format],
    }))]),
    networks.length > 0 ? element('NetworkSection', {}, [info('Its networks'), ...networks.map((bridge) => element('Network', { 'ovf:name': bridge }, [
      element('Description', {}, `the bridge ${bridge}`),
    ]))]) : undefined,
    system,
  ]))}\n`;
}

function itemsOf(vcpus: Bounds<number>, memory: Bounds<bigint>, bridges: readonly string[], disks: readonly DescribedDisk[]): XmlNode[] {
  let count = 0;
  const item = (resource: string, name: string, more: Readonly<Record<string, string>>, bound?: string): XmlNode => element('Item', { 'ovf:bound': bound },
    Object.entries({ ElementName: name, InstanceID: String(count += 1), ResourceType: resource, ...more }).sort().map(([key, value]) => element(`rasd:${key}`, {}, value)));
  const bounded = (resource: string, name: string, bounds: Bounds<number | bigint>, more: Readonly<Record<string, string>>): XmlNode[] => (['normal', 'min', 'max'] as const)
    .flatMap((bound) => {
      const value = bounds[bound];
      return value === undefined ? [] : [item(resource, name, { VirtualQuantity: String(value), ...more }, bound === 'normal' ? undefined : bound)];
    });
  return [
    ...bounded(Resource.CPU, 'CPUs', vcpus, {}),
    ...bounded(Resource.MEMORY, 'Memory', memory, { AllocationUnits: 'byte' }),
    ...bridges.map((bridge) => item(Resource.ETHERNET, 'Network', { AutomaticAllocation: 'true', ...(bridge !== '' && { Connection: bridge }) })),
    ...disks.map((_, index) => item(DISK, 'Disk', { HostResource: `ovf:/disk/disk${index + 1}` })),
  ];
}
