/** Bytes from the start of a disk that {@link recognise} looks at: Btrfs keeps its mark furthest out. */
export const PROBE_SIZE = 68 * 1024;

interface Mark {
  readonly format: string;
  readonly at: number;
  readonly bytes: Buffer;
}

const mark = (format: string, at: number, bytes: string): Mark => ({ format, at, bytes: Buffer.from(bytes, 'latin1') });

/**
 * Where each format puts its mark, as util-linux's libblkid and the formats' own documents have it.
 * Boot sectors come last: an NTFS or FAT volume ends its first sector like a partitioned disk.
 */
const MARKS: readonly Mark[] = [
  mark('xfs', 0, 'XFSB'),
  mark('qcow2', 0, 'QFI\xfb'),
  mark('vhdx', 0, 'vhdxfile'),
  mark('vhd', 0, 'conectix'),
  mark('vmdk', 0, 'KDMV'),
  mark('luks', 0, 'LUKS\xba\xbe'),
  mark('squashfs', 0, 'hsqs'),
  mark('lvm2', 512, 'LABELONE'),
  mark('lvm2', 0, 'LABELONE'),
  mark('btrfs', 65_600, '_BHRfS_M'),
  mark('iso9660', 32_769, 'CD001'),
  mark('swap', 4086, 'SWAPSPACE2'),
  mark('swap', 65_526, 'SWAPSPACE2'),
  mark('ntfs', 3, 'NTFS    '),
  mark('exfat', 3, 'EXFAT   '),
  mark('vfat', 82, 'FAT32   '),
  mark('vfat', 54, 'FAT1'),
  mark('gpt', 512, 'EFI PART'),
  mark('mbr', 510, '\x55\xaa'),
];

const EXT_SUPERBLOCK = 1024;
const EXT_MAGIC = 0xef53;
/** The journal is what ext3 added to ext2 (compatible features). */
const EXT_HAS_JOURNAL = 0x0004;
/** Incompatible features that ext3 does not have: extents, 64bit, mmp, flex_bg and whatever came later. */
const EXT4_INCOMPATIBLE = ~0x001f;
/** Read-only compatible features beyond ext3's sparse_super, large_file and btree_dir. */
const EXT4_READ_ONLY = ~0x0007;

function extVersion(head: Buffer): string | undefined {
  if (head.length < EXT_SUPERBLOCK + 0x68 || head.readUInt16LE(EXT_SUPERBLOCK + 0x38) !== EXT_MAGIC) return undefined;
  const [compatible, incompatible, readOnly] = [0x5c, 0x60, 0x64].map((at) => head.readUInt32LE(EXT_SUPERBLOCK + at));
  if (((incompatible ?? 0) & EXT4_INCOMPATIBLE) !== 0 || ((readOnly ?? 0) & EXT4_READ_ONLY) !== 0) return 'ext4';
  return ((compatible ?? 0) & EXT_HAS_JOURNAL) !== 0 ? 'ext3' : 'ext2';
}

/**
 * The file system, image format or kind of partition table at the start of a disk.
 * @param head its first {@link PROBE_SIZE} bytes, or all of a smaller one
 * @returns undefined for what it does not know, an empty disk too
 */
export function recognise(head: Buffer): string | undefined {
  const found = MARKS.find(({ at, bytes }) => head.subarray(at, at + bytes.length).equals(bytes));
  // Boot loaders leave their sector in front of an ext file system too.
  return found?.format === 'mbr' || !found ? extVersion(head) ?? found?.format : found.format;
}
