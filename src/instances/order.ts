import type { PowerState } from '../drivers/driver.js';
import type { PowerAction } from './operation-table.js';

/** What is asked of the gate, and what it answers. */

export type Milliseconds = number;

/** A power action as it is asked for. */
export interface PowerOrder {
  readonly action: PowerAction;
  /** `soft` asks the guest, `hard` pulls the plug, `softFor` asks first and pulls the plug when that was in vain for so long (stop only) */
  readonly mode: 'soft' | 'hard' | { readonly softFor: Milliseconds };
  /** false: ends when the order was accepted. true: when its state was verified, within the action's own time. Else: within so long */
  readonly wait: boolean | Milliseconds;
}

/** How a power action ended well. */
export interface Outcome {
  /** `already`: it was so before, and nothing was sent */
  readonly result: 'done' | 'already';
  readonly before: PowerState;
  /** as it was last seen */
  readonly after: PowerState;
  /** whether `after` is what the action is to achieve, read from the machine after the order */
  readonly verified: boolean;
  /** its number in the audit */
  readonly auditId: number;
}

/** A change of a machine's settings. */
export interface Change {
  readonly operation: 'autostart';
  readonly value: boolean;
}

/** How a change ended well. */
export interface ChangeOutcome {
  /** `already`: it was so before, and nothing was sent */
  readonly result: 'done' | 'already';
  /** its number in the audit */
  readonly auditId: number;
}

/** What goes with every call. */
export interface Call {
  /** Ends a reading early. A power action goes on: what was begun is not undone by somebody's leaving. */
  readonly signal?: AbortSignal | undefined;
  /** how long it may take, where not the usual time */
  readonly deadline?: Milliseconds | undefined;
}

/** A power action. */
export interface PowerCall extends Call {
  /** Aborted: what is not sent is not sent, and waits end, as by `task cancel`; of this one alone. What was sent stays sent. */
  readonly cancel?: AbortSignal | undefined;
}

/** A reading. */
export interface ReadCall extends Call {
  /** An answer that was asked for no longer ago than this will do, so that many who ask cost one question. Left out: asked now. */
  readonly maxAge?: Milliseconds | undefined;
}

/** A piece of work beyond power. */
export interface WorkRequest extends ReadCall {
  /** a key of the account's own: work that is a task is begun once with it, also over a restart */
  readonly once?: string;
  /** told the id of work that is a task, as soon as that is written down */
  readonly begun?: (task: string) => void;
}

export const isForced = ({ mode }: PowerOrder): boolean => mode !== 'soft';

/** `softFor`, where the mode is that. */
export const softTime = ({ mode }: PowerOrder): Milliseconds | undefined => (typeof mode === 'object' ? mode.softFor : undefined);

/** What is left of a time-limit has more digits than anybody reads. */
const inSeconds = (ms: Milliseconds): number => Math.round(ms) / 1000;

/** What of an order and its deadline changes what is done, as it is typed: for the audit. */
export function describeOptions(order: PowerOrder, deadline: Milliseconds | undefined): string {
  const { wait } = order;
  const timeout = softTime(order) ?? deadline;
  const words = [];
  if (isForced(order)) words.push('--force');
  if (timeout !== undefined) words.push(`--timeout=${inSeconds(timeout)}`);
  if (wait !== false) words.push(wait === true ? '--wait' : `--wait=${inSeconds(wait)}`);
  return words.join(' ');
}
