import { constants, type BigIntStats } from 'node:fs';
import { chmod, chown, link, lstat, mkdir, open, opendir, readlink, realpath, rename, rmdir, stat, statfs, symlink, unlink, type FileHandle } from 'node:fs/promises';
import { FILE_CLOSE_WAIT } from '../../../kit/vmserverd-files-limits.js';
import { notLonger } from '../../../kit/within.js';
import { CODES, OperationError } from '../../../protocols/vmserverd/codes.js';
import { fileError, isErrno, type Disk } from './disk.js';
import { SYSTEM_PLACES } from './options.js';
import { isWithin } from './paths.js';
import { notYours, requireBelowRoot, type Place } from './roots.js';

/**
 * The way down from a root, one name at a time, each folder by the descriptor of the one above it: a link, or a folder that
 * somebody puts into another's place meanwhile, leads nowhere. Nothing is opened to see what it is: O_PATH (open(2)) gives a
 * descriptor without waking a device or waiting for a pipe, and what is then done is done to that descriptor, by its name in /proc.
 */

/** Of open(2) on all platforms on which Node runs; Node has no name for it. */
const O_PATH = 0o10000000;
const FOLDER = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const LEAF = O_PATH | constants.O_NOFOLLOW;

const bigint = { bigint: true } as const;

/** File systems that are views of the kernel, wherever they are mounted (statfs(2)): proc, sysfs, cgroup, cgroup2, debugfs, tracefs, securityfs, selinuxfs, configfs, devpts, bpf. */
const KERNEL_VIEWS: ReadonlySet<number> = new Set([
  0x9fa0, 0x62656572, 0x27e0eb, 0x63677270, 0x64626720, 0x74726163, 0x73636673, 0xf97cff8c, 0x62656570, 0x1cd1, 0xcafe4a11,
]);

/** Milliseconds for which it is known what is never entered. */
const CLOSED_KNOWN_FOR = 5000;

/** By which the kernel knows a file or a folder. */
type Identity = string;
const identityOf = ({ dev, ino }: BigIntStats): Identity => `${dev}:${ino}`;

/** Calls of one request in one root. */
export class Calls {
  readonly #disk: Disk;
  readonly #root: string;
  readonly #signal: AbortSignal;

  constructor(disk: Disk, root: string, signal: AbortSignal) {
    this.#disk = disk;
    this.#root = root;
    this.#signal = signal;
  }

  /** The same, until another signal is aborted. */
  under(signal: AbortSignal): Calls {
    return new Calls(this.#disk, this.#root, signal);
  }

  /** One call, whose errors are told of a path. @throws OperationError, ArgoError; the signal's reason */
  async on<T>(path: string, call: () => Promise<T>, late?: (value: T) => void): Promise<T> {
    return this.run(call, late).catch((thrown: unknown) => { throw fileError(thrown, path); });
  }

  /** One call. @throws also errors of the system */
  run<T>(call: () => Promise<T>, late?: (value: T) => void): Promise<T> {
    return this.#disk.run(this.#root, this.#signal, call, late);
  }

  /** @throws also errors of the system */
  open(path: string, flags: number, mode?: number): Promise<FileHandle> {
    return this.run(() => open(path, flags, mode), (handle) => void handle.close().catch(() => undefined));
  }
}

const nameOf = ({ fd }: FileHandle): string => `/proc/self/fd/${fd}`;

export type FileType = 'file' | 'dir' | 'link' | 'other';

/** Something that stands in a folder. */
export interface Found {
  /** undefined where it is no text */
  readonly name: string | undefined;
  /** undefined where the file system does not say */
  readonly type: FileType | undefined;
}

type Typed = Record<'isFile' | 'isDirectory' | 'isSymbolicLink' | 'isFIFO' | 'isSocket' | 'isCharacterDevice' | 'isBlockDevice', () => boolean>;

/** Of what is none of all these a folder that was read does not know the type. */
export function typeOf<T extends Typed>(of: T): T extends BigIntStats ? FileType : FileType | undefined;
export function typeOf(of: Typed): FileType | undefined {
  if (of.isFile()) return 'file';
  if (of.isDirectory()) return 'dir';
  if (of.isSymbolicLink()) return 'link';
  return of.isFIFO() || of.isSocket() || of.isCharacterDevice() || of.isBlockDevice() ? 'other' : undefined;
}

/** Something in a folder that was found and not opened yet: it stays the same, whatever takes its name. */
export class Leaf {
  constructor(readonly calls: Calls, readonly path: string, readonly handle: FileHandle, readonly stats: BigIntStats) {}

