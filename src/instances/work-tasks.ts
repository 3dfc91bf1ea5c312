import { ArgoError, PHRASES, toArgoError, type Phrase } from '../kit/errors.js';
import { oldestOfMost } from '../kit/forgetting.js';
import { TASK_TEXT } from '../kit/limits.js';
import type { Log } from '../kit/log.js';
import { onAbort } from '../kit/within.js';
import { WORK_SAVED_EVERY, WORK_TASKS_KEPT, WORK_TASKS_OF_ACCOUNT, WORK_TASKS_RUNNING, WORK_TOLD_EVERY } from '../kit/work-limits.js';
import type { TaskChange, TaskRecord, TaskState, TaskStore } from '../store/tasks.js';
import { checkOnce } from './once.js';
import { isOwn, providerOf, TASKS_OF_ALL, type Mandate } from './principal.js';
import { TaskLedger } from './task-ledger.js';
import { TaskListeners } from './task-listeners.js';
import { WORKS, type WorkName } from './work-table.js';

/** Work that is a task, as it is told. `unknown`: nobody knows how it ended. */
export interface WorkTask {
  /** random */
  readonly id: string;
  /** as the audit names it */
  readonly account: string;
  readonly operation: WorkName;
  /** full name of the instance, or name of the provider */
  readonly subject: string;
  /** its arguments in words, without secrets */
  readonly options: string;
  readonly state: 'running' | 'done' | 'failed' | 'cancelled' | 'unknown';
  /** from 0 to 1, as far as that is known */
  readonly progress: number;
  /** milliseconds since 1970 */
  readonly began: number;
  readonly ended: number | undefined;
  /** of one that did not end well: the phrase with its detail; else empty */
  readonly detail: string;
}

export interface NewWork {
  readonly operation: WorkName;
  readonly subject: string;
  readonly options: string;
  readonly once: string | undefined;
}

/** What carries one out is given. */
export interface WorkHandle {
  readonly id: string;
  readonly cancelled: AbortSignal;
  progress(part: number): void;
}

/** One that was begun, now or earlier with the same key. */
export interface BegunWork {
  readonly id: string;
  /** @throws ArgoError as it ended */
  readonly over: Promise<void>;
}

export interface WorkTasksParts {
  /** undefined: nothing can be written down, so nothing is begun */
  readonly store: TaskStore | undefined;
  readonly log: Log;
}

/** What is written down before it begins. */
interface KeptSubject {
  readonly on: string;
  readonly options: string;
}

interface Running {
  task: WorkTask;
  readonly cancel: AbortController;
  readonly over: Promise<void>;
}

const CUT_OFF = 'UNCERTAIN: the server ended while it was under way; look at what is there, and at the audit';

/** The work that is a task, of all accounts: what is under way, and the last that has ended. What is written down of power actions on many is another's. */
export class WorkTasks {
  readonly #isWritten: boolean;
  readonly #ledger: TaskLedger;
  readonly #listeners = new TaskListeners<WorkTask>(mayKnow);
  readonly #running = new Map<string, Running>();
  /** oldest first */
  readonly #ended = new Map<string, WorkTask>();

