import { Embedded, type Properties } from './cim.js';
import type { HyperV } from './hyperv.js';
import { readXml, type XmlElement } from './xml.js';
import { guid, type Vm, type VmDisk } from './vm.js';

/** The settings and readings of virtual machines as instances of Msvm_* classes. */

/** Where a class of settings tells what its defaults are, beside those of machines. */
const DEFINITION = 'Microsoft:Definition\\6A45335D-4C3A-44B7-B61F-C9808BBDF8ED';

export const settingId = (vm: Vm): string => `Microsoft:${vm.id}`;
const checkpointId = (vm: Vm, name: string): string => guid('checkpoint', vm.id, name);

/** Settings of the machine that runs, and of each of its checkpoints. */
export function systemSettings(hyperv: HyperV, vm: Vm): Properties[] {
  const isV2 = hyperv.version === 'v2';
  const describe = (id: string, name: string, isRealized: boolean): Properties => ({
    InstanceID: `Microsoft:${id}`, ElementName: name, Caption: isRealized ? 'Virtual Machine Settings' : 'Virtual Machine Snapshot Settings', Description: 'Active settings for the virtual machine.',
    CreationTime: vm.createdAt,
    ...(isV2
      ? {
          VirtualSystemIdentifier: vm.id, VirtualSystemType: `Microsoft:Hyper-V:${isRealized ? 'System' : 'Snapshot'}:Realized`, VirtualSystemSubType: 'Microsoft:Hyper-V:SubType:2',
          Version: '10.0', Notes: vm.notes === '' ? [] : [vm.notes], AutomaticStartupAction: vm.startup, ConfigurationDataRoot: `D:\\VMs\\${vm.name}`,
        }
      : { SystemName: vm.id, SettingType: isRealized ? 3 : 5, Notes: vm.notes, BaseBoardSerialNumber: '0000', BIOSGUID: `{${vm.id}}` }),
  });
  return [describe(vm.id, vm.name, true), ...vm.checkpoints.map((name) => describe(checkpointId(vm, name), name, false))];
}

/** Those that can be changed here, with their types in the class's MOF. */
const CHANGEABLE = new Map([['InstanceID', 'string'], ['AutomaticStartupAction', 'uint16']]);

/** Settings as a method takes them: an instance written as text (DSP0201). @returns undefined where it is none, or names what cannot be changed here */
export function readSystemSettings(text: string): Map<string, string> | undefined {
  let instance: XmlElement;
  try {
    instance = readXml(text);
  } catch {
    return undefined;
  }
  if (instance.name !== 'INSTANCE' || instance.attributes.get('CLASSNAME') !== 'Msvm_VirtualSystemSettingData') return undefined;
  const found = new Map<string, string>();
  for (const { name, attributes, children: [value, ...more] } of instance.children) {
    const property = attributes.get('NAME') ?? '';
    if (name !== 'PROPERTY' || value?.name !== 'VALUE' || more.length > 0 || attributes.get('TYPE') !== CHANGEABLE.get(property)) return undefined;
    found.set(property, value.text);
  }
  return found;
}

/** Settings of a kind, of all machines and their checkpoints; and the definitions of that kind, which belong to none. */
function resources(vms: readonly Vm[], definition: Properties, each: (vm: Vm, owner: string) => Properties[]): Properties[] {
  const definitions = ['Default', 'Minimum', 'Maximum', 'Increment'].map((range) => ({ ...definition, InstanceID: `${DEFINITION}\\${range}` }));
  return [...definitions, ...vms.flatMap((vm) => [vm.id, ...vm.checkpoints.map((name) => checkpointId(vm, name))].flatMap((owner) => each(vm, owner)))];
}

export const ethernetPorts = ({ vms, version }: HyperV): Properties[] => resources(vms, { ElementName: 'Ethernet Port', Address: null, ResourceType: 10, StaticMacAddress: false, VirtualSystemIdentifiers: [] }, (vm, owner) =>
  vm.nics.map(({ id, mac }) => ({
    InstanceID: `Microsoft:${owner}\\${id}`, ElementName: 'Network Adapter', Address: mac, ResourceType: 10, StaticMacAddress: false, VirtualSystemIdentifiers: [`{${id}}`],
    ResourceSubType: version === 'v2' ? 'Microsoft:Hyper-V:Synthetic Ethernet Port' : 'Microsoft Synthetic Ethernet Port',
  })));