  get isFile(): boolean {
    return this.stats.isFile();
  }

  /** Opens it. Closed by the caller. @param flags of open(2) @throws OperationError FILE for what is no regular file */
  async open(flags: number): Promise<FileHandle> {
    this.requireFile();
    return this.calls.open(nameOf(this.handle), flags | constants.O_NONBLOCK).catch((thrown: unknown) => { throw fileError(thrown, this.path); });
  }

  /** @throws OperationError FILE for what is no regular file: what a device, a pipe or a socket would do nobody knows */
  requireFile(): void {
    if (!this.isFile) throw new OperationError(CODES.FILE, `${this.path}: ${this.stats.isDirectory() ? 'is a folder' : this.stats.isSymbolicLink() ? 'is a link, which is not followed' : 'is neither a file nor a folder'}`);
  }

  /** @param mode permissions alone */
  async chmod(mode: number): Promise<void> {
    await this.calls.on(this.path, () => chmod(nameOf(this.handle), mode & 0o777));
  }

  /** @param uid -1 leaves it as it is, and so does a `gid` of -1 */
  async chown(uid: number, gid: number): Promise<void> {
    await this.calls.on(this.path, () => chown(nameOf(this.handle), uid, gid));
  }
}

/** A folder below a root, held by its descriptor. */
export class Folder {
  constructor(readonly jail: Jail, readonly calls: Calls, readonly path: string, readonly handle: FileHandle, readonly stats: BigIntStats) {}

  /** The same, by other calls. */
  with(calls: Calls): Folder {
    return new Folder(this.jail, calls, this.path, this.handle, this.stats);
  }

  /** Of something in it, for calls that follow no link at the end of their path. */
  at(name: string): string {
    return `${nameOf(this.handle)}/${name}`;
  }

  pathOf(name: string): string {
    return this.path === '/' ? `/${name}` : `${this.path}/${name}`;
  }

  /** @throws OperationError */
  look(name: string): Promise<BigIntStats> {
    return this.calls.on(this.pathOf(name), () => lstat(this.at(name), bigint));
  }

  /** Undefined where it is not there. @throws OperationError */
  async lookFor(name: string): Promise<BigIntStats | undefined> {
    try {
      return await this.calls.run(() => lstat(this.at(name), bigint));
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined;
      throw fileError(error, this.pathOf(name));
    }
  }

  /** What is in it, for as long as the work takes. @throws OperationError */
  async leaf<T>(name: string, work: (leaf: Leaf) => Promise<T>): Promise<T> {
    const path = this.pathOf(name);
    const handle = await this.calls.open(this.at(name), LEAF).catch((thrown: unknown) => { throw fileError(thrown, path); });
    return closing(handle, async () => {
      const stats = await this.calls.on(path, () => handle.stat(bigint));
      await this.jail.requireFree(stats);
      return work(new Leaf(this.calls, path, handle, stats));
    });
  }

  /** A folder in it, for as long as the work takes. @throws OperationError */
  async folder<T>(name: string, work: (folder: Folder) => Promise<T>): Promise<T> {
    const folder = await this.enter(name);
    return closing(folder.handle, () => work(folder));
  }

  /** A folder in it, which whoever asks closes. @throws OperationError */
  async enter(name: string): Promise<Folder> {
    const path = this.pathOf(name);
    const handle = await this.calls.open(this.at(name), FOLDER).catch((thrown: unknown) => { throw fileError(thrown, path); });
    return this.jail.folderOf(this.calls, path, handle, this.stats);
  }

