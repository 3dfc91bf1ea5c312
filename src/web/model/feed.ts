import type { EventRow, FeedMessage, TaskRow } from '../../gateways/web/messages.js';
import { afterFailures } from '../../kit/backoff.js';
import type { Fleet } from './fleet.js';

/** What the messages of the feed do to what is known. */

/** Newest first; older ones are fetched where they are asked for. */
export const EVENTS_KEPT = 500;
export const TASKS_KEPT = 200;
/** The server speaks at least each 15 s; after two such periods without a word it is gone. */
export const SILENCE_MS = 30_000;

export interface Known {
  readonly fleet: Fleet;
  /** up to where the feed is known */
  readonly v: number;
  readonly events: readonly EventRow[];
  readonly tasks: ReadonlyMap<string, TaskRow>;
}

export interface Taken {
  readonly known: Known;
  /** the view must be fetched anew */
  readonly isReset: boolean;
  /** positions whose state has changed */
  readonly changed: readonly number[];
  readonly run: { readonly plan: string; readonly run: string } | undefined;
  readonly task: TaskRow | undefined;
}

/** Tasks with one more or a newer one; the oldest that have ended go. */
export function withTask(tasks: ReadonlyMap<string, TaskRow>, task: TaskRow): ReadonlyMap<string, TaskRow> {
  const all = new Map(tasks);
  all.delete(task.id);
  all.set(task.id, task);
  const over = [...all.values()].filter(({ ended }) => ended !== null).slice(0, Math.max(0, all.size - TASKS_KEPT));
  for (const { id } of over) all.delete(id);
  return all;
}

/** The fleet in `known` is changed where it is: ten thousand rows are not copied for one. */
export function take(known: Known, message: FeedMessage): Taken {
  const result = { known, isReset: false, changed: [] as readonly number[], run: undefined, task: undefined };
  switch (message.t) {
    // the first one comes before the changes that lead up to it; a lower one is another server's life
    case 'alive': return { ...result, isReset: message.v < known.v };
    case 'changes':
      // one too many tells nothing wrong; one missing would leave a state that is not so
      if (message.v > known.v + 1) return { ...result, isReset: true };
      if (message.v <= known.v) return result;
      known.fleet.apply(message.rows);
      return { ...result, known: { ...known, v: message.v }, changed: message.rows.map(([at]) => at) };
    case 'reset': return { ...result, isReset: true };
    case 'providers':
      known.fleet.setProviders(message.providers);
      return result;
    case 'events': return { ...result, known: { ...known, events: [...[...message.events].reverse(), ...known.events].slice(0, EVENTS_KEPT) } };
    case 'task': return { ...result, task: message.task, known: { ...known, tasks: withTask(known.tasks, message.task) } };
    case 'plan': return { ...result, run: { plan: message.plan, run: message.run } };
    // a newer server may say more
    default: return result;
  }
}

/** How long to wait before the n-th try to come back, ms. */
export const retryAfter = (tries: number): number => afterFailures(tries + 1, 1000, 15_000);
