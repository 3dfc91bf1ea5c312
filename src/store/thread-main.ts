import { statSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import type { Sqlite } from './sqlite.js';
import { CLOSE, type Answer, type Batch, type OpenStoreFile, type StoreFile, type StoreName, type ThreadData } from './store-file.js';

/** The entry of a thread that owns an SQLite file: carries out batches, each in one transaction, one after the other. */

const OPENERS: Readonly<Record<StoreName, () => Promise<OpenStoreFile>>> = {
  audit: async () => (await import('./audit-file.js')).openAuditFile,
  history: async () => (await import('./history-file.js')).openHistoryFile,
  state: async () => (await import('./state-file.js')).openStateFile,
};

const { name, stateDir, last } = workerData as ThreadData;
const port = parentPort!;
/** SQLite's words where the disk has no room (https://www.sqlite.org/rescode.html#full) */
const FULL = 'database or disk is full';

let open: StoreFile | undefined;
/** somebody has put the file before it away, and nobody was told yet; its place says nothing, which the next file may have got */
let isOther = false;
/** which file that is: its place on the disk, whatever its name */
let place: string | undefined;
/** of the open file; undefined where not yet set */
let durable: boolean | undefined;

async function opened(): Promise<StoreFile> {
  if (open && wasPutAway(open)) {
    complete(open);
    letGo();
    isOther = true;
  }
  if (open) return open;
  const file = await (await OPENERS[name]())(stateDir, last);
  durable = undefined;
  place = placeOf(file);
  open = file;
  return file;
}

/** @returns undefined where its path leads nowhere @throws Error of the file system */
function placeOf({ path }: StoreFile): string | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  return found && `${found.dev} ${found.ino}`;
}

/** Whether somebody has removed or replaced the file: what is written to it would be found by nobody. One that cannot be looked at is there still. */
function wasPutAway(file: StoreFile): boolean {
  try {
    return placeOf(file) !== place;
  } catch {
    return false;
  }
}

/**
 * Writes into a file that was put away what of it is in its write-ahead log alone. SQLite would not do that for a file that is not
 * in its place: the log stays in its own, where the next file there is taken for the one that it belongs to, or it is deleted.
 */
function complete({ database }: StoreFile): void {
  try {
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  } catch {
    // it is in nobody's way: those who wait are not to be refused for that
  }
}

/** The next batch begins with opening the path again, where somebody may have put another file. */
function letGo(): void {
  open?.database.close();
  open = undefined;
}

/** SQLite may have rolled back of itself, which is as good. */
function rollBack(database: Sqlite): void {
  try {
    database.exec('ROLLBACK');
  } catch {
    // the error that led here is the one to tell
  }
}

/**
 * FULL brings the write-ahead log to the disk at each commit, with all that was committed before it
 * (https://www.sqlite.org/pragma.html#pragma_synchronous). It can be changed between transactions.
 */
function setDurability(database: Sqlite, wanted: boolean): void {
  if (durable === wanted) return;
  database.exec(`PRAGMA synchronous = ${wanted ? 'FULL' : 'NORMAL'}`);
  durable = wanted;
}

function carryOut({ database, operations }: StoreFile, batch: Batch): unknown[] {
  setDurability(database, batch.durable);
  database.exec('BEGIN IMMEDIATE');
  try {
    const results = batch.orders.map(([operation, args]) => operations[operation]!(args));
    database.exec('COMMIT');
    return results;
  } catch (error) {
    rollBack(database);
    throw error;
  }
}

async function answer(batch: Batch): Promise<Answer> {
  try {
    const file = await opened();
    const answer = { results: carryOut(file, batch), place, isOther };
    isOther = false;
    return answer;
  } catch (error) {
    const { message } = error as Error;
    // one that has no room can be read still, which to open it anew could not
    if (message !== FULL) letGo();
    return { failure: message };
  }
}

port.on('message', (message: Batch | typeof CLOSE) => {
  if (message === CLOSE) {
    letGo();
    port.close();
    return;
  }
  void answer(message).then((said) => port.postMessage(said));
});
