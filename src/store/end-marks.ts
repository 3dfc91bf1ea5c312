import { open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Deadline } from '../kit/deadline.js';
import { STORE_ANSWER } from '../kit/limits.js';
import { StateError } from './state-error.js';

const PREFIX = 'plan-run-ended.';
const NAME = /^plan-run-ended\.([0-9a-f]{8})$/;

/**
 * Runs of plans that somebody has ended while `state.sqlite` could not be written, so that the next start does not go on with
 * them: for each a file without content, for which a full disk mostly has room. All may throw {@link StateError}.
 */
export class EndMarks {
  readonly #folder: string;

  /** @param folder the state folder */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** On the disk when it resolves. @param run eight hex digits */
  add(run: string): Promise<void> {
    return timely(async () => {
      await (await open(this.#pathOf(run), 'w', 0o600)).close();
      const folder = await open(this.#folder, 'r');
      await folder.sync().finally(() => folder.close());
    });
  }

  list(): Promise<readonly string[]> {
    return timely(async () => {
      const names = await readdir(this.#folder).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return [];
        throw error;
      });
      return names.flatMap((name) => NAME.exec(name)?.[1] ?? []);
    });
  }

  /** One that is absent is no error. */
  remove(run: string): Promise<void> {
    return timely(() => rm(this.#pathOf(run), { force: true }));
  }

  #pathOf(run: string): string {
    return join(this.#folder, `${PREFIX}${run}`);
  }
}

/** A disk that hangs is not waited for. */
async function timely<T>(work: () => Promise<T>): Promise<T> {
  const deadline = new Deadline(STORE_ANSWER);
  try {
    return await deadline.run(work);
  } catch (error) {
    throw new StateError('unavailable', (error as Error).message, { cause: error });
  } finally {
    deadline.clear();
  }
}