  constructor({ store, log }: WorkTasksParts) {
    this.#isWritten = store !== undefined;
    this.#ledger = new TaskLedger({
      store, log, words: ['a task', 'tasks'], most: { running: WORK_TASKS_RUNNING, ofAccount: WORK_TASKS_OF_ACCOUNT },
      running: () => [...this.#running.values()].map(({ task }) => task.account),
      remember: (record) => this.#keep(toldOf(record)),
    });
  }

  /**
   * Writes down that it begins, and begins it.
   * @throws ArgoError BAD REQUEST also where the key has begun something else; BUSY, AUDIT UNAVAILABLE
   */
  async begin(mandate: Mandate, work: NewWork, run: (handle: WorkHandle) => Promise<void>): Promise<BegunWork> {
    const { name: owner } = mandate.identity;
    const once = work.once === undefined ? undefined : checkOnce(work.once);
    const subject = JSON.stringify({ on: work.subject, options: work.options } satisfies KeptSubject);
    return this.#ledger.begin({ owner, operation: work.operation, subject, once }, (task, isNew) =>
      isNew ? this.#run(task, work, mandate, run) : this.#again(task, work),
    );
  }

  /** Those that are remembered, newest first. @throws ArgoError AUDIT UNAVAILABLE */
  async list(mandate: Mandate): Promise<readonly WorkTask[]> {
    if (!this.#isWritten) return [];
    await this.#ledger.load();
    return [...this.#ended.values(), ...[...this.#running.values()].map(({ task }) => task)]
      .filter((task) => mayKnow(mandate, task))
      .sort((one, other) => other.began - one.began);
  }

  /** It is told to end, and takes away what it has half made. @throws ArgoError NO SUCH TASK; WRONG STATE where it has ended */
  cancel(mandate: Mandate, id: string): void {
    const running = this.#running.get(id);
    const task = running?.task ?? this.#ended.get(id);
    if (task === undefined || !mayKnow(mandate, task)) throw new ArgoError('NO SUCH TASK', id);
    if (running === undefined) throw new ArgoError('WRONG STATE', 'it has ended');
    running.cancel.abort();
  }

  /** Calls back when one of which the mandate may know has begun, gone on or ended, a few times a second at most. @returns ends that */
  listen(mandate: Mandate, listener: (task: WorkTask) => void): () => void {
    return this.#listeners.listen(mandate, listener);
  }

  /** Resolves when how each ended is written down. Never rejects. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#running.values()].map(({ over }) => over));
    await this.#ledger.settle();
  }

  #run(record: TaskRecord, work: NewWork, mandate: Mandate, run: (handle: WorkHandle) => Promise<void>): BegunWork {
    const { id } = record;
    const cancel = new AbortController();
    const forget = mandate.cancelled ? onAbort(mandate.cancelled, (reason) => cancel.abort(reason)) : () => undefined;
    const saver = new Saver((change) => this.#ledger.save(id, change));
    const teller = new Teller(() => this.#listeners.tell(this.#running.get(id)?.task ?? this.#ended.get(id)!));
    const handle: WorkHandle = {
      id, cancelled: cancel.signal,
      progress: (part) => {
        if (!this.#running.has(id)) return;
        running.task = { ...running.task, progress: part };
        saver.progress(part);
        teller.soon();
      },
    };
    const carryOut = async (): Promise<void> => {
      teller.soon();
      void saver.save({ state: 'running' });
      const thrown: unknown = await run(handle).then(() => undefined, (error: unknown) => toArgoError(error));
      const { state, detail } = endOf(thrown as ArgoError | undefined, cancel.signal.aborted);
      await saver.save({ state: STORED[state], ...(detail === '' ? {} : { error: detail.slice(0, TASK_TEXT) }) });
      forget();
      this.#running.delete(id);
      this.#keep({ ...running.task, ...(state === 'done' ? { progress: 1 } : {}), state, detail, ended: Date.now() });
      teller.now();
      if (thrown !== undefined) throw thrown as ArgoError;
    };
    const running: Running = { task: told(record, work, 'running'), cancel, over: Promise.resolve().then(carryOut) };
    this.#running.set(id, running);
    // whoever began it may have left
    running.over.catch(() => undefined);
    return { id, over: running.over };
  }

  /** One that its key has begun before. @throws ArgoError BAD REQUEST where that was something else */
  #again(record: TaskRecord, { operation, subject, options }: NewWork): BegunWork {
    const { id } = record;
    const running = this.#running.get(id);
    const task = running?.task ?? this.#ended.get(id) ?? toldOf(record);
    if (task.operation !== operation || task.subject !== subject || task.options !== options) throw new ArgoError('BAD REQUEST', `once: this key has begun another task, ${id}`);
    const over = running?.over ?? (task.state === 'done' ? Promise.resolve() : Promise.reject(errorOf(task.detail)));
    over.catch(() => undefined);
    return { id, over };
  }

  #keep(task: WorkTask): void {
    this.#ended.set(task.id, task);
    if (this.#ended.size > WORK_TASKS_KEPT) this.#ended.delete(oldestOfMost(this.#ended, ({ account }) => account)!);
  }
}

