import type { ChildProcess } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Enclosure, type Outcome } from './enclosure.js';

/** Where the layer is, and what it makes of the machine's files, below the enclosure's scratch folder. */
const LAYER = 'layer';
/** How all that is inside is laid: $1 is the layer's folder, $2 the one that is shared. In memory, so that nothing of it is left anywhere. */
const LAY = `mount -t tmpfs tmpfs "$1"
cd "$1"
mkdir upper work root
mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
mount --rbind /proc root/proc
mount --rbind /dev root/dev
mount -t tmpfs tmpfs root/run
mount -t tmpfs -o mode=1777 tmpfs root/tmp
mkdir -p "root$2"
mount --bind "$2" "root$2"`;

/**
 * This machine with a layer over its files, and a network of its own: programs inside may change whatever
 * they like, and it is gone with the test. What they changed can be told. No systemd is seen to run inside.
 */
export class OverlaidRoot {
  readonly #enclosure: Enclosure;
  readonly #layer: string;

  private constructor(enclosure: Enclosure) {
    this.#enclosure = enclosure;
    this.#layer = join(enclosure.scratch, LAYER);
  }

  /**
   * @param shared a folder that is the same inside
   * @throws Error where the kernel has no overlays, or this is not root
   */
  static async start(shared: string): Promise<OverlaidRoot> {
    const root = new OverlaidRoot(await Enclosure.start((scratch) => {
      mkdirSync(join(scratch, LAYER));
      return {};
    }));
    const { code, stderr } = await root.#enclosure.run('sh', '-ec', LAY, 'sh', root.#layer, shared);
    if (code === 0) return root;
    await root.stop();
    throw new Error(`no layer over the machine's files could be made: ${stderr}`);
  }

  #inside(args: readonly string[]): string[] {
    return ['chroot', join(this.#layer, 'root'), ...args];
  }

  /** Runs a program to its end. */
  run(...args: readonly string[]): Promise<Outcome> {
    return this.#enclosure.run(...this.#inside(args));
  }

  /** What a program prints. @throws Error with its words where it fails */
  async must(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...args);
    if (code !== 0) throw new Error(`${args.join(' ')} failed with ${code}: ${stderr || stdout}`);
    return stdout;
  }

  read(path: string): Promise<string> {
    return this.must('cat', path);
  }

  async exists(path: string): Promise<boolean> {
    return (await this.run('test', '-e', path)).code === 0;
  }

  /** Starts a program that stays in the foreground; see {@link Enclosure.daemon}. */
  daemon(logFile: string, ...args: readonly string[]): ChildProcess {
    return this.#enclosure.daemon(this.#inside(args), logFile);
  }

  ended(daemon: ChildProcess): Promise<void> {
    return this.#enclosure.ended(daemon);
  }

  /** Files and folders that were made or changed by now, as full paths; not folders of the machine in which something was. */
  async changed(): Promise<string[]> {
    const { stdout } = await this.#enclosure.run('find', join(this.#layer, 'upper'), '-mindepth', '1', '-printf', '/%P\\n');
    return stdout.split('\n').filter((path) => path !== '' && statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true).sort();
  }

  /** Ends all that runs inside, and removes the layer. */
  stop(): Promise<void> {
    return this.#enclosure.stop();
  }
}
