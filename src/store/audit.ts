import { join } from 'node:path';
import { ArgoError } from '../kit/errors.js';
import { makeFolder } from '../kit/folders.js';
import { AUDIT_BACKLOG, AUDIT_RETRY } from '../kit/limits.js';
import type { AuditEntry, AuditLog, Outcome } from './audit-entry.js';
import { openSqlite, type Sqlite, type Statement } from './sqlite.js';

/**
 * Two tables that only grow: an action's beginning, written before anything is sent, and its end. An
 * action without an end was under way when the server was killed. WAL with synchronous=NORMAL loses
 * nothing when the process is killed (https://www.sqlite.org/pragma.html#pragma_synchronous).
 */
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS begun (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    account TEXT NOT NULL,
    peer TEXT NOT NULL,
    command TEXT NOT NULL,
    instance TEXT NOT NULL,
    options TEXT NOT NULL
  );
  CREATE TABLE IF NOT EXISTS ended (
    id INTEGER PRIMARY KEY REFERENCES begun (id),
    at TEXT NOT NULL,
    outcome TEXT NOT NULL,
    ms INTEGER NOT NULL
  );
  CREATE TRIGGER IF NOT EXISTS begun_stays BEFORE UPDATE ON begun BEGIN SELECT RAISE(ABORT, 'the audit only grows'); END;
  CREATE TRIGGER IF NOT EXISTS begun_is_kept BEFORE DELETE ON begun BEGIN SELECT RAISE(ABORT, 'the audit only grows'); END;
  CREATE TRIGGER IF NOT EXISTS ended_stays BEFORE UPDATE ON ended BEGIN SELECT RAISE(ABORT, 'the audit only grows'); END;
  CREATE TRIGGER IF NOT EXISTS ended_is_kept BEFORE DELETE ON ended BEGIN SELECT RAISE(ABORT, 'the audit only grows'); END;
