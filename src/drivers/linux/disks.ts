import type { Disk } from '../driver.js';

/** Block devices, as lsblk(8) tells them in its oldest machine-readable form. */

export const DISKS_COMMAND = 'LC_ALL=C lsblk -b -P -o NAME,TYPE,FSTYPE,SIZE';

/** Kinds that carry no data of the host's own. */
const PASSED_OVER = new Set(['loop', 'rom']);

/** A volume on several disks is printed below each of them, and counts once. */
export function parseDisks(output: string): Disk[] {
  const disks = new Map<string, Disk>();
  for (const line of output.split('\n')) {
    const values = Object.fromEntries([...line.matchAll(/([A-Z]+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key, unescape(value)]));
    const { NAME: target, TYPE: type, FSTYPE: format, SIZE: size } = values;
    if (!target || !type || PASSED_OVER.has(type) || disks.has(target)) continue;
    disks.set(target, {
      target,
      type: type === 'disk' ? 'block' : type,
      ...(format ? { format } : {}),
      ...(size !== undefined && /^\d+$/.test(size) ? { size: BigInt(size) } : {}),
      source: `/dev/${type === 'lvm' || type === 'crypt' ? 'mapper/' : ''}${target}`,
    });
  }
  return [...disks.values()];
}

/** lsblk writes blanks and controls as `\x20`. */
const unescape = (value: string): string => value.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
