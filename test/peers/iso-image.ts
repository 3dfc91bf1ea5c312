import { writeFileSync } from 'node:fs';

/** Bytes of a sector of a disc. */
const SECTOR = 2048;

/** In this order from sector 16 on, as ECMA-119 and El Torito (1.0) have it. */
const Sector = { VOLUME: 16, BOOT_RECORD: 17, END: 18, CATALOG: 19, PROGRAM: 20, ALL: 21 } as const;

/** sti; mov $0x3f8, %dx; mov $'!', %al; again: out %al, (%dx); hlt; jmp again: a `!` to the first serial port 18 times a second */
const PROGRAM = Buffer.from([0xfb, 0xba, 0xf8, 0x03, 0xb0, 0x21, 0xee, 0xf4, 0xeb, 0xfc]);

/** Writes a disc image that can be booted: who watches the first serial port sees `!!!`. There are no files on it. */
export function writeIso(path: string): void {
  const disc = Buffer.alloc(Sector.ALL * SECTOR);
  const at = (sector: number): Buffer => disc.subarray(sector * SECTOR, (sector + 1) * SECTOR);
  const describe = (sector: number, type: number): Buffer => {
    at(sector).writeUInt8(type);
    at(sector).write('CD001\x01', 1, 'latin1');
    return at(sector);
  };
  const volume = describe(Sector.VOLUME, 1);
  volume.fill(' ', 8, 72).writeUInt32LE(Sector.ALL, 80);
  volume.writeUInt32BE(Sector.ALL, 84);
  volume.writeUInt16LE(SECTOR, 128);
  volume.writeUInt16BE(SECTOR, 130);
  const record = describe(Sector.BOOT_RECORD, 0);
  record.write('EL TORITO SPECIFICATION', 7, 'latin1');
  record.writeUInt32LE(Sector.CATALOG, 71);
  describe(Sector.END, 255);
  writeCatalog(at(Sector.CATALOG));
  PROGRAM.copy(at(Sector.PROGRAM));
  writeFileSync(path, disc);
}

function writeCatalog(catalog: Buffer): void {
  catalog.writeUInt8(1);
  catalog.writeUInt16LE(0xaa55, 30);
  let sum = 0;
  for (let word = 0; word < 32; word += 2) sum += catalog.readUInt16LE(word);
  catalog.writeUInt16LE(-sum & 0xffff, 28);
  // bootable, no emulation of a floppy, four sectors of 512 bytes
  catalog.writeUInt8(0x88, 32);
  catalog.writeUInt16LE(SECTOR / 512, 38);
  catalog.writeUInt32LE(Sector.PROGRAM, 40);
}
