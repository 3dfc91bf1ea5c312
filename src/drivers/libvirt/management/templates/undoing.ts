import { ArgoError } from '../../../../kit/errors.js';
import { undone } from '../steps.js';
import type { HostFiles } from './host-files.js';

/** Milliseconds for a step that is not given up half way when a task is told to end. */
export const STEP = 30_000;

/** What there is of work that makes something. Paths on the host. */
export interface Making {
  /** what is half made */
  readonly halves: string[];
  /** what has its name already; taken away with the halves, unless somebody may have it by now */
  readonly placed: string[];
  /** whether it is at the steps after which it is somebody's */
  isPlacing: boolean;
}

export const making = (...halves: string[]): Making => ({ halves, placed: [], isPlacing: false });

/** Whether nobody knows if something was done: only a refusal says that it was not. */
const isUncertain = (error: unknown): boolean => !(error instanceof ArgoError) || error.phrase === 'UNCERTAIN';

/**
 * Takes away what work has made that ended early.
 * @param signal of the work @param always what is taken away in any case
 * @returns what is to be said of it: that nothing of it is left, where that is so
 */
export async function takenAway(
  files: HostFiles,
  { halves, placed, isPlacing }: Making,
  always: readonly string[],
  error: unknown,
  signal: AbortSignal,
): Promise<unknown> {
  const isKept = isPlacing && isUncertain(error);
  const isGone = await files.tidy([...always, ...(isKept ? [] : [...placed, ...halves])]);
  return isGone && !isKept ? undone(error, signal) : error;
}
