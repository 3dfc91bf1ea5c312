import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, existsSync, fsyncSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isHalted } from '../support/halted.js';
import { lacksKernel, lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';

/** Bytes; nothing but what is written takes room. */
const SIZE = '128M';
/**
 * The file system ends no transaction of its journal of itself for ten minutes, and does not bring a file to the disk because it was put
 * in another one's place (ext4(5)). What is in files the kernel writes of itself when it is some 30 s old (vm.dirty_expire_centisecs), so
 * that only what is younger is surely lost; and whoever asks for one file to be on the disk ends the transaction that others are in, too.
 */
const OPTIONS = 'loop,noauto_da_alloc,commit=600';
/** For the kernel to stop a process, ms. */
const WITHIN_MS = 30_000;
/** Names of the two files by which it is seen that it was a power cut. */
const [SYNCED, UNSYNCED] = ['synced', 'unsynced'];
/**
 * Writes into a file that is not brought to the disk, just now, since it would be there of itself later; and in the next moment takes the power away: EXT4_IOC_SHUTDOWN of the kernel's
 * fs/ext4/ext4.h, with EXT4_GOING_FLAGS_NOLOGFLUSH. From then on nothing of the file system reaches its device, its journal included.
 */
const CUT = `
my ($folder, $file, $text) = @ARGV;
sysopen(my $disk, $folder, 0) or die "$folder: $!";
open(my $unsynced, '>', "$folder/$file") or die "$file: $!";
syswrite($unsynced, $text) or die "$file: $!";
my $how = pack('L', 2);
defined ioctl($disk, 0x8004587D, $how) or die "shutdown: $!";`;

/** Why there can be none here, for the `skip` option of a test. */
export function lacksCutDisk(): string | false {
  return lacksRoot('mke2fs', 'mount', 'perl', 'truncate', 'umount') || lacksKernel('/dev/loop-control', 'loop devices');
}

/** What a power cut has left of two texts. */
export interface Left {
  /** of the one that was brought to the disk, when the power came on */
  readonly synced: string;
  /** of the one that was only written, just before it failed; empty where it is lost */
  readonly unsynced: string;
}

/**
 * A disk, with a file system that a power cut can be done to: what was not brought to the disk (fsync) is lost, as with the
 * memory of a computer whose power fails, and what was is there.
 */
export class CutDisk {
  /** where it is mounted */
  readonly folder: string;
  readonly #base: string;
  #cuts = 0;

  /** @param name of whom it is */
  constructor(name: string) {
    this.#base = mkdtempSync(join(tmpdir(), `argo-disk-${name}-`));
    this.folder = join(this.#base, 'disk');
    mkdirSync(this.folder);
    try {
      execFileSync('truncate', ['--size', SIZE, this.#image]);
      execFileSync('mke2fs', ['-q', '-F', '-t', 'ext4', this.#image]);
      this.#mount();
      this.#writeSynced();
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  /** Of one moment for a process and the disk: it does nothing more, and nothing more is written. The process is left stopped, to be killed. */
  async cut(pid: number): Promise<void> {
    process.kill(pid, 'SIGSTOP');
    await until(() => isHalted(pid), WITHIN_MS, 'the process to be stopped');
    execFileSync('perl', ['-e', CUT, this.folder, UNSYNCED, this.#text]);
  }

  /**
   * The power is back, on a copy of what is on the disk: a namespace that somebody else has made meanwhile may still hold the one
   * that failed. What was cut off must have been killed.
   */
  restore(): Left {
    execFileSync('umount', ['-l', this.folder]);
    const failed = this.#image;
    this.#cuts += 1;
    execFileSync('cp', ['--sparse=always', failed, this.#image]);
    rmSync(failed);
    this.#mount();
    const left = { synced: this.#read(SYNCED), unsynced: this.#read(UNSYNCED) };
    this.#writeSynced();
    return left;
  }

  /** What {@link restore} gives where it was a power cut: no more and no less. */
  get wanted(): Left {
    return { synced: `cut ${this.#cuts - 1}`, unsynced: '' };
  }

  remove(): void {
    spawnSync('umount', ['-l', this.folder]);
    rmSync(this.#base, { recursive: true, force: true });
  }

  get #image(): string {
    return join(this.#base, `image${this.#cuts}`);
  }

  /** Another one after each cut. */
  get #text(): string {
    return `cut ${this.#cuts}`;
  }

  #mount(): void {
    execFileSync('mount', ['-o', OPTIONS, this.#image, this.folder]);
  }

  #writeSynced(): void {
    const file = openSync(join(this.folder, SYNCED), 'w');
    try {
      writeSync(file, this.#text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  }

  #read(name: string): string {
    const path = join(this.folder, name);
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }
}
