import { toArgoError, ArgoError } from '../../../kit/errors.js';
import { FairPlaces } from '../../../kit/fair-places.js';
import type { Log } from '../../../kit/log.js';
import { newKey } from '../../../kit/random-key.js';
import { harmless, oneLine } from '../../../kit/text.js';
import {
  BACKGROUND_KEPT, BACKGROUND_KEPT_OF_ACCOUNT, BACKGROUND_LAST_WORD, BACKGROUND_LONGEST, BACKGROUND_OF_ACCOUNT, BACKGROUND_RUNNING, BACKGROUND_WORDS,
} from '../../../kit/vmserverd-files-limits.js';
import { notLonger, onAbort } from '../../../kit/within.js';
import { CODES, OperationError } from '../../../protocols/vmserverd/codes.js';
import type { KeyValue } from '../../../store/state.js';
import { beforehand } from '../beforehand.js';
import type { BackgroundTask, BackgroundTasks, TaskCall, TaskViewer } from './background-tasks.js';
import { endedRecord, TaskRecords, type TaskRecord } from './task-records.js';

/** One of this process. */
interface Running {
  readonly stop: (reason: Error) => void;
  /** Resolves when it has ended and that is written down. Never rejects. */
  readonly ended: Promise<void>;
}

const STOPPED = new ArgoError('FAILED', 'it was stopped');

/**
 * Background tasks, written down in the gateway's part of the state file. Nothing is begun twice and nothing is begun again: one
 * that a killed server had under way is `unknown`.
 */
export class KeptTasks implements BackgroundTasks {
  readonly #records: TaskRecords;
  readonly #log: Log;
  readonly #places = new FairPlaces({ places: BACKGROUND_RUNNING, waiting: 0, groups: [{ held: BACKGROUND_OF_ACCOUNT }] });
  /** all that are remembered, oldest first */
  readonly #known = new Map<string, TaskRecord>();
  readonly #running = new Map<string, Running>();
  #isEnding = false;
  /** on the clock of performance.now(): when all were told to stop */
  #stopped: number | undefined;

  constructor({ state, log }: { readonly state: { readonly kv: KeyValue }; readonly log: Log }) {
    this.#records = new TaskRecords(state.kv);
    this.#log = log;
  }