/** The addresses that guests tell of; a card that tells none has none of the lists. */
export const guestAdapters = ({ vms }: HyperV): Properties[] => vms.flatMap((vm) => vm.nics.map((nic) => {
  const addresses = vm.addressesOf(nic);
  return {
    InstanceID: `Microsoft:GuestNetwork\\${vm.id}\\${nic.id}`, DHCPEnabled: true, ProtocolIFType: addresses.length > 0 ? 4098 : 0, IPAddresses: addresses,
    IPAddressOrigins: addresses.map(() => 3), Subnets: addresses.map((each) => (each.includes(':') ? '/64' : '255.255.255.0')), DefaultGateways: [], DNSServers: [],
  };
}));

const DISK_DEFINITION = { ElementName: 'Hard Disk Image', ResourceType: 31, ResourceSubType: 'Microsoft:Hyper-V:Virtual Hard Disk', HostResource: [], Parent: '' };

/** Files behind drives: disks, and one ISO image. */
export const storage = ({ vms }: HyperV): Properties[] => resources(vms, DISK_DEFINITION, (vm, owner) => {
  const controller = guid('controller', vm.id);
  const drive = (place: number): string => `\\\\HV1\\root\\virtualization\\v2:Msvm_ResourceAllocationSettingData.InstanceID="Microsoft:${owner}\\\\${controller}\\\\0\\\\${place}\\\\D"`;
  const disks = vm.disks.map(({ path }, place) => ({ ...DISK_DEFINITION, InstanceID: `Microsoft:${owner}\\${controller}\\0\\${place}\\L`, HostResource: [path], Parent: drive(place) }));
  const place = disks.length;
  return [...disks, {
    ...DISK_DEFINITION, InstanceID: `Microsoft:${owner}\\${controller}\\0\\${place}\\L`, ElementName: 'ISO Disk Image', ResourceSubType: 'Microsoft:Hyper-V:Virtual CD/DVD Disk',
    HostResource: ['D:\\ISO\\debian-12.iso'], Parent: drive(place),
  }];
});

/** The same in version 1, where drives and files are of one class. */
export const storageV1 = ({ vms }: HyperV): Properties[] => resources(vms, { ElementName: 'Hard Disk Image', ResourceType: 21, ResourceSubType: 'Microsoft Virtual Hard Disk', Connection: [] }, (vm, owner) =>
  vm.disks.map(({ path }, place) => ({
    InstanceID: `Microsoft:${owner}\\83F8638B-8DCA-4152-9EDA-2CA8B33039B4\\0\\${place}\\L`, ElementName: 'Hard Disk Image', ResourceType: 21, ResourceSubType: 'Microsoft Virtual Hard Disk', Connection: [path],
  })));

export const processors = ({ vms }: HyperV): Properties[] => resources(vms, { ElementName: 'Processor', VirtualQuantity: 1n, ResourceType: 3 }, (vm, owner) =>
  [{ InstanceID: `Microsoft:${owner}\\b637f346-6a0e-4dec-af52-bd70cb80a21d\\0`, ElementName: 'Processor', VirtualQuantity: BigInt(vm.processors), ResourceType: 3 }]);

export const memories = ({ vms }: HyperV): Properties[] => resources(vms, { ElementName: 'Memory', VirtualQuantity: 32n, AllocationUnits: 'byte * 2^20', ResourceType: 4 }, (vm, owner) =>
  [{ InstanceID: `Microsoft:${owner}\\4764334d-e001-4176-82ee-5594ec9b530e`, ElementName: 'Memory', VirtualQuantity: BigInt(vm.memory), AllocationUnits: 'byte * 2^20', ResourceType: 4 }]);

/** By the numbers of GetSummaryInformation's RequestedInformation. */
const SUMMARY = new Map<number, string>([[0, 'Name'], [1, 'ElementName'], [2, 'CreationTime'], [3, 'Notes'], [4, 'NumberOfProcessors'], [100, 'EnabledState'], [101, 'ProcessorLoad'],
  [103, 'MemoryUsage'], [104, 'Heartbeat'], [105, 'UpTime'], [106, 'GuestOperatingSystem'], [109, 'HealthState'], [110, 'OperationalStatus']]);

