import { accessSync, closeSync, constants, existsSync, openSync, readSync } from 'node:fs';
import { ArgoError } from '../kit/errors.js';
import { makeFolder } from '../kit/folders.js';
import { AUDIT_BACKLOG, AUDIT_RETRY, STORE_CLOSE } from '../kit/limits.js';
import { isoNow } from '../kit/text.js';
import type { AuditEntry, AuditLog, AuditNews, AuditRow, Outcome } from './audit-entry.js';
import { auditFile } from './audit-file.js';
import { StoreThread } from './thread.js';

interface End {
  readonly id: number;
  readonly at: string;
  readonly outcome: Outcome;
  readonly ms: number;
}

/** Tells of trouble with the file. */
type Complain = (message: string, facts: Record<string, unknown>) => void;

/**
 * How sure a beginning is before its order is sent. `full`: it is on the disk, also should the power
 * fail. `normal`: it is with the kernel, which survives the end of the process only.
 */
export type AuditSync = 'full' | 'normal';

/** With what every SQLite file begins (https://www.sqlite.org/fileformat.html#magic_header_string). */
const MAGIC = 'SQLite format 3\0';

/** Whether a file may be the audit: it is empty, or one of SQLite's. @throws Error of the file system */
function isSqlite(file: string): boolean {
  const descriptor = openSync(file, 'r');
  try {
    const start = Buffer.alloc(MAGIC.length);
    const length = readSync(descriptor, start);
    return length === 0 || start.toString('latin1') === MAGIC;
  } finally {
    closeSync(descriptor);
  }
}

/**
 * The audit as the server writes it, by a thread of its own: nothing here touches the file. An end is
 * not forced to the disk by itself; it comes there with the next beginning, or when the kernel writes
 * (after a power cut such an action has no end on record, and was begun). Ends that cannot be written
 * are kept and tried again; a beginning that cannot be written refuses its action.
 */
export class Audit implements AuditLog {
  /** Of the configuration; may be changed at any time. */
  sync: AuditSync;
  /** told of each beginning that was recorded, and of each end, for those who keep a copy elsewhere */
  listener: ((news: AuditNews) => void) | undefined;
  /** the number that was given out last */
  #last = 0;
  /** ends that could not be written yet, oldest first */
  #backlog: End[] = [];
  #retry: NodeJS.Timeout | undefined;
  readonly #stateDir: string;
  readonly #complain: Complain;
  readonly #thread: StoreThread;

  constructor(stateDir: string, complain: Complain, sync: AuditSync = 'full') {
    this.sync = sync;
    this.#stateDir = stateDir;
    this.#complain = complain;
    this.#thread = new StoreThread({
      name: 'audit', stateDir, last: () => this.#last,
      onTrouble: (reason) => complain('audit cannot be written', { reason }),
      onOtherFile: () => complain('audit was taken away, another one is begun', { file: auditFile(stateDir) }),
    });
  }

  /**
   * Looks whether the audit can be written, so that trouble shows at start. It is opened for the first
   * action: most of a server's life there is none, and the thread that does it has its price.
   */
  check(): void {
    try {
      makeFolder(this.#stateDir);
      accessSync(this.#stateDir, constants.W_OK | constants.X_OK);
      const file = auditFile(this.#stateDir);
      if (!existsSync(file)) return;
      accessSync(file, constants.R_OK | constants.W_OK);
      if (!isSqlite(file)) throw new Error(`${file} is not a database`);
    } catch (error) {
      this.#complain('audit cannot be opened', { reason: (error as Error).message });
    }
  }

  async begin({ account, from, command, instance, options }: AuditEntry): Promise<number> {
    const at = isoNow();
    try {
      const id = this.#given(await this.#thread.ask({
        operation: 'begin',
        args: [at, account, from, command, instance, options],
        durable: this.sync === 'full',
        late: (late) => void this.end(this.#given(late), 'AUDIT UNAVAILABLE: nothing was done', 0),
      }));
      this.listener?.({ id, at, account, from, command, instance, options });
      return id;
    } catch (error) {
      throw new ArgoError('AUDIT UNAVAILABLE', 'nothing was done', { cause: error });
    }
  }

  end(id: number, outcome: Outcome, ms: number): Promise<void> {
    const end = { id, at: isoNow(), outcome, ms: Math.round(ms) };
    this.listener?.(end);
    return this.#write(end);
  }

  /** The actions below a number, newest first. @param before undefined: from the newest on @throws Error */
  async rows(before: number | undefined, most: number): Promise<readonly AuditRow[]> {
    if (!existsSync(auditFile(this.#stateDir))) return [];
    return await this.#thread.ask({ operation: 'rows', args: [before ?? Number.MAX_SAFE_INTEGER, most], durable: false }) as AuditRow[];
  }

  /** As {@link Prune} says. */
  async prune(before: string | undefined, size: number | undefined, rows: number): Promise<number> {
    return await this.#thread.ask({ operation: 'prune', args: [before ?? null, size ?? null, rows], durable: false }) as number;
  }

  /** Writes what is left and closes the file, within bounds. */
  async close(): Promise<void> {
    const closing = performance.now() + STORE_CLOSE;
    const left = (): number => Math.max(0, closing - performance.now());
    await this.#thread.flush(left());
    this.#writeBacklog();
    await this.#thread.close(left());
    clearTimeout(this.#retry);
    this.#backlog.splice(0).forEach((end) => this.#complainOfLoss(end));
  }

  #given(id: unknown): number {
    this.#last = Math.max(this.#last, id as number);
    return id as number;
  }

  async #write(end: End): Promise<void> {
    const { id, at, outcome, ms } = end;
    try {
      const known = await this.#thread.ask({ operation: 'end', args: [id, at, outcome, ms], durable: false });
      if (known !== true) this.#complainOfLoss(end);
    } catch {
      this.#keep(end);
    }
  }

  #keep(end: End): void {
    if (this.#backlog.length >= AUDIT_BACKLOG) {
      const lost = this.#backlog.shift();
      this.#complain('audit backlog is full', { action: lost?.id, outcome: lost?.outcome });
    }
    this.#backlog.push(end);
    this.#retry ??= setTimeout(() => this.#writeBacklog(), AUDIT_RETRY).unref();
  }

  #writeBacklog(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#backlog.splice(0).forEach((end) => void this.#write(end));
  }

  #complainOfLoss({ id, outcome }: End): void {
    this.#complain('audit entry lost', { action: id, outcome });
  }
}
