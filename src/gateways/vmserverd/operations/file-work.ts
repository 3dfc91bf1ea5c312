import type { Actor } from '../../../instances/actor.js';
import { idWord } from '../../../kit/text.js';
import { FILE_CHANGE_TIMEOUT, FILE_LIST, FILE_PATH, FILE_READ_TIMEOUT } from '../../../kit/vmserverd-files-limits.js';
import { CODES, OperationError } from '../../../protocols/vmserverd/codes.js';
import { fields, list, matching, text } from '../../../protocols/vmserverd/shape.js';
import type { Files } from '../files/files.js';
import type { Access, Place } from '../files/roots.js';
import type { TaskCall } from '../tasks/background-tasks.js';
import { rowFor, type Asked, type SharedParts } from './row.js';

/**
 * What rows about files work with. The gateway makes `new KeptTasks(host)` and `new Files(host)` once in `open`; calls
 * `tasks.load()` before it listens for the first time, `files.prepare(options['file-roots'])` in each `prepare`, and at the end
 * `tasks.close()` and `files.close()`. The key of its table, and what its module hands out as `ownFaults`, are in
 * `files/options.ts`. Actors are not ended with their request: a task goes on by its own.
 */
export interface FileParts extends SharedParts {
  readonly files: Files;
  /** whether somebody has every right on everything: decided as for the rows that are `rootonly` */
  hasEveryRight(actor: Actor): boolean;
  /** whether the configuration has an account of that name now: for those with every right */
  hasAccount(name: string): boolean;
}

/** A call of a row about files. */
export type FileAsked<In = unknown> = Asked<In, FileParts>;

export const row = rowFor<FileParts>();

/** As vmware-serverd's log named it. */
export const handlerOf = (module: 'Handlers' | 'FileManager' | 'Disk' | 'GSXHostInfo', name: string): string => `VMware::VMServerd::${module}::${name}_Handler`;

export const path = text(FILE_PATH, 'a full path');
export const paths = fields({ files: list('file', path, FILE_LIST) });
export const modeWord = matching(/^(?!.*(.).*\1)[rwx]*$/, 'letters of rwx');

/** `rwx`, `rx` and nothing are 0750. Neither of the bits by which a program runs as somebody else can be said. */
export const modeOf = (...words: readonly string[]): number =>
  words.reduce((mode, word) => mode * 8 + (word.includes('r') ? 4 : 0) + (word.includes('w') ? 2 : 0) + (word.includes('x') ? 1 : 0), 0);

/** Where a path is, for who may do all of that there. @throws OperationError */
export const placeOf = ({ account, parts: { files } }: FileAsked, given: string, ...needed: readonly Access[]): Place =>
  files.roots.place(account, given, ...needed);

/** In the audit: blanks and the like are written as `%20`, so that it is one word. */
export const word = ({ path: plain }: Place): string => idWord(plain);

const wordsOf = (thrown: unknown): string | undefined => (thrown instanceof OperationError ? thrown.message : undefined);

/** Changes nothing, for who may do that there; it ends with whoever asked. */
export const looking = <T>(
  { account, signal, parts: { files } }: FileAsked,
  place: Place,
  access: Access,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> => files.carryOut({ account, signals: [signal], limit: FILE_READ_TIMEOUT, needs: [[place, access]] }, work);

/** Reads something; it ends with whoever asked. */
export const reading = <T>(asked: FileAsked, place: Place, work: (signal: AbortSignal) => Promise<T>): Promise<T> => looking(asked, place, 'read', work);

/** One change, as it is recorded. */
export interface FileChange {
  /** name of the row */
  readonly operation: string;
  readonly subject: string;
  readonly needs: readonly (readonly [place: Place, access: Access])[];
}

/** Changes something, recorded before and after; it goes on when whoever asked has left. */
export const changing = <T>(
  { account, actor, accountSignal, parts: { files } }: FileAsked,
  { operation, subject, needs }: FileChange,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> =>
  actor.record(
    { action: operation, subject },
    () => files.carryOut({ account, signals: [accountSignal], limit: FILE_CHANGE_TIMEOUT, needs }, work),
    wordsOf,
  );

/** The same of several, one after the other. @throws OperationError that says how many were done before */
export async function changingEach<One>(all: readonly One[], work: (one: One) => Promise<unknown>): Promise<void> {
  for (const [index, one] of all.entries()) {
    try {
      await work(one);
    } catch (error) {
      throw index > 0 && error instanceof OperationError ? new OperationError(error.code, `${error.message}; done before that: ${index} of ${all.length}`) : error;
    }
  }
}

/** One change of a task, which has the operation's name. */
export interface TaskStep extends Omit<FileChange, 'operation'> {
  work(signal: AbortSignal, progress: TaskCall['progress']): Promise<void>;
}

/** Does changes in the background, one after the other, each recorded before and after. @returns the task's id */
export async function inBackground(
  { account, actor, accountSignal, parts: { files, tasks } }: FileAsked,
  operation: string,
  steps: readonly TaskStep[],
): Promise<string> {
  const { id } = await tasks.begin(operation, { account, signal: accountSignal }, async ({ signal, progress }) => {
    await changingEach([...steps.entries()], ([index, step]) => {
      signal.throwIfAborted();
      const { subject, needs, work } = step;
      const tell = (done: number, all: number): void => progress(index + (all > 0 ? done / all : 0), steps.length);
      return actor.record(
        { action: operation, subject },
        () => files.carryOut({ account, signals: [signal], limit: undefined, needs }, (ends) => work(ends, tell)),
        wordsOf,
      );
    });
  });
  return id;
}

export const noPermission = (words: string): OperationError => new OperationError(CODES.NO_PERMISSION, words);
