import type { TaskInfo } from '../instances/operations.js';
import type { WorkTask } from '../instances/work-tasks.js';
import { ArgoError } from '../kit/errors.js';
import { quoted } from '../kit/text.js';
import { WORK_TASKS_SHOWN } from '../kit/work-limits.js';
import type { Context, Plugin } from './host/contract.js';

const inOneLine = ({ id, account, operation, instance, since, doing }: TaskInfo): string =>
  [id, account, operation, instance, since.toISOString(), doing].join(' ');

const timeOf = (at: number): string => new Date(at).toISOString();

const workInOneLine = ({ id, account, operation, subject, began, state, detail }: WorkTask): string =>
  [id, account, operation, subject, timeOf(began), state, ...(detail === '' ? [] : [quoted(detail)])].join(' ');

const inFull = ({ id, account, operation, instance, since, doing }: TaskInfo): string[] => [
  `id: ${id}`,
  `account: ${account}`,
  `command: ${operation}`,
  `instance: ${instance}`,
  `since: ${since.toISOString()}`,
  `doing: ${doing}`,
];

const workInFull = ({ id, account, operation, subject, options, began, ended, state, progress, detail }: WorkTask, doing: TaskInfo['doing'] | undefined): string[] => [
  `id: ${id}`,
  `account: ${account}`,
  `command: ${operation}`,
  `instance: ${subject}`,
  `options: ${options}`,
  `since: ${timeOf(began)}`,
  `state: ${state}`,
  `progress: ${Math.floor(progress * 100)} %`,
  ...(doing === undefined ? [] : [`doing: ${doing}`]),
  ...(ended === undefined ? [] : [`ended: ${timeOf(ended)}`]),
  ...(detail === '' ? [] : [`detail: ${detail}`]),
];

const NUMBER = /^\d+$/;
const WORK_ID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

async function show({ actor, body }: Context, id: string): Promise<void> {
  const action = actor.tasks.get(id);
  const work = NUMBER.test(id) ? undefined : (await actor.tasks.works()).find((one) => one.id === id);
  if (!work && !action) throw new ArgoError('NO SUCH TASK', id);
  await body.lines(work ? workInFull(work, action?.doing) : inFull(action!));
}

/** What is under way, then the tasks that have ended lately. */
async function list(request: Context): Promise<void> {
  const { actor, body } = request;
  const actions = actor.tasks.list();
  const isListed = new Set(actions.map(({ id }) => id));
  await body.lines(actions.map(inOneLine));
  const since = Date.now() - WORK_TASKS_SHOWN;
  // where these cannot be read, what is under way is to be seen all the same
  const works = await actor.tasks.works().catch((error: ArgoError) => {
    request.remark(error.message);
    return [];
  });
  await body.lines(works.filter(({ id, ended }) => !isListed.has(id) && (ended === undefined || ended >= since)).map(workInOneLine));
}

async function cancel(request: Context, id: string): Promise<void> {
  // of those of an earlier process the gate knows when they have been read
  if (WORK_ID.test(id)) await request.actor.tasks.work(id);
  request.actor.tasks.cancel(id);
  request.remark(NUMBER.test(id) ? 'it is not waited for any longer; what was sent stays sent' : 'it is told to end, and takes away what it has half made');
}

export default {
  commands: [{
    word: 'task',
    usage: 'task [ID | cancel ID]',
    help: 'Show what is under way and the tasks that have ended lately, or end one.',
    right: 'power',
    alsoBy: ['power', 'configure', 'host'],
    run(request) {
      const [first, second, ...rest] = request.args;
      if (rest.length > 0) request.usage();
      if (first === 'cancel' && second !== undefined) return cancel(request, second);
      if (first !== undefined && (second !== undefined || !(NUMBER.test(first) || WORK_ID.test(first)))) request.usage();
      return first === undefined ? list(request) : show(request, first);
    },
  }],
} satisfies Plugin;
