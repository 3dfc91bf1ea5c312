/** Work of this gateway that outlives the request that began it: copies, removals, power actions that take their time. */

export type TaskState = 'running' | 'done' | 'failed' | 'stopped' | 'unknown';

export interface BackgroundTask {
  readonly id: string;
  /** name of the operation that began it */
  readonly operation: string;
  /** name of the account that began it */
  readonly owner: string;
  readonly state: TaskState;
  /** 0 to 99, and 100 when it is done; undefined: nobody knows */
  readonly percent: number | undefined;
  /** milliseconds since 1970 */
  readonly started: number;
  readonly ended: number | undefined;
  /** why it failed, in one line for people */
  readonly error: string | undefined;
}

/** How a piece of work is told to end, and how it tells how far it is. */
export interface TaskCall {
  /** aborted by TaskManager_StopTask, a lost account, and the end of the server */
  readonly signal: AbortSignal;
  /** @param done of `all`, in any unit */
  progress(done: number, all: number): void;
}

/** Who may see and end a task: its owner, and accounts with every right. */
export interface TaskViewer {
  readonly account: string;
  readonly mayAll: boolean;
}

export interface BackgroundTasks {
  /**
   * Begins work and keeps it. What runs when the server is killed is `unknown` afterwards.
   * @param member the owner's signal: a task whose owner is gone is stopped
   * @param work rejects with the signal's reason where it was stopped and has taken away what it had half made; with an ArgoError
   * of which that is the cause where there is more to say of how it was stopped
   * @throws ArgoError BUSY where too many are under way; AUDIT UNAVAILABLE where it cannot be written down
   */
  begin(operation: string, owner: { readonly account: string; readonly signal: AbortSignal }, work: (call: TaskCall) => Promise<void>): Promise<BackgroundTask>;
  /** @throws OperationError NO_SUCH_TASK also for a task of others */
  get(id: string, viewer: TaskViewer): BackgroundTask;
  /** Resolves when it has ended. @throws OperationError NO_SUCH_TASK */
  stop(id: string, viewer: TaskViewer): Promise<void>;
  /** Forgets one that has ended. @throws OperationError NO_SUCH_TASK; BUSY while it runs */
  delete(id: string, viewer: TaskViewer): Promise<void>;
}
