import * as v from 'valibot';
import type { LogicalVolume, VolumeGroup } from '../../../drivers/management/storage.js';
import { ArgoError } from '../../../kit/errors.js';
import { diskMegabytes, gigabytesOrNone, imageFile, memoryMegabytes, newMachine, yesOrNone } from './params.js';
import { hostRow, type HostAsked, type Row } from './row.js';

/** Disk images, ISO images and volumes. */

const imagesOf = ({ actor, provider, signal }: HostAsked<unknown>) => actor.work('image.list', provider, {}, { signal });

/** A machine that is made from an ISO image has so many CPUs: the call does not say. */
const VCPUS_OF_NEW = 1;

export const imageRows: Readonly<Record<string, Row>> = {
  create_vm_from_iso: hostRow({
    params: {
      name: newMachine, os_variant: newMachine, os_type: newMachine, iso: imageFile, disk_size_gb: gigabytesOrNone,
      block_device: v.pipe(v.string('a path or "" is expected'), v.maxLength(255, 'is too long')), memory_mb: memoryMegabytes, noapic: yesOrNone, noacpi: yesOrNone,
    },
    operation: 'machine.install',
    run: async ({ actor, provider, order, args }) => {
      const { disk_size_gb: size, block_device: volume } = args;
      if ((size === undefined) === (volume === '')) throw new ArgoError('BAD REQUEST', 'exactly one of the size of a disk and the path of a volume is expected');
      await actor.work('machine.install', provider, {
        name: args.name, osVariant: args.os_variant, osType: args.os_type, iso: args.iso,
        disk: size === undefined ? { volume } : { size }, memory: args.memory_mb, vcpus: VCPUS_OF_NEW, apic: !args.noapic, acpi: !args.noacpi,
      }, order());
      return 0;
    },
  }),
  create_file_based_image: hostRow({
    params: { image: imageFile, size_mb: diskMegabytes }, operation: 'image.create',
    run: async ({ actor, provider, order, args: { image: name, size_mb: size } }) => {
      await actor.work('image.create', provider, { name, size, format: 'raw' }, order());
      return 0;
    },
  }),
  delete_file_based_image: hostRow({
    params: { image: imageFile }, operation: 'image.delete',
    run: async ({ actor, provider, signal, args: { image: name } }) => {
      await actor.work('image.delete', provider, { name }, { signal });
      // exit code, output and errors of the rm(1) that OMS had run
      return [0, '', ''];
    },
  }),
  list_file_based_images: hostRow({
    aliases: ['list_file_based_image'], operation: 'image.list', reads: true,
    run: async (asked) => (await imagesOf(asked)).filter(({ kind }) => kind === 'disk').map(({ name }) => name),
  }),
  list_file_based_images_used: hostRow({
    aliases: ['list_file_based_image_used'], operation: 'image.list', reads: true,
    run: async (asked) => (await imagesOf(asked)).filter(({ kind, usedBy }) => kind === 'disk' && usedBy.length > 0).map(({ name }) => name),
  }),
};

export const isoRows: Readonly<Record<string, Row>> = {
  list_images: hostRow({
    operation: 'image.list', reads: true,
    run: async (asked) => (await imagesOf(asked)).filter(({ kind }) => kind === 'iso').map(({ name }) => name),
  }),
};

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** A size as vgdisplay(8) writes it: two digits and the unit, a word each. */
function sizeWords(bytes: bigint): readonly [string, string] {
  let unit = 0;
  let whole = 1n;
  while (unit < UNITS.length - 1 && bytes >= whole * 1024n) {
    whole *= 1024n;
    unit += 1;
  }
  const hundredths = bytes * 100n / whole;
  return [`${hundredths / 100n}.${String(hundredths % 100n).padStart(2, '0')}`, UNITS[unit]!];
}

/** Lines of vgdisplay and lvdisplay as OMS handed them on: split at blanks. A line whose fact LVM has not told is left out. */
const lines = (...all: readonly (readonly [label: string, ...values: readonly (string | undefined)[]])[]): readonly (readonly string[])[] =>
  all.filter(([, ...values]) => values.every((value) => value !== undefined)).map(([label, ...values]) => [...label.split(' '), ...values as readonly string[]]);

const yes = (word: string | undefined, meaning: string): string | undefined => (word === undefined || word === '' ? undefined : meaning);

function groupLines({ name, uuid, size, free, extent, logicalVolumes, physicalVolumes, report }: VolumeGroup): readonly (readonly string[])[] {
  const attributes = report.vg_attr;
  const extents = (bytes: bigint): string => String(extent === 0n ? 0n : bytes / extent);
  return lines(
    ['VG Name', name], ['Format', report.vg_fmt], ['Metadata Areas', report.vg_mda_count], ['Metadata Sequence No', report.vg_seqno],
    ['VG Access', yes(attributes, attributes?.[0] === 'r' ? 'read' : 'read/write')], ['VG Status', yes(attributes?.[1] === 'z' ? 'z' : undefined, 'resizable')],
    ['MAX LV', report.max_lv], ['Cur LV', String(logicalVolumes)], ['Max PV', report.max_pv], ['Cur PV', String(physicalVolumes)],
    ['VG Size', ...sizeWords(size)], ['PE Size', ...sizeWords(extent)], ['Total PE', extents(size)],
    ['Alloc PE / Size', extents(size - free), '/', ...sizeWords(size - free)], ['Free PE / Size', extents(free), '/', ...sizeWords(free)], ['VG UUID', uuid],
  );
}

const volumeLines = ({ name, group, path, uuid, size }: LogicalVolume): readonly (readonly string[])[] =>
  lines(['LV Path', path], ['LV Name', name], ['VG Name', group], ['LV UUID', uuid], ['LV Size', ...sizeWords(size)]);

export const volumeRows: Readonly<Record<string, Row>> = {
  list_vg: hostRow({
    operation: 'volume.groups', reads: true,
    run: async ({ actor, provider, signal }) => (await actor.work('volume.groups', provider, {}, { signal })).map(groupLines),
  }),
  list_lv: hostRow({
    operation: 'volume.list', reads: true,
    run: async ({ actor, provider, signal }) => (await actor.work('volume.list', provider, {}, { signal })).map(volumeLines),
  }),
};
