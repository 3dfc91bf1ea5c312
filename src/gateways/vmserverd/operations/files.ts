import type { Actor } from '../../../instances/actor.js';
import type { Files } from '../files/files.js';
import type { AnyRow, SharedParts } from './row.js';

/**
 * What rows about files work with. The gateway makes `new KeptTasks(host)` and `new Files(host)` once in `open`; calls
 * `tasks.load()` and `files.recover()` before it listens for the first time, `files.prepare(options['file-roots'])` in each
 * `prepare`, and `tasks.close()`, `files.close()` at the end. The key of the table is in `files/options.ts`, with what its
 * module hands out as `ownFaults`.
 */
export interface FileParts extends SharedParts {
  readonly files: Files;
  /** whether somebody has every right on everything: decided as for the rows that are `rootonly` */
  hasEveryRight(actor: Actor): boolean;
}

/** Operations on files, by name. */
export const fileRows: Readonly<Record<string, AnyRow<FileParts>>> = {};