export function summary(hyperv: HyperV, vm: Vm): Properties {
  const runs = vm.state === 'running' || vm.state === 'paused';
  return {
    ...(hyperv.version === 'v2' && { InstanceID: settingId(vm), HostComputerSystemName: 'HV1', VirtualSystemSubType: 'Microsoft:Hyper-V:SubType:2', Version: '10.0' }),
    Name: vm.id, ElementName: vm.name, CreationTime: vm.createdAt, Notes: vm.notes, NumberOfProcessors: vm.processors, EnabledState: hyperv.enabledState(vm),
    ProcessorLoad: vm.state === 'running' ? vm.load : runs ? 0 : null, MemoryUsage: runs ? BigInt(vm.memory) : null, Heartbeat: vm.hasServices ? 2 : null, UpTime: BigInt(vm.onTime),
    GuestOperatingSystem: vm.hasServices ? vm.guestSystem : null, HealthState: 5, OperationalStatus: [2],
  };
}

/** What was asked for; the rest is not told. */
export function summaryPart(hyperv: HyperV, vm: Vm, wanted: readonly string[]): Embedded {
  const all = summary(hyperv, vm);
  const names = new Set(wanted.map((number) => SUMMARY.get(Number(number))));
  return new Embedded(hyperv.namespace, 'Msvm_SummaryInformation', Object.fromEntries(Object.entries(all).map(([name, value]) => [name, names.has(name) || name === 'InstanceID' ? value : null])));
}

const escapeOnce = (text: string): string => text.replace(/[&<>"]/g, (each) => `&#${each.charCodeAt(0)};`);
const property = (name: string, type: string, value: string): string => `<PROPERTY NAME="${name}" TYPE="${type}"><VALUE>${escapeOnce(value)}</VALUE></PROPERTY>`;

/** What a guest tells by itself: each an instance, written as text (Msvm_KvpExchangeDataItem). */
export function intrinsicItems(vm: Vm): string[] {
  const addresses = vm.nics.flatMap((nic) => vm.addressesOf(nic));
  const told: Readonly<Record<string, string>> = {
    FullyQualifiedDomainName: vm.name, OSName: vm.guestSystem, OSVersion: '6.1.0', ProcessorArchitecture: '9',
    NetworkAddressIPv4: addresses.filter((each) => !each.includes(':')).join(';'), NetworkAddressIPv6: addresses.filter((each) => each.includes(':')).join(';'),
  };
  return Object.entries(told).map(([name, data]) => '<INSTANCE CLASSNAME="Msvm_KvpExchangeDataItem"><PROPERTY NAME="Caption" TYPE="string"></PROPERTY>'
    + `${property('Data', 'string', data)}${property('Name', 'string', name)}${property('Source', 'uint16', '2')}</INSTANCE>`);
}

/** Msvm_VirtualHardDiskSettingData as GetVirtualHardDiskSettingData tells it. */
export const diskSettings = ({ path, size }: VmDisk): string => '<INSTANCE CLASSNAME="Msvm_VirtualHardDiskSettingData">'
  + `${property('Path', 'string', path)}${property('Type', 'uint16', '3')}${property('Format', 'uint16', '3')}${property('MaxInternalSize', 'uint64', String(size))}</INSTANCE>`;

/** Msvm_VirtualHardDiskState as GetVirtualHardDiskState tells it. */
export const diskState = ({ used }: VmDisk): string => '<INSTANCE CLASSNAME="Msvm_VirtualHardDiskState">'
  + `${property('FileSize', 'uint64', String(used))}${property('Alignment', 'uint32', '0')}<PROPERTY NAME="InUse" TYPE="boolean"><VALUE>TRUE</VALUE></PROPERTY></INSTANCE>`;

/** Msvm_VirtualHardDiskInfo of version 1. */
export const diskInfo = ({ path, size, used }: VmDisk): string => '<INSTANCE CLASSNAME="Msvm_VirtualHardDiskInfo">'
  + `${property('ParentPath', 'string', '')}${property('Path', 'string', path)}${property('MaxInternalSize', 'uint64', String(size))}${property('FileSize', 'uint64', String(used))}</INSTANCE>`;
