import type { Actor } from '../../../instances/actor.js';
import { toArgoError } from '../../../kit/errors.js';
import { harmless } from '../../../kit/text.js';
import { CODES, OperationError } from '../../../protocols/vmserverd/codes.js';
import { fields, matching, nothing, oneOf, optional, text, whole } from '../../../protocols/vmserverd/shape.js';
import { fault } from '../faults.js';
import { row, viewerOf, type Call, type Rows } from './parts.js';

/** Tasks: those that this gateway has begun, and by their numbers and ids those of the server itself. */

const STATES = ['running', 'done', 'failed', 'stopped', 'unknown'] as const;

interface Status {
  readonly task: string;
  readonly op: string;
  readonly state: (typeof STATES)[number];
  readonly percent?: number | undefined;
  readonly started: number;
  readonly ended?: number | undefined;
  readonly error?: string | undefined;
}

const task = matching(/^[\w-]{1,64}$/, 'the id of a task');
const seconds = (ms: number): number => Math.floor(ms / 1000);

/** One that the gateway has begun; undefined where there is none that the asker may know of. */
function own(asked: Call<{ readonly task: string }>): Status | undefined {
  try {
    const { id, operation, state, percent, started, ended, error } = asked.parts.tasks.get(asked.args.task, viewerOf(asked));
    return {
      task: id,
      op: operation,
      state,
      percent,
      started: seconds(started),
      ended: ended === undefined ? undefined : seconds(ended),
      error: error === undefined ? undefined : harmless(error),
    };
  } catch (thrown) {
    if (thrown instanceof OperationError && thrown.code === CODES.NO_SUCH_TASK) return undefined;
    throw thrown;
  }
}

/** One of the server itself: an action under way, or work that takes its time. @throws OperationError NO_SUCH_TASK */
async function ofServer({ tasks }: Actor, id: string): Promise<Status> {
  // without an audit there is no such work
  const works = await tasks.works().catch((thrown: unknown) => {
    if (toArgoError(thrown).phrase === 'AUDIT UNAVAILABLE') return [];
    throw thrown;
  });
  const work = works.find((one) => one.id === id);
  if (work !== undefined) {
    const { operation, state, progress, began, ended, detail } = work;
    return {
      task: id, op: operation, state: state === 'cancelled' ? 'stopped' : state, percent: Math.floor(progress * 100), started: seconds(began),
      ended: ended === undefined ? undefined : seconds(ended), error: detail === '' ? undefined : harmless(detail),
    };
  }
  const action = tasks.get(id);
  if (action === undefined) throw fault('NO_SUCH_TASK', `there is no task ${id} of yours`);
  return { task: id, op: action.operation, state: 'running', started: seconds(action.since.getTime()) };
}

const status = fields({
  task: text(),
  op: text(),
  state: oneOf(STATES),
  percent: optional(whole(0, 100)),
  started: whole(),
  ended: optional(whole()),
  error: optional(text()),
});

export const taskRows: Rows = {
  TaskManager_DeleteTask: row({
    handler: 'VMware::VMServerd::TaskManager::DeleteTask_Handler', access: 'authuser',
    in: fields({ task }), out: nothing,
    run: async (asked) => {
      const { actor, args, parts } = asked;
      if (own(asked) !== undefined) await parts.tasks.delete(args.task, viewerOf(asked));
      else if ((await ofServer(actor, args.task)).state === 'running') throw fault('BUSY', `the task ${args.task} is under way`);
      else throw fault('NOT_SUPPORTED', 'the server itself forgets its tasks');
      return {};
    },
  }),
  TaskManager_StatusOfTask: row({
    handler: 'VMware::VMServerd::TaskManager::StatusOfTask_Handler', access: 'authuser',
    in: fields({ task }), out: fields({ status }),
    run: async (asked) => ({ status: own(asked) ?? await ofServer(asked.actor, asked.args.task) }),
  }),
  TaskManager_StopTask: row({
    handler: 'VMware::VMServerd::TaskManager::StopTask_Handler', access: 'authuser',
    in: fields({ task }), out: nothing,
    run: async (asked) => {
      const { actor, args, parts } = asked;
      if (own(asked) !== undefined) await parts.tasks.stop(args.task, viewerOf(asked));
      else {
        await ofServer(actor, args.task);
        actor.tasks.cancel(args.task);
      }
      return {};
    },
  }),
};
