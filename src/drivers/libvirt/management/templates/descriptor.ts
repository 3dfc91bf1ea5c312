import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { ArgoError } from '../../../../kit/errors.js';
import { entryOf } from '../../../../kit/tables.js';
import { child, children, isElement, text, type Element } from '../../xml.js';
import { isFileName } from './names.js';
import { bytesOf } from './units.js';

/**
 * The descriptor of a template: as much of OVF 1.x (DMTF DSP0243) as says what a machine is made of. It is what OpenNode's
 * management server wrote in 2011, with its type of system (`kvm-x86_64`, `openvz`), so that its templates can be read.
 * docs/templates.md has it for people.
 */

/** What a machine may have at least, has where nobody says otherwise, and may have at most. */
export interface Bounds<T> {
  readonly min: T;
  readonly normal: T;
  readonly max: T | undefined;
}

/** `tar`: an archive of a container's root, however compressed. */
export type DiskFormat = 'raw' | 'qcow2' | 'tar';

export interface DescribedDisk {
  /** name of a file beside the descriptor */
  readonly file: string;
  readonly format: DiskFormat;
  /** bytes that a machine sees; of an archive: what it takes when it is unpacked, at most */
  readonly capacity: bigint;
}

export interface Descriptor {
  readonly type: 'vm' | 'container';
  readonly arch: string;
  readonly vcpus: Bounds<number>;
  /** bytes */
  readonly memory: Bounds<bigint>;
  /** for each network interface, the bridge on which it was */
  readonly bridges: readonly string[];
  /** of a container: exactly one */
  readonly disks: readonly DescribedDisk[];
}

/** Characters of a descriptor: real ones have some ten thousand. */
export const DESCRIPTOR_MOST = 256 * 1024;

/** As many as libvirt's first bus of disks has names for, and as a machine has slots for. */
export const DISKS_MOST = 24;
const INTERFACES_MOST = 8;

const VCPUS_MOST = 4096;
const BYTES_MOST = 1n << 56n;

/**
 * The most that may stand behind a disk of so many bytes, and that an image of it may take. OpenNode's server took for the
 * size of a disk what the file systems on it hold, without what else is on it.
 */
export const mostOf = (capacity: bigint): bigint => 2n * capacity + 64n * 1024n * 1024n;

/** Of CIM_ResourceAllocationSettingData.ResourceType (DSP1041). */
export const Resource = { CPU: '3', MEMORY: '4', ETHERNET: '10' } as const;

/** First part of a type of system; the second is its architecture. */
const TYPES: Readonly<Record<string, Descriptor['type']>> = { kvm: 'vm', qemu: 'vm', hvm: 'vm', lxc: 'container', openvz: 'container' };
const ARCH_USUAL = 'x86_64';

/** How disks' formats are called: by a word, or by a place on the web where they are described. */
const FORMATS: readonly (readonly [DiskFormat, RegExp])[] = [
  ['qcow2', /^qcow2$|qcow/i],
  ['raw', /^raw$|[/.#]raw\b/i],
  ['tar', /^(tar|tgz|tar\.(gz|xz|bz2|zst))$/i],
];

const LISTS = new Set(['File', 'Disk', 'Item', 'Config', 'VirtualSystem', 'VirtualHardwareSection']);

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  removeNSPrefix: true,
  parseAttributeValue: false,
  parseTagValue: false,
  isArray: (name) => LISTS.has(name),
});

const broken = (words: string, cause?: unknown): ArgoError => new ArgoError('FAILED', `its descriptor ${words}`, { cause });

/**
 * @param xml what is left when bytes that are no UTF-8 have been replaced
 * @throws ArgoError FAILED, with what is wrong
 */
export function parseDescriptor(xml: string): Descriptor {
  const envelope = envelopeOf(xml);
  const systems = children(envelope, 'VirtualSystem');
  const [system] = systems;
  if (system === undefined) throw broken('describes no machine');
  if (systems.length > 1) throw broken('describes several machines');
  const [hardware] = children(system, 'VirtualHardwareSection');
  if (hardware === undefined) throw broken('has no VirtualHardwareSection');
  if (children(hardware, 'Config').some(isUefi)) throw broken('wants UEFI, and a machine made from a template starts by a BIOS');
  const { type, arch } = systemType(hardware);
  const items = children(hardware, 'Item');
  const vcpus = bounds(items, Resource.CPU, (item) => BigInt(whole(item, 'VirtualQuantity')));
  const disks = disksOf(envelope, type);
  if (vcpus.normal > VCPUS_MOST) throw broken(`wants ${vcpus.normal} CPUs`);
  return {
    type, arch, disks,
    vcpus: { min: Number(vcpus.min), normal: Number(vcpus.normal), max: vcpus.max === undefined ? undefined : Number(vcpus.max) },
    memory: bounds(items, Resource.MEMORY, memoryOf),
    bridges: items.filter((item) => text(item, 'ResourceType') === Resource.ETHERNET).slice(0, INTERFACES_MOST).map((item) => text(item, 'Connection') ?? ''),
  };
}