  close(): Promise<void> {
    return closing(this.handle, () => Promise.resolve());
  }

  /**
   * What is in it.
   * @param most further ones are not read
   */
  async names(most: number): Promise<{ readonly names: readonly Found[]; readonly isWhole: boolean }> {
    const folder = await this.calls.on(this.path, () => opendir(nameOf(this.handle), { encoding: 'buffer' as BufferEncoding, bufferSize: 256 }), (late) => void late.close().catch(() => undefined));
    try {
      const names: Found[] = [];
      for (;;) {
        const entry = await this.calls.on(this.path, () => folder.read());
        if (entry === null) return { names, isWhole: true };
        if (names.length === most) return { names, isWhole: false };
        const bytes = entry.name as unknown as Buffer;
        const text = bytes.toString('utf8');
        names.push({ name: Buffer.from(text, 'utf8').equals(bytes) ? text : undefined, type: typeOf(entry) });
      }
    } finally {
      await folder.close().catch(() => undefined);
    }
  }

  /** What it was when its folder was read; undefined where it is gone. @throws OperationError */
  async typeOf(name: string, { type }: Found): Promise<FileType | undefined> {
    if (type !== undefined) return type;
    const stats = await this.lookFor(name);
    return stats && typeOf(stats);
  }

  /** @throws OperationError */
  async makeFolder(name: string, mode: number): Promise<void> {
    await this.calls.on(this.pathOf(name), () => mkdir(this.at(name), mode & 0o777));
  }

  /** @throws OperationError */
  async removeFolder(name: string): Promise<void> {
    await this.calls.on(this.pathOf(name), () => rmdir(this.at(name)));
  }

  /** Removes a file, or a link itself. @throws OperationError */
  async remove(name: string): Promise<void> {
    await this.calls.on(this.pathOf(name), () => unlink(this.at(name)));
  }

  /** What takes another name takes the place of what has it. @throws errors of the system */
  async rename(name: string, to: Folder, other: string): Promise<void> {
    await this.calls.run(() => rename(this.at(name), to.at(other)));
  }

  /** A further name; of a link, of itself. It is refused where the name is taken. @throws errors of the system */
  async link(name: string, to: Folder, other: string): Promise<void> {
    await this.calls.run(() => link(this.at(name), to.at(other)));
  }

  /** @throws OperationError */
  async symlink(name: string, target: string): Promise<void> {
    await this.calls.on(this.pathOf(name), () => symlink(target, this.at(name)));
  }

  /** Sizes of the file system that it is on. @throws OperationError */
  async space(): Promise<{ readonly total: bigint; readonly free: bigint; readonly used: bigint }> {
    const { bsize, blocks, bfree, bavail } = await this.calls.on(this.path, () => statfs(nameOf(this.handle), bigint));
    return { total: blocks * bsize, free: bavail * bsize, used: (blocks - bfree) * bsize };
  }

  /** Writes its names to the disk. @throws OperationError */
  async sync(): Promise<void> {
    const handle = await this.calls
      .open(nameOf(this.handle), constants.O_RDONLY | constants.O_DIRECTORY)
      .catch((thrown: unknown) => {
        throw fileError(thrown, this.path);
      });
    await closing(handle, () => this.calls.on(this.path, () => handle.sync()));
  }
}

/** Closes it whatever comes; a disk that hangs is not waited for. */
async function closing<T>(handle: FileHandle, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    await notLonger(FILE_CLOSE_WAIT, handle.close().catch(() => undefined));
  }
}

/** What is never entered. */
interface Closed {
  readonly identities: ReadonlySet<Identity>;
  /** where it really is */
  readonly paths: readonly string[];
}

/** Leads to places in roots. */
export class Jail {
  readonly #disk: Disk;
  readonly #own: readonly string[];
  #closed: Promise<Closed> | undefined;
  #closedAt = -Infinity;

