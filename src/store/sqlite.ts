/**
 * SQLite as this Node has it: its own since 22.13, better-sqlite3 before that. (better-sqlite3 12, the
 * last for Node 20, ends the process on Node 24.19 and later when a statement is collected.)
 */

export type Value = string | number | null;

/** A prepared statement. */
export interface Statement {
  run(...values: readonly Value[]): { readonly lastInsertRowid: number | bigint; readonly changes: number | bigint };
  /** the first row, undefined where there is none */
  get(...values: readonly Value[]): unknown;
  all(...values: readonly Value[]): unknown[];
  iterate(values: Readonly<Record<string, Value>>): IterableIterator<unknown>;
}

/** An open file. */
export interface Sqlite {
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}

export interface SqliteOptions {
  readonly readOnly: boolean;
  /** milliseconds to wait for another process that holds a lock */
  readonly timeout: number;
}

/** What is used of `node:sqlite`, which the types of the oldest Node that we support do not know. */
interface NodeSqlite {
  readonly DatabaseSync: new (path: string, options: { readOnly: boolean; timeout: number }) => Sqlite;
}

const BUILT_IN: string = 'node:sqlite';

/** Since 22.13 it needs no flag. */
function hasBuiltIn(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return major > 22 || (major === 22 && minor >= 13);
}

/**
 * Opens a file.
 * @throws Error of the file system or of SQLite
 */
export async function openSqlite(path: string, { readOnly, timeout }: SqliteOptions): Promise<Sqlite> {
  if (hasBuiltIn()) {
    const { DatabaseSync } = await import(BUILT_IN) as NodeSqlite;
    return new DatabaseSync(path, { readOnly, timeout });
  }
  const { default: BetterSqlite } = await import('better-sqlite3');
  const database = new BetterSqlite(path, { readonly: readOnly, timeout });
  return {
    exec: (sql) => void database.exec(sql),
    prepare: (sql) => database.prepare<unknown[], unknown>(sql),
    close: () => void database.close(),
  };
}
