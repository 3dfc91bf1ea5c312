import { ArgoError, toArgoError } from '../kit/errors.js';
import type { Log } from '../kit/log.js';
import type { NewTask, TaskChange, TaskRecord, TaskStore } from '../store/tasks.js';

export interface LedgerParts {
  /** undefined: nothing can be written down, so nothing is begun */
  readonly store: TaskStore | undefined;
  readonly log: Log;
  /** one of them and several, in words: `a task`, `tasks` */
  readonly words: readonly [one: string, several: string];
  /** under way at a time, of all accounts and of one */
  readonly most: { readonly running: number; readonly ofAccount: number };
  /** the accounts of those under way, one for each */
  running(): readonly string[];
  /** Remembers one of earlier, also of an earlier process. @throws where it is no record of ours */
  remember(record: TaskRecord): void;
}

/** Tasks of one kind as they are written down: before they begin, so many at a time, and once for each key. */
export class TaskLedger {
  readonly #parts: LedgerParts;
  #loaded: Promise<void> | undefined;
  /** those that are being written down, by account */
  readonly #beginning: string[] = [];

  constructor(parts: LedgerParts) {
    this.#parts = parts;
  }

  /**
   * Writes down that one begins.
   * @param next begins it where it is new; called before another may begin
   * @throws ArgoError BUSY, AUDIT UNAVAILABLE; what `next` throws
   */
  async begin<T>(task: NewTask, next: (record: TaskRecord, isNew: boolean) => T): Promise<T> {
    await this.load();
    const known = this.#isFull(task.owner) ? await this.#known(task) : undefined;
    if (known !== undefined) return next(known, false);
    // asked again: others may have begun or ended meanwhile
    if (this.#isFull(task.owner)) throw new ArgoError('BUSY', `too many ${this.#several} are under way`);
    this.#beginning.push(task.owner);
    try {
      const { created, task: record } = await this.ask((store) => store.create(task));
      return next(record, created);
    } finally {
      this.#beginning.splice(this.#beginning.indexOf(task.owner), 1);
    }
  }

  /** Has the last ones remembered, also those of an earlier process. @throws ArgoError AUDIT UNAVAILABLE */
  load(): Promise<void> {
    return this.#loaded ??= this.ask((store) => store.list()).then((records) => {
      for (const record of records) this.#remember(record);
    }).catch((error: unknown) => {
      this.#loaded = undefined;
      throw error;
    });
  }

  /** Writes down how one goes on. Never rejects. */
  async save(id: string, change: TaskChange): Promise<void> {
    try {
      await this.ask((store) => store.change(id, change));
    } catch (error) {
      this.#parts.log('warn', `how ${this.#parts.words[0]} goes on cannot be written down`, { task: id, reason: String((error as Error).cause ?? error) });
    }
  }

  /** Writes down the ends that could not be before, if it can. Never rejects. */
  async settle(): Promise<void> {
    await this.#parts.store?.settle();
  }

  /** @throws ArgoError AUDIT UNAVAILABLE */
  async ask<T>(work: (store: TaskStore) => Promise<T>): Promise<T> {
    const { store } = this.#parts;
    if (store === undefined) throw new ArgoError('AUDIT UNAVAILABLE', `${this.#several} cannot be written down`);
    try {
      return await work(store);
    } catch (error) {
      throw new ArgoError('AUDIT UNAVAILABLE', `${this.#several} cannot be written down`, { cause: toArgoError(error).cause ?? error });
    }
  }

  get #several(): string {
    return this.#parts.words[1];
  }

  #isFull(owner: string): boolean {
    const { most } = this.#parts;
    const under = [...this.#parts.running(), ...this.#beginning];
    return under.length >= most.running || under.filter((one) => one === owner).length >= most.ofAccount;
  }

  /** What a key has begun before: it is told also where no further one may begin. */
  async #known({ owner, once }: NewTask): Promise<TaskRecord | undefined> {
    return once === undefined ? undefined : this.ask((store) => store.known(owner, once));
  }

  /** One that cannot be read takes none of the others with it. */
  #remember(record: TaskRecord): void {
    try {
      this.#parts.remember(record);
    } catch (error) {
      this.#parts.log('error', `${this.#parts.words[0]} cannot be read`, { task: record.id, reason: String(error) });
    }
  }
}
