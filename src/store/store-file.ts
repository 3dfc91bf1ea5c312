import type { Sqlite, Value } from './sqlite.js';

/** What a thread that owns an SQLite file and the event loop say to each other. */

/** What can be done to a file. Each runs within a transaction that others share, so none may fail for reasons of its own. */
export type Operations = Readonly<Record<string, (args: readonly Value[]) => unknown>>;

/** An open file, with its tables. */
export interface StoreFile {
  readonly path: string;
  readonly database: Sqlite;
  readonly operations: Operations;
}

/**
 * Opens a file for writing, making folder and tables where they are missing.
 * @param last what {@link ThreadData} had
 * @throws Error of the file system or of SQLite
 */
export type OpenStoreFile = (stateDir: string, last: number) => Promise<StoreFile>;

/** The files that there are. */
export type StoreName = 'audit' | 'history' | 'state';

/** With what a thread begins. */
export interface ThreadData {
  readonly name: StoreName;
  readonly stateDir: string;
  /** the number that was given out last, for a file that must go on after it */
  readonly last: number;
}

/** One operation by its name. */
export type Order = readonly [operation: string, args: readonly Value[]];

/** What is to be done in one transaction. */
export interface Batch {
  /** must be on the disk before it is answered; else it survives the end of the process, not of the power */
  readonly durable: boolean;
  readonly orders: readonly Order[];
}

/** Of a batch: all results in the order of its operations and into which file it was written, by its place on the disk, and whether another was put away for it; or why nothing of it was written. */
export type Answer = { readonly results: readonly unknown[]; readonly place: string | undefined; readonly isOther: boolean } | { readonly failure: string };

/** Tells a thread to close its file and to end. */
export const CLOSE = 'close';

/** Why an operation failed on a file of values that is not the one in which its stream was begun: it was taken away meanwhile. */
export const NOT_BEGUN = 'another file is in its place';