  /** @param own files and folders of the server's own */
  constructor(disk: Disk, own: readonly string[]) {
    this.#disk = disk;
    this.#own = own;
  }

  /** The folder of a place, for as long as the work takes. @throws OperationError */
  async folder<T>({ root, names }: Place, signal: AbortSignal, work: (folder: Folder) => Promise<T>): Promise<T> {
    let folder = await this.#enterRoot(new Calls(this.#disk, root.path, signal), root.path);
    try {
      // those above it are let go: a deep path holds no more open than a short one
      for (const name of names) {
        const above = folder;
        folder = await above.enter(name).finally(() => above.close());
      }
      return await work(folder);
    } finally {
      await folder.close();
    }
  }

  /** The folder that something is in, and its name there. A root itself is in none. @throws OperationError */
  async parent<T>(place: Place, signal: AbortSignal, work: (folder: Folder, name: string) => Promise<T>): Promise<T> {
    const name = requireBelowRoot(place);
    return this.folder({ ...place, names: place.names.slice(0, -1) }, signal, (folder) => work(folder, name));
  }

  /** A file to be read, for as long as the work takes. @throws OperationError FILE for what is none, such as a root */
  async file<T>(place: Place, signal: AbortSignal, work: (leaf: Leaf) => Promise<T>): Promise<T> {
    if (place.names.length === 0) throw new OperationError(CODES.FILE, `${place.path}: is a folder`);
    return this.parent(place, signal, (folder, name) => folder.leaf(name, (leaf) => {
      leaf.requireFile();
      return work(leaf);
    }));
  }

  /** A folder that was opened; it is closed where it must not be entered. @param above undefined for a root @throws OperationError */
  async folderOf(calls: Calls, path: string, handle: FileHandle, above: BigIntStats | undefined): Promise<Folder> {
    try {
      const stats = await calls.on(path, () => handle.stat(bigint));
      await this.requireFree(stats);
      // elsewhere only by what somebody has mounted there
      if (above?.dev !== stats.dev && KERNEL_VIEWS.has((await calls.on(path, () => statfs(nameOf(handle)))).type)) throw notYours();
      return new Folder(this, calls, path, handle, stats);
    } catch (error) {
      await closing(handle, () => Promise.resolve());
      throw error;
    }
  }

  /** @throws OperationError NO_PERMISSION where it is the server's or the system's, under whatever name */
  async requireFree(stats: BigIntStats): Promise<void> {
    if ((await this.#closedNow()).identities.has(identityOf(stats))) throw notYours();
  }

  async #enterRoot(calls: Calls, path: string): Promise<Folder> {
    const handle = await calls.open(path, FOLDER).catch((thrown: unknown) => { throw fileError(thrown, path); });
    const root = await this.folderOf(calls, path, handle, undefined);
    try {
      const real = await calls.on(path, () => readlink(nameOf(handle)));
      if ((await this.#closedNow()).paths.some((one) => isWithin(real, one) || isWithin(one, real))) throw notYours();
      return root;
    } catch (error) {
      await root.close();
      throw error;
    }
  }

  /** Looked up anew now and then: a file that is edited is another one afterwards. */
  #closedNow(): Promise<Closed> {
    const now = performance.now();
    if (this.#closed === undefined || now - this.#closedAt > CLOSED_KNOWN_FOR) {
      this.#closedAt = now;
      this.#closed = closedOf([...SYSTEM_PLACES, ...this.#own]);
    }
    return this.#closed;
  }
}

async function closedOf(places: readonly string[]): Promise<Closed> {
  const found = await Promise.all(places.map(async (place) => {
    const [path, stats] = await Promise.all([realpath(place).catch(() => place), stat(place, bigint).catch(() => undefined)]);
    return { path, identity: stats && identityOf(stats) };
  }));
  return { identities: new Set(found.flatMap(({ identity }) => identity ?? [])), paths: found.map(({ path }) => path) };
}
