/**
 * The header of a qcow2 image (QEMU's docs/interop/qcow2.txt), as far as it says on which other files it is built. It is read by
 * us, and not by qemu-img: that would open whatever a header names, and who can write an image can write its header.
 */

const MAGIC = 0x514649fb;
const HEADER = 104;
/** bit 2 of the incompatible features: the content is in a file elsewhere */
const EXTERNAL_DATA = 4n;
const BACKING_FORMAT = 0xe2792aca;
const DATA_FILE = 0x44415441;
/** of a name, by the format */
const LONGEST_NAME = 1023;

/** Bytes of a file's beginning in which all of that lies: one cluster, of which the smallest common one is read. */
export const QCOW2_BEGINNING = 65_536;

export interface Qcow2Header {
  /** bytes of the disk that it holds */
  readonly size: number;
  /** the file on which it is built, as the header names it */
  readonly backing: { readonly name: string; readonly format: string | undefined } | undefined;
}

/** @returns undefined where it is no such image, or one of which that cannot be told */
export function readQcow2(beginning: Buffer): Qcow2Header | undefined {
  if (beginning.length < 72 || beginning.readUInt32BE(0) !== MAGIC) return undefined;
  const version = beginning.readUInt32BE(4);
  if (version !== 2 && version !== 3 || version === 3 && beginning.length < HEADER) return undefined;
  const isExternal = version === 3 && (beginning.readBigUInt64BE(72) & EXTERNAL_DATA) !== 0n;
  const extensions = extensionsOf(beginning, version === 3 ? beginning.readUInt32BE(100) : 72);
  const size = Number(beginning.readBigUInt64BE(24));
  if (extensions === undefined || isExternal || extensions.has(DATA_FILE) || !Number.isSafeInteger(size)) return undefined;
  const [offset, length] = [Number(beginning.readBigUInt64BE(8)), beginning.readUInt32BE(16)];
  if (offset === 0) return { size, backing: undefined };
  if (length === 0 || length > LONGEST_NAME || offset + length > beginning.length) return undefined;
  return { size, backing: { name: beginning.toString('utf8', offset, offset + length), format: extensions.get(BACKING_FORMAT)?.toString('latin1') } };
}

function extensionsOf(beginning: Buffer, start: number): ReadonlyMap<number, Buffer> | undefined {
  const found = new Map<number, Buffer>();
  for (let at = start; at + 8 <= beginning.length;) {
    const [type, length] = [beginning.readUInt32BE(at), beginning.readUInt32BE(at + 4)];
    if (type === 0) return found;
    const end = at + 8 + length;
    if (end > beginning.length || found.has(type)) return undefined;
    found.set(type, beginning.subarray(at + 8, end));
    at = end + (8 - length % 8) % 8;
  }
  return undefined;
}
