import { ArgoError } from '../../../../kit/errors.js';
import { Places } from '../../../../kit/places.js';
import { lastWords, NOT_FOUND, outputOf, type HostCommandOptions, type HostCommands, type Words } from '../../../management/host-commands.js';

/** Milliseconds for what looks through a whole archive or changes a little, and for what copies disks; within the deadline of whoever asks. */
const LOOKING = 30 * 60_000;
const COPYING = 24 * 3_600_000;

/** Copies that are made at a time, since more are no faster and would keep quick commands waiting; and how many may wait. */
const COPIES = { atATime: 3, waiting: 64 };

/** Milliseconds for taking away what is half made, after the work's own signal is over. */
const TIDYING = 25_000;

/** Bytes that are read of what a command prints, where nothing else is said. */
const USUAL_OUTPUT = 1024 * 1024;

/** Files on a provider's host. Paths are absolute. What changes something, and what is not everybody's to read, is done by root. */
export class HostFiles {
  readonly #commands: HostCommands;
  readonly #copies = new Places(COPIES.atATime, COPIES.waiting);

  constructor(commands: HostCommands) {
    this.#commands = commands;
  }

  /** What a command prints that only reads. @throws as {@link outputOf} */
  read(words: Words, signal: AbortSignal, maxOutput = USUAL_OUTPUT): Promise<string> {
    return outputOf(this.#commands, words, { signal, effect: 'reads', timeout: LOOKING, maxOutput });
  }

  /** As {@link read}, of what only root may read. */
  readAsRoot(words: Words, signal: AbortSignal, maxOutput = USUAL_OUTPUT): Promise<string> {
    return outputOf(this.#commands, words, { signal, effect: 'reads', timeout: LOOKING, maxOutput, root: true });
  }

  /** What a command makes of its standard input, which may be a secret; it changes nothing. */
  readWith(words: Words, stdin: string, signal: AbortSignal): Promise<string> {
    return outputOf(this.#commands, words, { signal, effect: 'reads', stdin });
  }

  /** @param stdin may be a secret */
  async act(words: Words, signal: AbortSignal, stdin = ''): Promise<void> {
    await outputOf(this.#commands, words, { stdin, signal, effect: 'acts', timeout: LOOKING, root: true });
  }

  /** As {@link act}, of what may take hours. @param heard see {@link HostCommandOptions} */
  async copy(words: Words, signal: AbortSignal, heard: NonNullable<HostCommandOptions['heard']> = () => undefined): Promise<void> {
    const leave = await this.#copies.take(signal);
    try {
      await outputOf(this.#commands, words, { heard, signal, effect: 'acts', timeout: COPYING, root: true });
    } finally {
      leave();
    }
  }

  /** The path without links in it; undefined where there is nothing. */
  async realPath(path: string, signal: AbortSignal, asRoot = true): Promise<string | undefined> {
    const result = await this.#commands.run(['realpath', '-e', '-z', '--', path], { signal, effect: 'reads', ...(asRoot && { root: true }) });
    if (result.code === 0) return result.stdout.replace(/\0$/, '');
    if (/No such file or directory|Not a directory/.test(result.stderr)) return undefined;
    throw new ArgoError('FAILED', lastWords(result));
  }

  /** Writes a file, or what is in it anew. @throws ArgoError FAILED where it is a link */
  write(path: string, content: string, signal: AbortSignal): Promise<void> {
    return this.act(['dd', `of=${path}`, 'oflag=nofollow', 'status=none'], signal, content);
  }

  /** Makes a folder where there is none yet. @param mode left out: nobody else's to look into, as of what is half made */
  makeFolder(path: string, signal: AbortSignal, mode = '0700'): Promise<void> {
    return this.act(['mkdir', '-p', '-m', mode, '--', path], signal);
  }

  /** Gives a file a second name. @throws ArgoError WRONG STATE where there is something of that name */
  link(path: string, name: string, signal: AbortSignal): Promise<void> {
    return this.#unlessThere(['ln', '-T', '--', path, name], name, signal);
  }

  /** Gives a folder another name: in the place of an empty folder, but of nothing else. @throws ArgoError WRONG STATE likewise */
  renameFolder(path: string, name: string, signal: AbortSignal): Promise<void> {
    return this.#unlessThere(['mv', '-T', '--', path, name], name, signal);
  }

  async #unlessThere(words: Words, name: string, signal: AbortSignal): Promise<void> {
    const result = await this.#commands.run(words, { signal, effect: 'acts', root: true });
    if (result.code === 0) return;
    if (/: File exists|: Directory not empty|cannot overwrite/.test(result.stderr)) throw new ArgoError('WRONG STATE', `${name} is there already`);
    throw new ArgoError(result.code === NOT_FOUND ? 'NOT SUPPORTED' : 'FAILED', lastWords(result));
  }

  /** Removes files, and folders with all that is in them; of links themselves, not what they lead to. */
  async remove(paths: readonly string[], signal: AbortSignal): Promise<void> {
    if (paths.length > 0) await this.act(['rm', '-rf', '--one-file-system', '--', ...paths], signal);
  }

  /** Takes away what is half made: also where the work was cancelled. @returns whether all of it is gone; where not, a later sweep does it */
  tidy(paths: readonly string[]): Promise<boolean> {
    return this.remove(paths, AbortSignal.timeout(TIDYING)).then(() => true, () => false);
  }
}
