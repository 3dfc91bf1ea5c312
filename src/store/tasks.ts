import { randomUUID } from 'node:crypto';
import { TASKS_KEPT } from '../kit/limits.js';
import type { Value } from './sqlite.js';
import { StateError } from './state-error.js';

/**
 * `waiting` and `running` are under way; the others have ended. `unknown`: it was under way when the
 * server ended, so how it ended has to be looked up.
 */
export type TaskState = 'waiting' | 'running' | 'done' | 'failed' | 'stopped' | 'unknown';

/** Work that outlives the request that began it. Times in milliseconds since 1970. */
export interface TaskRecord {
  /** random; who knows it has been told it */
  readonly id: string;
  /** the account */
  readonly owner: string;
  readonly operation: string;
  /** what it is done to: an instance's or a provider's full name */
  readonly subject: string;
  /** the caller's key, null where it gave none */
  readonly once: string | null;
  readonly state: TaskState;
  /** for people; empty at first */
  readonly progress: string;
  readonly result: string | null;
  readonly error: string | null;
  readonly created: number;
  readonly changed: number;
}

export interface NewTask {
  readonly owner: string;
  readonly operation: string;
  readonly subject: string;
  /** a key of the owner's: with the same one nothing is begun again */
  readonly once?: string | undefined;
}

export interface TaskChange {
  readonly state?: TaskState;
  readonly progress?: string;
  readonly result?: string;
  readonly error?: string;
}

/**
 * The tasks, at most TASKS_KEPT: further ones push out the oldest that have ended, of the owner who has the most of them,
 * never one that is under way. All may throw StateError.
 */
export interface TaskStore {
  /**
   * Records a task as `waiting`, on the disk when it resolves: begin the work only then.
   * @returns `created: false` and the task that there is, where the owner has used this key before
   */
  create(task: NewTask): Promise<{ readonly created: boolean; readonly task: TaskRecord }>;
  /**
   * Records how it goes on: on the disk where the state changes, else at least with the kernel. An end that cannot be
   * written is once more with whatever is asked next, since nobody knows it after a restart otherwise.
   * @returns false where there is no such task
   */
  change(id: string, change: TaskChange): Promise<boolean>;
  get(id: string): Promise<TaskRecord | undefined>;
  /** The one that a key of the owner's has begun. */
  known(owner: string, once: string): Promise<TaskRecord | undefined>;
  /** Oldest first: the last ones, as many as have no more than TASKS_LISTED characters together. @param owner only theirs */
  list(owner?: string): Promise<readonly TaskRecord[]>;
  /** Writes down the ends that could not be before, if it can. Never rejects. */
  settle(): Promise<void>;
}

/** Asks for one operation on the file. @throws StateError */
export type AskState = (operation: string, args: readonly Value[], durable: boolean, isPatient?: boolean) => Promise<unknown>;

/** The tasks of a namespace. Those that an earlier process left under way become `unknown` before the first answer. */
export function tasksIn(namespace: string, askFile: AskState): TaskStore {
  let recovered: Promise<unknown> | undefined;
  const unwritten = new Map<string, readonly Value[]>();
  const settle = async (): Promise<void> => {
    for (const [id, values] of [...unwritten]) {
      unwritten.delete(id);
      try {
        await askFile('task.change', [namespace, ...values], true);
      } catch {
        unwritten.set(id, values);
        return;
      }
    }
  };
  /** Of so many that are kept, no more can have an end to be written. */
  const keep = (id: string, values: readonly Value[]): void => {
    unwritten.set(id, values);
    if (unwritten.size > TASKS_KEPT) unwritten.delete(unwritten.keys().next().value!);
  };
  /** The file keeps the order of what is asked; where recovery fails, so does what waits for it. */
  const ask = async (operation: string, args: readonly Value[], durable: boolean): Promise<unknown> => {
    const attempt = recovered ??= askFile('task.recover', [Date.now(), namespace], true);
    try {
      await attempt;
    } catch (error) {
      if (recovered === attempt) recovered = undefined;
      throw error;
    }
    if (unwritten.size > 0) await settle();
    return askFile(operation, [namespace, ...args], durable);
  };
  return {
    create: async ({ owner, operation, subject, once }) =>
      await ask('task.create', [randomUUID(), once ?? null, owner, operation, subject, Date.now()], true) as { created: boolean; task: TaskRecord },
    change: async (id, { state, progress, result, error }) => {
      const values = [id, state ?? null, progress ?? null, result ?? null, error ?? null, Date.now()];
      try {
        return await ask('task.change', values, state !== undefined) as boolean;
      } catch (thrown) {
        const isOver = state !== undefined && state !== 'waiting' && state !== 'running';
        if (isOver && !(thrown instanceof StateError && thrown.reason === 'too large')) keep(id, values);
        throw thrown;
      }
    },
    get: async (id) => await ask('task.get', [id], false) as TaskRecord | undefined,
    known: async (owner, once) => await ask('task.known', [owner, once], false) as TaskRecord | undefined,
    list: async (owner) => await ask('task.list', [owner ?? null], false) as TaskRecord[],
    settle,
  };
}
