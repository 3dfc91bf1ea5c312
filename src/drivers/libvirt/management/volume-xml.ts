import { posix } from 'node:path';
import type { Volume } from '../../../protocols/libvirt/storage.js';
import { child, createReader, element, text, writeXml } from '../xml.js';

/** The description of a volume (https://libvirt.org/formatstorage.html). */

export interface VolumeDescription {
  readonly volume: Volume;
  readonly path: string;
  /** file, block, dir, network */
  readonly type: string;
  /** raw, qcow2, iso */
  readonly format: string;
  /** bytes that a machine sees */
  readonly capacity: bigint;
  /** bytes that it takes */
  readonly allocation: bigint;
  /** bytes of its file or device */
  readonly physical: bigint;
  /** the path of what it is made on */
  readonly backing?: string;
  /** seconds since 1970 of its last change; undefined where libvirt does not say */
  readonly changed?: number;
  /** the same for two names of one file, and for no two files: its times, to the nanosecond, and its length; undefined where libvirt does not tell them */
  readonly stamp?: string;
}

const read = createReader([]);

/** Units of sizes, of which libvirt itself writes bytes only. */
const bytes = (digits: string | undefined): bigint => (digits !== undefined && /^\d{1,20}$/.test(digits) ? BigInt(digits) : 0n);

/** @throws Error where it is not XML */
export function parseVolumeXml(volume: Volume, xml: string): VolumeDescription {
  const root = child(read(xml), 'volume');
  const target = child(root, 'target');
  const backing = text(child(root, 'backingStore'), 'path');
  const times = child(target, 'timestamps');
  const [changed, status] = [text(times, 'mtime'), text(times, 'ctime')];
  return {
    volume,
    path: posix.normalize(text(target, 'path') ?? volume.key),
    type: text(root, '@type') ?? 'file',
    format: text(child(target, 'format'), '@type') ?? 'raw',
    capacity: bytes(text(root, 'capacity')),
    allocation: bytes(text(root, 'allocation')),
    physical: bytes(text(root, 'physical')),
    ...(backing?.startsWith('/') ? { backing: posix.normalize(backing) } : {}),
    ...(changed === undefined ? {} : { changed: Number(changed) }),
    ...(changed === undefined || status === undefined ? {} : { stamp: [changed, status, text(times, 'btime') ?? '', text(root, 'physical') ?? ''].join(' ') }),
  };
}

/** A volume without content, which takes no more room than it must. @param size bytes that a machine sees */
export const emptyVolumeXml = (name: string, size: bigint, format: 'raw' | 'qcow2'): string => writeXml(element('volume', {}, [
  element('name', {}, name),
  element('capacity', { unit: 'bytes' }, String(size)),
  element('allocation', { unit: 'bytes' }, '0'),
  element('target', {}, [element('format', { type: format }), ...(format === 'qcow2' ? [element('compat', {}, '1.1')] : [])]),
]));
