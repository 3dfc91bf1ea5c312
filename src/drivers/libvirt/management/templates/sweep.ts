import { wholeName } from '../names.js';
import type { HostFiles } from './host-files.js';

/**
 * What a process left half made that was killed is removed by a later one, when it has not changed for a long time: another
 * server may be at work on the same host.
 */

/** Seconds without a change after which it is nobody's any longer. What is unpacked and copied changes all the time. */
const ABANDONED = 6 * 3600;

/** Milliseconds between two looks at one folder. */
const EVERY = 3_600_000;

/** Something abandoned. Paths on the host. */
interface Abandoned {
  readonly path: string;
  /** what was to become of it */
  readonly whole: string;
  /** whether it was given that name already: a file then has two names, and a folder is empty, since its content was moved */
  readonly isPlaced: boolean;
}

/** time of change, kind, links, path */
const ENTRY = /^([\d.]+) (\w) (\d+) ([^]+)$/;

/** How old something is, its time of change (ctime) says, which nobody can set: of itself and of what is directly in it. */
async function abandonedIn(folder: string, files: HostFiles, signal: AbortSignal, seconds: number): Promise<Abandoned[]> {
  const words = ['find', folder, '-mindepth', '1', '-maxdepth', '2', '-path', '*.argo-*', '-printf', '%C@ %y %n %P\\0'] as const;
  const [listing, now] = [await files.readAsRoot(words, signal), Number(await files.readAsRoot(['date', '+%s.%N'], signal))];
  const found = new Map<string, { readonly changed: number; readonly isPlaced: boolean }>();
  for (const [, changed = '', kind = '', links = '', path = ''] of listing.split('\0').map((line) => ENTRY.exec(line) ?? [])) {
    const [name = '', inside] = path.split('/');
    if (wholeName(name) === undefined) continue;
    const isPlaced = inside === undefined && (kind === 'd' || Number(links) > 1);
    found.set(name, { changed: Math.max(found.get(name)?.changed ?? 0, Number(changed)), isPlaced });
  }
  return [...found].filter(([, { changed }]) => now - changed >= seconds)
    .map(([name, { isPlaced }]) => ({ path: `${folder}/${name}`, whole: `${folder}/${wholeName(name)}`, isPlaced }));
}

/** Looks after what was abandoned in the folders in which things are made. */
export class Sweeper {
  readonly #files: HostFiles;
  readonly #seconds: number;
  readonly #swept = new Map<string, number>();

  /** @param seconds for tests */
  constructor(files: HostFiles, seconds = ABANDONED) {
    this.#files = files;
    this.#seconds = seconds;
  }

  /**
   * Removes what was abandoned in a folder, now and then. Whatever comes of it: it is nobody's work.
   * @param used tells which paths machines have; given for folders in which a thing that is placed may have no machine yet
   */
  async sweep(folder: string, signal: AbortSignal, used?: (signal: AbortSignal) => Promise<ReadonlySet<string>>): Promise<void> {
    if (performance.now() - (this.#swept.get(folder) ?? -Infinity) < EVERY) return;
    this.#swept.set(folder, performance.now());
    try {
      const abandoned = await abandonedIn(folder, this.#files, signal, this.#seconds);
      if (abandoned.length === 0) return;
      const kept = await used?.(signal);
      const orphans = kept === undefined ? [] : await this.#orphans(abandoned.filter(({ whole, isPlaced }) => isPlaced && !kept.has(whole)), signal);
      await this.#files.remove([...orphans, ...abandoned.map(({ path }) => path)], signal);
    } catch {
      // The next one will.
      signal.throwIfAborted();
    }
  }

  /** Those that are there, and are what was placed: a file of that name may be another one by now. */
  async #orphans(placed: readonly Abandoned[], signal: AbortSignal): Promise<string[]> {
    const orphans: string[] = [];
    for (const { path, whole } of placed) {
      const same = await this.#files.readAsRoot(['find', path, whole, '-maxdepth', '0', '-printf', '%y %i\\n'], signal).catch(() => '');
      const [marker, thing] = same.trim().split('\n');
      if (thing !== undefined && (thing === marker || (marker?.startsWith('d') && thing.startsWith('d')))) orphans.push(whole);
    }
    return orphans;
  }
}
