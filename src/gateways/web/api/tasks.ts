import type * as v from 'valibot';
import type { Actor } from '../../../instances/actor.js';
import type { OrderTask } from '../../../instances/order-task.js';
import type { WorkTask } from '../../../instances/work-tasks.js';
import { ArgoError, toArgoError } from '../../../kit/errors.js';
import type { OrderRow, WorkRow } from '../messages.js';
import { route, type Route } from './route.js';
import * as shapes from './shapes.js';

/** The routes about what goes on for a while: orders for many, and work beyond power that is a task. */

/** As the page and the feed are told of it. */
export const orderRow = ({ ended, ...task }: OrderTask): OrderRow => ({ kind: 'order', ...task, ended: ended ?? null });
export const workRow = ({ ended, ...task }: WorkTask): WorkRow => ({ kind: 'work', ...task, ended: ended ?? null });

type Answer = v.InferInput<typeof shapes.task>;

export const orderAnswer = (task: OrderTask): v.InferInput<typeof shapes.orderTask> => ({ ...orderRow(task), targets: [...task.targets] });

/** Newest first. */
async function allOf({ orders, tasks }: Actor): Promise<Answer[]> {
  const [many, works] = await Promise.all([orders.list(), tasks.works()]);
  return [...many.map(orderAnswer), ...works.map(workRow)].sort((one, other) => other.began - one.began);
}

/** What `byOrder` gives of an order of that id, else what `byWork` gives of the work. */
async function either(id: string, byOrder: (id: string) => Promise<OrderTask>, byWork: (id: string) => Promise<WorkTask>): Promise<Answer> {
  try {
    return orderAnswer(await byOrder(id));
  } catch (thrown) {
    if (toArgoError(thrown).phrase !== 'NO SUCH TASK') throw thrown;
    return workRow(await byWork(id));
  }
}

const cancel = ({ orders, tasks }: Actor, id: string): Promise<Answer> => either(id, (one) => orders.cancel(one), async (one) => {
  const { ended } = await tasks.work(one);
  if (ended !== undefined) throw new ArgoError('WRONG STATE', 'it has ended');
  tasks.cancel(one);
  return tasks.work(one);
});

const RIGHT = 'as for all of them';

export const TASK_ROUTES: readonly Route[] = [
  route({
    method: 'GET', path: '/tasks', summary: 'One\'s own orders for many and other tasks, newest first, also those that have ended lately', right: 'none; * or task on their providers for those of others',
    answer: shapes.tasks,
    run: async ({ actor }) => ({ tasks: await allOf(actor) }),
  }),
  route({
    method: 'GET', path: '/tasks/{id}', summary: 'How one goes on', right: RIGHT, answer: shapes.task,
    run: ({ actor: { orders, tasks }, names: [id] }) => either(id!, (one) => orders.get(one), (one) => tasks.work(one)),
  }),
  route({
    method: 'POST', path: '/tasks/{id}/cancel', summary: 'Of an order, what is not sent yet is not sent, waits end, and what was sent stays sent; other work takes away what it has half made', right: RIGHT,
    body: shapes.noBody, answer: shapes.task,
    run: ({ actor, names: [id] }) => cancel(actor, id!),
  }),
  route({
    method: 'DELETE', path: '/tasks/{id}', summary: 'The same as to cancel it', right: RIGHT, answer: shapes.task,
    run: ({ actor, names: [id] }) => cancel(actor, id!),
  }),
];
