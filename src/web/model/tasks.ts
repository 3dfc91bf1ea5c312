import type { TaskRow, WorkRow } from '../../gateways/web/messages.js';
import type { TaskWorkName } from '../../instances/work-table.js';
import { progressOf, titleOf } from './orders.js';

/** What goes on for a while, in words: orders, and work beyond power. */

const WORKS: Readonly<Record<TaskWorkName, string>> = {
  'image.create': 'Make an image on', 'template.deploy': 'Make a machine from a template on', 'template.create': 'Make a template of', 'machine.install': 'Install a machine on', 'machine.migrate': 'Move',
};

const ENDS: Readonly<Record<WorkRow['state'], string>> = { running: 'under way', done: 'done', failed: 'failed', cancelled: 'cancelled', unknown: 'nobody knows how it ended' };

/** What a machine is called without its provider. */
export const shortName = (fullName: string): string => fullName.slice(fullName.indexOf('/') + 1);

/** A task in a line: `Stop 14 machines`, `Move web1`. */
export function taskTitle(task: TaskRow): string {
  if (task.kind === 'order') return titleOf(task.action, task.targets.map(({ instance }) => shortName(instance)), task.mode);
  const { operation, subject } = task;
  // a newer server may know more of them
  return `${Object.hasOwn(WORKS, operation) ? WORKS[operation as TaskWorkName] : operation} ${shortName(subject)}`;
}

/** How far a piece of work is: `45 %`, `failed`. */
export const workWords = ({ state, progress }: WorkRow): string => (state === 'running' && progress > 0 ? `${Math.floor(progress * 100)} %` : ENDS[state]);

/** What of a task has not ended, and what of it somebody should read about: targets of an order; work is one thing. */
export function openOf(task: TaskRow): { readonly left: number; readonly failed: number } {
  if (task.kind === 'work') return { left: task.ended === null ? 1 : 0, failed: task.state === 'failed' || task.state === 'unknown' ? 1 : 0 };
  const { all, over, failed } = progressOf(task);
  return { left: all - over, failed };
}

/** How one ended, for those who can't see it. */
export function endWords(task: TaskRow): string {
  if (task.kind === 'work') return `${taskTitle(task)}: ${ENDS[task.state]}`;
  const { failed } = progressOf(task);
  return `${taskTitle(task)}: ${failed === 0 ? task.state : `${failed} failed`}`;
}
