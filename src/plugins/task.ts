import type { TaskInfo } from '../instances/operations.js';
import { ArgoError } from '../kit/errors.js';
import type { Context, Plugin } from './host/contract.js';

const inOneLine = ({ id, account, operation, instance, since, doing }: TaskInfo): string =>
  [id, account, operation, instance, since.toISOString(), doing].join(' ');

const inFull = ({ id, account, operation, instance, since, doing }: TaskInfo): string[] => [
  `id: ${id}`,
  `account: ${account}`,
  `command: ${operation}`,
  `instance: ${instance}`,
  `since: ${since.toISOString()}`,
  `doing: ${doing}`,
];

function show(request: Context, id: string): void {
  const task = request.actor.tasks.get(id);
  if (!task) throw new ArgoError('NO SUCH TASK', id);
  inFull(task).forEach((line) => request.body.line(line));
}

function cancel(request: Context, id: string): void {
  request.actor.tasks.cancel(id);
  request.remark('it is not waited for any longer; what was sent stays sent');
}

export default {
  commands: [{
    word: 'task',
    usage: 'task [ID | cancel ID]',
    help: 'Show the actions under way, or stop waiting for one.',
    right: 'power',
    run(request) {
      const [first, second, ...rest] = request.args;
      if (rest.length > 0) request.usage();
      if (first === 'cancel' && second !== undefined) return cancel(request, second);
      if (first !== undefined && (second !== undefined || !/^\d+$/.test(first))) request.usage();
      if (first !== undefined) return show(request, first);
      return request.body.lines(request.actor.tasks.list().map(inOneLine));
    },
  }],
} satisfies Plugin;