`;

/** Only where the file has the beginning: somebody may have put a new file in its place. */
const INSERT_END = `
  INSERT OR IGNORE INTO ended (id, at, outcome, ms)
  SELECT ?, ?, ?, ? FROM begun WHERE id = ?`;

/** Numbers go on in a new file: an action that still runs must not end another one there. */
const GO_ON = `
  INSERT INTO sqlite_sequence (name, seq) SELECT 'begun', ?
  WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'begun')`;

/** Longest wait for another process that reads or writes the file, milliseconds. */
export const LOCK_TIMEOUT = 1000;

/** The file's place in the state folder. */
export const auditFile = (stateDir: string): string => join(stateDir, 'audit.sqlite');

/** The open file with what is done to it. */
interface Store {
  readonly database: Sqlite;
  readonly insertBegin: Statement;
  readonly insertEnd: Statement;
}

/**
 * Opens the file for writing, making folder and tables where they are missing.
 * @param last the number after which a new file goes on
 * @throws Error of the file system or of SQLite
 */
async function openForWriting(stateDir: string, last: number): Promise<Store> {
  makeFolder(stateDir);
  const database = await openSqlite(auditFile(stateDir), { readOnly: false, timeout: LOCK_TIMEOUT });
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
    database.exec(SCHEMA);
    database.prepare(GO_ON).run(last);
    return {
      database,
      insertBegin: database.prepare('INSERT INTO begun (at, account, peer, command, instance, options) VALUES (?, ?, ?, ?, ?, ?)'),
      insertEnd: database.prepare(INSERT_END),
    };
  } catch (error) {
    database.close();
    throw error;
  }
}

interface Begin {
  readonly entry: AuditEntry;
  readonly at: string;
  resolve(id: number): void;
  reject(error: ArgoError): void;
}

interface End {
  readonly id: number;
  readonly at: string;
  readonly outcome: Outcome;
  readonly ms: number;
}

/** Tells of trouble with the file. */
type Complain = (message: string, facts: Record<string, unknown>) => void;

/**
 * The audit as the server writes it. What comes in during one turn of the event loop is written in
 * one transaction. Ends that cannot be written are kept and tried again; a beginning that cannot be
 * written refuses its action.
 */
export class Audit implements AuditLog {
  #opened: Promise<Store> | undefined;
  #begins: Begin[] = [];
  /** the number that was given out last */
  #last = 0;
  #ends: End[] = [];
  /** the write that is about to begin */
  #attempt: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;
  readonly #stateDir: string;
  readonly #complain: Complain;

  constructor(stateDir: string, complain: Complain) {
    this.#stateDir = stateDir;
    this.#complain = complain;
  }

  /** Opens the file, so that trouble shows at start. Never rejects: each action will try again. */
  async open(): Promise<void> {
    await this.#connect().catch((error: unknown) => this.#complain('audit cannot be opened', { reason: (error as Error).message }));
  }

  begin(entry: AuditEntry): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#begins.push({ entry, at: new Date().toISOString(), resolve, reject });
      void this.#schedule();
    });
  }

  end(id: number, outcome: Outcome, ms: number): Promise<void> {
    if (this.#ends.length >= AUDIT_BACKLOG) {
      const lost = this.#ends.shift();
      this.#complain('audit backlog is full', { action: lost?.id, outcome: lost?.outcome });
    }
    this.#ends.push({ id, at: new Date().toISOString(), outcome, ms: Math.round(ms) });
    return this.#schedule();
  }

  /** Writes what is left and closes the file. */
  async close(): Promise<void> {
    clearTimeout(this.#retry);
    await this.#write();
    this.#ends.forEach((end) => this.#complainOfLoss(end));
    await this.#letGo();
  }

  /** Writes in the next turn of the event loop. Resolves when that was tried; never rejects. */
  #schedule(): Promise<void> {
    this.#attempt ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#attempt = undefined;
        void this.#write().then(resolve);
      });
    });
    return this.#attempt;
  }

  /** The open file; where it cannot be opened, the next one to ask tries again. */
  #connect(): Promise<Store> {
    if (!this.#opened) {
      const opening = openForWriting(this.#stateDir, this.#last);
      opening.catch(() => {
        if (this.#opened === opening) this.#opened = undefined;
      });
      this.#opened = opening;
    }
    return this.#opened;
  }

  async #letGo(): Promise<void> {
    const opened = this.#opened;
    this.#opened = undefined;
    (await opened?.catch(() => undefined))?.database.close();
  }

  #complainOfLoss({ id, outcome }: End): void {
    this.#complain('audit entry lost', { action: id, outcome });
  }

  async #write(): Promise<void> {
    const begins = this.#begins;
    this.#begins = [];
    if (begins.length === 0 && this.#ends.length === 0) return;
    try {
      const ids = this.#store(await this.#connect(), begins);
      this.#last = ids.at(-1) ?? this.#last;
      begins.forEach(({ resolve }, index) => resolve(ids[index]!));
    } catch (error) {
      this.#complain('audit cannot be written', { reason: (error as Error).message });
      begins.forEach(({ reject }) => reject(new ArgoError('AUDIT UNAVAILABLE', 'nothing was done', { cause: error })));
      await this.#letGo();
      if (this.#ends.length > 0) this.#writeLater();
    }
  }

  #writeLater(): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#schedule(), AUDIT_RETRY);
    this.#retry.unref();
  }

  /** All in one transaction: either everything is written or nothing. */
  #store({ database, insertBegin, insertEnd }: Store, begins: readonly Begin[]): number[] {
    const ends = this.#ends;
    database.exec('BEGIN IMMEDIATE');
    try {
      const lost = ends.filter(({ id, at, outcome, ms }) => Number(insertEnd.run(id, at, outcome, ms, id).changes) === 0);
      const ids = begins.map(({ entry, at }) =>
        Number(insertBegin.run(at, entry.account, entry.from, entry.command, entry.instance, entry.options).lastInsertRowid));
      database.exec('COMMIT');
      ends.splice(0, ends.length);
      lost.forEach((end) => this.#complainOfLoss(end));
      return ids;
    } catch (error) {
      rollBack(database);
      throw error;
    }
  }
}

/** SQLite may have rolled back of itself, which is as good. */
function rollBack(database: Sqlite): void {
  try {
    database.exec('ROLLBACK');
  } catch {
    // the error that led here is the one to tell
  }
}