/** As VMware's products say it, and after them others (`vmw:Config vmw:key="firmware" vmw:value="efi"`); OVF itself has no word for it. */
const isUefi = (config: Element): boolean => text(config, '@key') === 'firmware' && text(config, '@value')?.toLowerCase() === 'efi';

/** No declarations of types and entities: what is written there could grow without limit, or bring other files in. */
function envelopeOf(xml: string): Element {
  if (xml.length > DESCRIPTOR_MOST) throw broken(`is longer than ${DESCRIPTOR_MOST} characters`);
  if (/<!(?!--)/.test(xml)) throw broken('has a DOCTYPE, an ENTITY or a CDATA section, none of which it may have');
  let document: unknown;
  try {
    const verdict = XMLValidator.validate(xml);
    if (verdict !== true) throw new Error(verdict.err.msg);
    document = parser.parse(xml);
  } catch (error) {
    throw broken('is no good XML', error);
  }
  const envelope = child(isElement(document) ? document : {}, 'Envelope');
  if (Object.keys(envelope).length === 0) throw broken('is no OVF envelope');
  return envelope;
}

function systemType(hardware: Element): Pick<Descriptor, 'type' | 'arch'> {
  const written = text(child(hardware, 'System'), 'VirtualSystemType') ?? '';
  const [, word = '', arch = ARCH_USUAL] = /^([a-z]+)(?:-([a-z0-9_]{1,32}))?$/.exec(written) ?? [];
  const type = entryOf(TYPES, word);
  if (type === undefined) throw broken(`is of a system that cannot be made here; known are ${Object.keys(TYPES).join(', ')}, each with "-" and an architecture`);
  return { type, arch };
}

/** The items of a resource, of which OVF has one for each bound (DSP0243, 8.4). */
function bounds(items: readonly Element[], resource: string, read: (item: Element) => bigint): Bounds<bigint> {
  const found = new Map<string, bigint>();
  for (const item of items.filter((one) => text(one, 'ResourceType') === resource)) {
    const bound = text(item, '@bound') ?? 'normal';
    if (!found.has(bound)) found.set(bound, read(item));
  }
  const name = resource === Resource.CPU ? 'CPUs' : 'memory';
  const normal = found.get('normal') ?? found.get('min');
  if (normal === undefined || normal < 1n) throw broken(`does not say how much ${name} it wants`);
  const min = found.get('min') ?? (resource === Resource.CPU ? 1n : normal);
  const max = found.get('max');
  if (min > normal || (max !== undefined && max < normal)) throw broken(`has bounds of its ${name} that exclude what it wants`);
  return { min, normal, max };
}

const memoryOf = (item: Element): bigint => sized(whole(item, 'VirtualQuantity'), text(item, 'AllocationUnits') ?? 'MegaBytes');

/** A quantity in digits. */
function whole(element: Element, name: string): string {
  const value = (text(element, name) ?? '').trim();
  if (!/^\d{1,18}$/.test(value)) throw broken(`has a ${name.replace('@', '')} that is no whole number`);
  return value;
}

function sized(quantity: string, unit: string): bigint {
  const bytes = bytesOf(BigInt(quantity), unit);
  if (bytes === undefined) throw broken('has a unit of sizes that is not known');
  if (bytes > BYTES_MOST) throw broken('has a size beyond all measure');
  return bytes;
}

function disksOf(envelope: Element, type: Descriptor['type']): DescribedDisk[] {
  const files = new Map(children(child(envelope, 'References'), 'File').map((file) => [text(file, '@id') ?? '', text(file, '@href') ?? '']));
  const disks = children(child(envelope, 'DiskSection'), 'Disk').map((disk): DescribedDisk => {
    const file = files.get(text(disk, '@fileRef') ?? '');
    if (file === undefined || !isFileName(file)) throw broken('has a disk whose file has no name that it may have: letters, digits, ".", "_" and "-"');
    if (text(disk, '@parentRef') !== undefined) throw broken(`has ${file} as a change to another disk`);
    return { file, format: formatOf(disk, file), capacity: sized(whole(disk, '@capacity'), text(disk, '@capacityAllocationUnits') ?? 'byte') };
  });
  if (disks.length > DISKS_MOST) throw broken(`has ${disks.length} disks`);
  if (new Set(disks.map(({ file }) => file)).size < disks.length) throw broken('has a file for two disks');
  const isFit = type === 'vm' ? disks.length > 0 && disks.every(({ format }) => format !== 'tar') : disks.length === 1 && disks[0]!.format === 'tar';
  if (!isFit) throw broken(type === 'vm' ? 'has no disk, or one that is an archive' : 'does not have exactly one disk, of the format tar.gz: the root of the container');
  return disks;
}

function formatOf(disk: Element, file: string): DiskFormat {
  const written = text(disk, '@format') ?? '';
  const format = FORMATS.find(([, pattern]) => pattern.test(written))?.[0];
  if (format === undefined) throw broken(`has ${file} in a format that cannot be used here; known are raw, qcow2 and, of a container's root, tar.gz`);
  return format;
}
