import { constants, type BigIntStats } from 'node:fs';
import { open, readFile, realpath, stat } from 'node:fs/promises';
import { basename, isAbsolute } from 'node:path';
import { ArgoError } from '../../kit/errors.js';
import type { Disk } from '../driver.js';
import type { DiskSpec } from './definition.js';
import { PROBE_SIZE, recognise } from './superblock.js';
import { unlessAborted } from '../../kit/within.js';

/** sysfs counts a block device in these, whatever its own sectors are. Bytes. */
const SYSFS_SECTOR = 512n;

/** Requests that may wait for their look at the disks. */
const MAX_WAITING = 64;

/**
 * Looks at the disks of domains from domain 0. A dead disk (a path lost, a server gone) can hold a
 * read in the kernel for ever, and with it one of the few threads that do the daemon's file work; so
 * there is one look at a time.
 */
export class DiskProbe {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  readonly #sysfs: string;

  /** @param sysfs where sysfs is mounted */
  constructor(sysfs: string) {
    this.#sysfs = sysfs;
  }

  /**
   * What carries each disk, its file system and its size, as far as they can be found out.
   * @throws ArgoError `TIMEOUT` when the disks do not answer, `BUSY` when too many wait for that already
   */
  async describe(specs: readonly DiskSpec[], signal: AbortSignal): Promise<Disk[]> {
    if (this.#waiting >= MAX_WAITING) throw new ArgoError('BUSY', 'too many wait for a look at disks; one of them may be dead');
    this.#waiting += 1;
    const look = this.#last.then(() => this.#lookAtAll(specs, signal)).finally(() => {
      this.#waiting -= 1;
    });
    this.#last = look.catch(() => undefined);
    return unlessAborted(look, signal, () => new ArgoError('TIMEOUT', 'its disks do not answer'));
  }

  async #lookAtAll(specs: readonly DiskSpec[], signal: AbortSignal): Promise<Disk[]> {
    const disks: Disk[] = [];
    for (const spec of specs) {
      if (signal.aborted) break;
      disks.push(await this.#look(spec));
    }
    return disks;
  }

  async #look({ vdev: target, path, format: declared, script }: DiskSpec): Promise<Disk> {
    if (path === '') return { target, type: 'empty' };
    const format = declared === undefined ? {} : { format: declared };
    const known = { target, source: path };
    if (script !== undefined || !isAbsolute(path)) return { ...known, type: 'network', ...format };
    const stats = await stat(path, { bigint: true }).catch(() => undefined);
    if (!stats) return { ...known, type: 'missing', ...format };
    if (!stats.isBlockDevice() && !stats.isFile()) return { ...known, type: 'special', ...format };
    const found = await probe(path).catch(() => undefined);
    const described = { ...known, ...format, ...(found !== undefined && { format: found }) };
    if (!stats.isBlockDevice()) return { ...described, type: 'file', size: stats.size };
    const size = await this.#blockSize(stats).catch(() => undefined);
    return { ...described, type: await this.#blockType(path), ...(size !== undefined && { size }) };
  }

  async #blockSize({ rdev }: BigIntStats): Promise<bigint> {
    const { major, minor } = deviceNumber(rdev);
    return BigInt((await readFile(`${this.#sysfs}/dev/block/${major}:${minor}/size`, 'latin1')).trim()) * SYSFS_SECTOR;
  }

  /** The device mapper says whose a device is: LVM's begin with `LVM-`. */
  async #blockType(path: string): Promise<string> {
    const device = basename(await realpath(path).catch(() => path));
    const owner = await readFile(`${this.#sysfs}/class/block/${device}/dm/uuid`, 'latin1').catch(() => '');
    return owner.startsWith('LVM-') ? 'lvm' : 'block';
  }
}

/** How Linux packs a device's two numbers (gnu_dev_major in glibc's sys/sysmacros.h). */
function deviceNumber(device: bigint): { readonly major: bigint; readonly minor: bigint } {
  return {
    major: ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn),
    minor: (device & 0xffn) | ((device >> 12n) & ~0xffn),
  };
}

async function probe(path: string): Promise<string | undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const buffer = Buffer.alloc(PROBE_SIZE);
    const { bytesRead } = await file.read(buffer, 0, PROBE_SIZE, 0);
    return recognise(buffer.subarray(0, bytesRead));
  } finally {
    await file.close();
  }
}