/** Writes down how one goes on: now and then, one after the other, its end last. */
class Saver {
  readonly #save: (change: TaskChange) => Promise<void>;
  #saving: Promise<void> = Promise.resolve();
  #savedAt = -Infinity;

  constructor(save: (change: TaskChange) => Promise<void>) {
    this.#save = save;
  }

  save(change: TaskChange): Promise<void> {
    return this.#saving = this.#saving.then(() => this.#save(change));
  }

  progress(part: number): void {
    if (performance.now() - this.#savedAt < WORK_SAVED_EVERY) return;
    this.#savedAt = performance.now();
    void this.save({ progress: String(part) });
  }
}

/** Tells how one goes on: with what comes within a while, its end at once. */
class Teller {
  readonly #tell: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(tell: () => void) {
    this.#tell = tell;
  }

  soon(): void {
    this.#timer ??= setTimeout(() => this.now(), WORK_TOLD_EVERY);
  }

  now(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#tell();
  }
}

const STORED: Readonly<Record<Exclude<WorkTask['state'], 'running'>, TaskState>> = { done: 'done', failed: 'failed', cancelled: 'stopped', unknown: 'unknown' };
const TOLD: Readonly<Record<TaskState, WorkTask['state']>> = { waiting: 'unknown', running: 'unknown', done: 'done', failed: 'failed', stopped: 'cancelled', unknown: 'unknown' };

/** In which state it ended, by what was thrown. */
function endOf(thrown: ArgoError | undefined, isCancelled: boolean): { readonly state: Exclude<WorkTask['state'], 'running'>; readonly detail: string } {
  if (thrown === undefined) return { state: 'done', detail: '' };
  const { phrase, message: detail } = thrown;
  if (phrase === 'UNCERTAIN') return { state: 'unknown', detail };
  return { state: (phrase === 'BUSY' && isCancelled) || phrase === 'SHUTTING DOWN' ? 'cancelled' : 'failed', detail };
}

function told({ id, owner, created }: TaskRecord, { operation, subject, options }: Omit<NewWork, 'once'>, state: WorkTask['state']): WorkTask {
  return { id, account: owner, operation, subject, options, state, progress: 0, began: created, ended: undefined, detail: '' };
}

/** One of an earlier process. @throws SyntaxError, TypeError where it is no record of ours */
function toldOf(record: TaskRecord): WorkTask {
  const { on, options } = JSON.parse(record.subject) as KeptSubject;
  if (typeof on !== 'string' || typeof options !== 'string' || !Object.hasOwn(WORKS, record.operation)) throw new TypeError('it is no task of ours');
  const state = TOLD[record.state];
  const task = told(record, { operation: record.operation as WorkName, subject: on, options }, state);
  return { ...task, progress: state === 'done' ? 1 : Number(record.progress), ended: record.changed, detail: record.error ?? (state === 'unknown' ? CUT_OFF : '') };
}

/** What was thrown, by its words. */
function errorOf(words: string): ArgoError {
  const [phrase = '', ...detail] = words.split(': ');
  return Object.hasOwn(PHRASES, phrase) ? new ArgoError(phrase as Phrase, detail.join(': ')) : new ArgoError('INTERNAL ERROR');
}

const mayKnow = ({ identity: { name, principal } }: Mandate, { account, subject }: WorkTask): boolean =>
  isOwn(name, account) || principal.allowsProvider(providerOf(subject), TASKS_OF_ALL);
