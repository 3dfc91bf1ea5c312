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
  /** One of them. @throws ArgoError NO SUCH TASK, AUDIT UNAVAILABLE */
  work(id: string): Promise<WorkTask>;
  /** Calls back when one of them has begun, gone on or ended, a few times a second at most. @returns ends that */
  onWork(listener: (task: WorkTask) => void): () => void;
}

/** An action is known by its number in the audit. */
const IS_ACTION = /^\d+$/;

/** Those of a mandate, until its request is over. */
export function tasksOf(operations: Operations, mandate: Mandate, isOver: () => boolean): Tasks {
  const list = (): readonly TaskInfo[] => (isOver() ? [] : operations.tasks(mandate));
  const works = async (): Promise<readonly WorkTask[]> => {
    if (isOver()) throw new ArgoError('NOT ALLOWED', 'the request is over');
    return Object.freeze(
      (
        await operations.written.list(mandate).catch((thrown: unknown) => {
          throw withoutCause(thrown);
        })
      ).map((task) => Object.freeze({ ...task })),
    );
  };
  return {
    list,
    get: (id) => list().find((task) => task.id === id),
    cancel: (id) => {
      if (isOver()) throw new ArgoError('NOT ALLOWED', 'the request is over');
      if (IS_ACTION.test(id)) operations.cancel(mandate, id);
      else operations.written.cancel(mandate, id);
    },
    works,
    work: async (id) => {
      const found = (await works()).find((task) => task.id === id);
      if (found === undefined) throw new ArgoError('NO SUCH TASK', id);
      return found;
    },
    onWork: (listener) => operations.written.listen(mandate, (task) => { if (!isOver()) listener(Object.freeze({ ...task })); }),
  };
}