  /** Reads what an earlier process has left. To be called once, before anything else. @throws StateError */
  async load(): Promise<void> {
    for (const record of await this.#records.all()) this.#known.set(record.id, record);
  }

  async begin(
    operation: string,
    owner: { readonly account: string; readonly signal: AbortSignal },
    work: (call: TaskCall) => Promise<void>,
  ): Promise<BackgroundTask> {
    if (this.#isEnding) throw new ArgoError('SHUTTING DOWN');
    owner.signal.throwIfAborted();
    const free = this.#places.tryTake([owner.account]);
    if (free === undefined)
      throw new ArgoError(
        'BUSY',
        `too much is under way already: ${BACKGROUND_OF_ACCOUNT} of one account, ${BACKGROUND_RUNNING} in all`,
      );
    const record: TaskRecord = {
      id: newKey(),
      operation,
      owner: owner.account,
      state: 'running',
      percent: undefined,
      started: Date.now(),
      ended: undefined,
      error: undefined,
    };
    try {
      await this.#makeRoom(owner.account);
      await beforehand(this.#records.save(record));
    } catch (error) {
      free();
      throw error;
    }
    this.#known.set(record.id, record);
    this.#running.set(record.id, this.#run(record, owner.signal, work, free));
    return { ...record };
  }

  get(id: string, viewer: TaskViewer): BackgroundTask {
    return { ...this.#find(id, viewer) };
  }

  async stop(id: string, viewer: TaskViewer): Promise<void> {
    this.#find(id, viewer);
    const running = this.#running.get(id);
    running?.stop(STOPPED);
    await running?.ended;
  }

  async delete(id: string, viewer: TaskViewer): Promise<void> {
    this.#find(id, viewer);
    if (this.#running.has(id)) throw new OperationError(CODES.BUSY, 'it is under way: stop it first');
    await beforehand(this.#records.remove(id));
    this.#known.delete(id);
  }

  /** Takes no further ones, and lets those that run end. @param ms how long, after which they are told to stop */
  async drain(ms: number): Promise<void> {
    this.#isEnding = true;
    await notLonger(ms, this.#allEnded());
    this.#stopAll();
  }

  /** Takes no further ones, and tells all to stop. */
  async close(): Promise<void> {
    this.#isEnding = true;
    this.#stopAll();
    await notLonger(Math.max(0, this.#stopped! + BACKGROUND_LAST_WORD - performance.now()), this.#allEnded());
  }

  #stopAll(): void {
    this.#stopped ??= performance.now();
    for (const { stop } of this.#running.values()) stop(new ArgoError('SHUTTING DOWN'));
  }

  #allEnded(): Promise<unknown> {
    return Promise.all([...this.#running.values()].map(({ ended }) => ended));
  }

  #run(record: TaskRecord, account: AbortSignal, work: (call: TaskCall) => Promise<void>, free: () => void): Running {
    const controller = new AbortController();
    const stop = (reason: Error): void => controller.abort(reason);
    const timer = setTimeout(() => stop(new ArgoError('TIMEOUT', 'it took too long')), BACKGROUND_LONGEST);
    const forget = onAbort(account, (reason) => stop(reason as Error));
    // it begins when its caller knows its number, and ends here also where it throws at once
    const ended = Promise.resolve()
      .then(() => work({ signal: controller.signal, progress: (done, all) => this.#note(record.id, done, all) }))
      .then(
        () => endedRecord(this.#known.get(record.id)!, 'done', undefined),
        (thrown: unknown) => this.#failed(record, controller.signal, thrown),
      )
      .then(async (end) => {
        clearTimeout(timer);
        forget();
        this.#known.set(end.id, end);
        await this.#records
          .save(end)
          .catch((cause: unknown) =>
            this.#log('error', 'the end of a task could not be written', { task: end.operation, cause }),
          );
        this.#running.delete(end.id);
        free();
      });
    return { stop, ended };
  }

  #failed({ id, operation }: TaskRecord, { aborted, reason }: AbortSignal, thrown: unknown): TaskRecord {
    const known = this.#known.get(id)!;
    if (aborted && (thrown === reason || (thrown instanceof ArgoError && thrown.cause === reason)))
      return endedRecord(known, stateAfter(reason), thrown === STOPPED ? undefined : wordsOf(thrown));
    if (!(thrown instanceof OperationError) && toArgoError(thrown).phrase === 'INTERNAL ERROR')
      this.#log('error', 'a task failed', { task: operation, cause: thrown });
    return endedRecord(known, 'failed', wordsOf(thrown));
  }

  #note(id: string, done: number, all: number): void {
    const known = this.#known.get(id);
    if (known?.state !== 'running' || !(all > 0) || !(done >= 0)) return;
    // all of it is copied before it is on the disk and bears its name: whole is what is done
    this.#known.set(id, { ...known, percent: Math.min(99, Math.floor((100 * done) / all)) });
  }

  /** @throws OperationError NO_SUCH_TASK, the same for one of others */
  #find(id: string, { account, mayAll }: TaskViewer): TaskRecord {
    const record = this.#known.get(id);
    if (record === undefined || !(mayAll || record.owner === account))
      throw new OperationError(CODES.NO_SUCH_TASK, 'there is no such task');
    return record;
  }

  /** Forgets the oldest that have ended: the account's own where it has too many, else of who has most. */
  async #makeRoom(account: string): Promise<void> {
    const byOwner = new Map<string, TaskRecord[]>();
    for (const record of this.#known.values()) byOwner.set(record.owner, [...(byOwner.get(record.owner) ?? []), record]);
    const own = byOwner.get(account) ?? [];
    if (own.length >= BACKGROUND_KEPT_OF_ACCOUNT) return this.#forgetFirst(own);
    if (this.#known.size < BACKGROUND_KEPT) return;
    const [most = []] = [...byOwner.values()].sort((one, other) => other.length - one.length);
    return this.#forgetFirst(most);
  }

  async #forgetFirst(records: readonly TaskRecord[]): Promise<void> {
    const first = records.find(({ id }) => !this.#running.has(id));
    if (first === undefined) throw new ArgoError('BUSY', 'too many tasks are remembered');
    await beforehand(this.#records.remove(first.id));
    this.#known.delete(first.id);
  }
}

/** Who stopped it: a lost account and the end of the server are no failure of the work. */
const stateAfter = (reason: unknown): 'stopped' | 'failed' => (reason instanceof ArgoError && reason.phrase === 'TIMEOUT' ? 'failed' : 'stopped');

/** One line for people. What nobody wrote for people is told by its phrase alone. */
const wordsOf = (thrown: unknown): string =>
  harmless(oneLine(thrown instanceof OperationError ? thrown.message : toArgoError(thrown).message, BACKGROUND_WORDS));
