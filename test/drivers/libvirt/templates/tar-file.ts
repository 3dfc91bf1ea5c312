/** Writes archives that tar(1) itself would not make: POSIX ustar (IEEE 1003.1, pax, "ustar Interchange Format"). */

export interface TarMember {
  readonly name: string;
  /** default: a file */
  readonly kind?: 'file' | 'hard' | 'link' | 'char' | 'block' | 'folder' | 'pipe';
  readonly content?: string | Buffer;
  /** of a link */
  readonly target?: string;
  /** what its header says, where that is a lie */
  readonly size?: number;
  readonly mode?: number;
}

const FLAGS = { file: '0', hard: '1', link: '2', char: '3', block: '4', folder: '5', pipe: '6' } as const;
const BLOCK = 512;

/** @returns the whole archive, not compressed */
export function tarOf(members: readonly TarMember[]): Buffer {
  const parts = members.flatMap((member) => {
    const content = Buffer.from(member.content ?? '');
    return [header(member, member.size ?? content.length), content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

function header({ name, kind = 'file', target = '', mode = kind === 'folder' ? 0o755 : 0o644 }: TarMember, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, width: number): string => `${value.toString(8).padStart(width - 1, '0')}\0`;
  block.write(name, 0, 100);
  block.write(octal(mode, 8) + octal(0, 8) + octal(0, 8) + octal(size, 12) + octal(1_700_000_000, 12), 100);
  block.write('        ', 148);
  block.write(FLAGS[kind], 156);
  block.write(target, 157, 100);
  block.write('ustar\x0000', 257);
  block.write(octal(1, 8) + octal(3, 8), 329);
  block.write(`${octal(block.reduce((sum, byte) => sum + byte, 0), 7)} `, 148);
  return block;
}
