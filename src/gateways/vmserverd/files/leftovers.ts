import { ArgoError } from '../../../kit/errors.js';
import type { Log } from '../../../kit/log.js';
import { newKey } from '../../../kit/random-key.js';
import { LEFTOVERS, LEFTOVER_KEPT, LEFTOVER_TIMEOUT } from '../../../kit/vmserverd-files-limits.js';
import { within } from '../../../kit/within.js';
import type { KeyValue } from '../../../store/state.js';
import { beforehand } from '../beforehand.js';
import type { Folder, Jail } from './jail.js';
import { isErrno } from './disk.js';
import { isWithin, readPath } from './paths.js';
import { endCopyInto } from './program.js';
import type { Roots } from './roots.js';

/**
 * Files that are half made bear a name that nobody guesses, which is written down before it is given: what a killed server
 * leaves is known by it, and nothing else is ever taken for such a file.
 */

const PREFIX = 'part:';
const NAME = '.argo-part-';

/** What is written down of a file. */
interface Written {
  readonly folder: string;
  /** of the folder, by which it is known from another in its place, such as one on which nothing is mounted yet */
  readonly ino: string;
  /** when, milliseconds since 1970 */
  readonly at: number;
}

/** What a start found of one. */
type Found = 'removed' | 'gone' | 'elsewhere';

export class Leftovers {
  readonly #kv: KeyValue;
  readonly #log: Log;
  /** names of this process */
  readonly #own = new Set<string>();

  constructor(kv: KeyValue, log: Log) {
    this.#kv = kv;
    this.#log = log;
  }

  /** A name for a file that will be made in a folder. @throws ArgoError BUSY, AUDIT UNAVAILABLE */
  async name(folder: Folder): Promise<string> {
    if (this.#own.size >= LEFTOVERS) throw new ArgoError('BUSY', 'too many files are half made');
    const name = `${NAME}${newKey()}`;
    this.#own.add(name);
    try {
      await beforehand(this.#kv.set(`${PREFIX}${name}`, JSON.stringify({ folder: folder.path, ino: String(folder.stats.ino), at: Date.now() } satisfies Written)));
    } catch (error) {
      this.#own.delete(name);
      throw error;
    }
    return name;
  }

  /** There is no such file any longer. */
  async forget(name: string): Promise<void> {
    this.#own.delete(name);
    await this.#kv.delete(`${PREFIX}${name}`).catch((cause: unknown) => this.#log('warn', 'a file that was half made is still written down', { file: name, cause }));
  }

  /** Takes away what earlier processes have left. What lies in no root that there is now stays written down. */
  async clear(roots: Roots, jail: Jail): Promise<void> {
    for (let after = PREFIX; ;) {
      const page = await this.#kv.list(PREFIX, after);
      const last = page.at(-1);
      if (last === undefined) return;
      for (const { key, value } of page) {
        const name = key.slice(PREFIX.length);
        if (this.#own.has(name)) continue;
        await this.#remove(name, value, roots, jail).catch((cause: unknown) => this.#log('warn', 'a file that a server left half made could not be removed', { file: name, cause }));
      }
      after = last.key;
    }
  }

  async #remove(name: string, value: string, roots: Roots, jail: Jail): Promise<void> {
    const { folder: path, ino, at } = JSON.parse(value) as Written;
    const root = roots.all.find((one) => isWithin(path, one.path));
    const names = readPath(path);
    if (root === undefined || names === undefined) return;
    const place = { root, names: names.slice(readPath(root.path)!.length), path };
    const found = await within(LEFTOVER_TIMEOUT, [], (signal) => jail.folder(place, signal, async (folder): Promise<Found> => {
      const stats = await folder.lookFor(name);
      if (stats === undefined) return String(folder.stats.ino) === ino ? 'gone' : 'elsewhere';
      // it would go on to fill a file that nobody sees
      await folder.calls.run(() => endCopyInto(stats));
      await folder.remove(name);
      return 'removed';
    })).catch((thrown: unknown): Found => {
      if (isErrno(thrown, 'ENOENT', 'ENOTDIR')) return 'elsewhere';
      throw thrown;
    });
    // its folder went and it with that, or the disk is not mounted yet: some later start will know
    if (found === 'elsewhere' && Date.now() - at < LEFTOVER_KEPT) return;
    await this.forget(name);
    if (found === 'removed') this.#log('info', 'a file that a server left half made was removed', { folder: path, file: name });
  }
}
