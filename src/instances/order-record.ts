import { ORDER_DETAIL, ORDER_DETAILS } from '../kit/api-limits.js';
import type { TaskRecord } from '../store/tasks.js';
import type { PowerOrder } from './order.js';
import type { OrderTarget, OrderTargetState, OrderTask } from './order-task.js';

/** How an order for many is written down: in few characters, since that is done again and again. */

/** What is written down before it begins. */
export interface KeptOrder {
  readonly mode: PowerOrder['mode'];
  /** full names */
  readonly targets: readonly string[];
}

/** How far it is. */
interface KeptProgress {
  /** a letter for each target */
  readonly states: string;
  /** by index */
  readonly details: Readonly<Record<number, string>>;
}

const LETTERS: Readonly<Record<OrderTargetState, string>> = { waiting: 'w', sent: 's', done: 'd', already: 'a', failed: 'f', uncertain: 'u', cancelled: 'c' };
const STATES_BY_LETTER = new Map(Object.entries(LETTERS).map(([state, letter]) => [letter, state as OrderTargetState]));

export function progressOf(targets: readonly OrderTarget[]): string {
  const details: Record<number, string> = {};
  let left = ORDER_DETAILS;
  targets.forEach(({ detail }, index) => {
    if (detail === '') return;
    // where there is no room for all that was said, the phrases are kept
    const kept = left > 0 ? detail.slice(0, ORDER_DETAIL) : detail.replace(/:.*/s, '');
    details[index] = kept;
    left -= JSON.stringify(kept).length;
  });
  const progress: KeptProgress = { states: targets.map(({ state }) => LETTERS[state]).join(''), details };
  return JSON.stringify(progress);
}

const TASK_STATES = { waiting: 'unknown', running: 'unknown', done: 'done', failed: 'failed', stopped: 'cancelled', unknown: 'unknown' } as const;
const CUT_OFF = 'UNCERTAIN: the server ended while it was under way; look at its state, and at the audit';

/** One of an earlier process. What it had not told the end of may have been sent. @throws SyntaxError, TypeError where it is no record of ours */
export function toldOf({ id, owner, operation, subject, state, progress, created, changed }: TaskRecord): OrderTask {
  const { mode, targets: names } = JSON.parse(subject) as KeptOrder;
  const { states, details }: KeptProgress = progress === '' ? { states: '', details: {} } : JSON.parse(progress) as KeptProgress;
  const targets = names.map((instance, index): OrderTarget => {
    const known = STATES_BY_LETTER.get(states.charAt(index)) ?? 'waiting';
    return known === 'waiting' || known === 'sent' ? { instance, state: 'uncertain', detail: CUT_OFF } : { instance, state: known, detail: details[index] ?? '' };
  });
  return { id, account: owner, action: operation as OrderTask['action'], mode, state: TASK_STATES[state], began: created, ended: changed, targets };
}
