import { ArgoError, withoutCause } from '../kit/errors.js';
import type { Operations, TaskInfo } from './operations.js';
import type { Mandate } from './principal.js';
import type { WorkTask } from './work-tasks.js';

/** What is under way: own actions; all of a provider for an account that may do everything there. */
export interface Tasks {
  list(): readonly TaskInfo[];
  get(id: string): TaskInfo | undefined;
  /** Ends the waiting for one: what was sent stays sent. Work that is a task takes away what it has half made. @throws ArgoError NO SUCH TASK; WRONG STATE where it has ended */
  cancel(id: string): void;
  /** The work that is a task: what is under way, and the last that has ended, newest first. @throws ArgoError AUDIT UNAVAILABLE */
  works(): Promise<readonly WorkTask[]>;
}

/** An action is known by its number in the audit. */
const IS_ACTION = /^\d+$/;

/** Those of a mandate, until its request is over. */
export function tasksOf(operations: Operations, mandate: Mandate, isOver: () => boolean): Tasks {
  const list = (): readonly TaskInfo[] => (isOver() ? [] : operations.tasks(mandate));
  return {
    list,
    get: (id) => list().find((task) => task.id === id),
    cancel: (id) => {
      if (isOver()) throw new ArgoError('NOT ALLOWED', 'the request is over');
      if (IS_ACTION.test(id)) operations.cancel(mandate, id);
      else operations.written.cancel(mandate, id);
    },
    works: async () => {
      if (isOver()) throw new ArgoError('NOT ALLOWED', 'the request is over');
      return Object.freeze((await operations.written.list(mandate).catch((thrown: unknown) => { throw withoutCause(thrown); })).map((task) => Object.freeze({ ...task })));
    },
  };
}
