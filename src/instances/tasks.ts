import { ArgoError } from '../kit/errors.js';
import type { Operations, TaskInfo } from './operations.js';
import type { Mandate } from './principal.js';

/** The power actions under way: own ones; all of a provider for an account that may do everything there. */
export interface Tasks {
  list(): readonly TaskInfo[];
  get(id: string): TaskInfo | undefined;
  /** Ends the waiting for one. What was sent stays sent. @throws ArgoError NO SUCH TASK */
  cancel(id: string): void;
}

/** Those of a mandate, until its request is over. */
export function tasksOf(operations: Operations, mandate: Mandate, isOver: () => boolean): Tasks {
  const list = (): readonly TaskInfo[] => (isOver() ? [] : operations.tasks(mandate));
  return {
    list,
    get: (id) => list().find((task) => task.id === id),
    cancel: (id) => {
      if (isOver()) throw new ArgoError('NOT ALLOWED', 'the request is over');
      operations.cancel(mandate, id);
    },
  };
}
