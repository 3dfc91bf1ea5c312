import { setTimeout as pause } from 'node:timers/promises';
import { ArgoError } from '../../kit/errors.js';
import type { WmiObject, WmiPath } from '../../protocols/wmi/connection.js';
import { explain } from '../wmi/errors.js';
import type { WmiLink } from '../wmi/link.js';
import { count, text } from '../wmi/values.js';
import { refusal } from './errors.js';

/** Between two looks, ms: the first, and the longest. */
export const LOOK_FIRST_MS = 40;
export const LOOK_LONGEST_MS = 1000;
/** Looks one after the other that may fail while a job is followed: looking again does no harm. */
const FAILURES = 4;

/** CIM_ConcreteJob.JobState. */
const COMPLETED = 7;
const COMPLETED_WITH_WARNINGS = 32_768;
/** completed, terminated, killed, exception; what is above is a vendor's own, or goes on */
const ENDED: readonly number[] = [COMPLETED, 8, 9, 10, COMPLETED_WITH_WARNINGS];

/** `lost` where the host does not tell what became of it; else done, or why not. */
export type JobEnd = 'done' | 'lost' | ArgoError;

/** Follows a job to its end. What goes wrong on the way there says nothing of the job. @throws the signal's reason */
export async function followJob(link: WmiLink, job: WmiPath, signal: AbortSignal): Promise<JobEnd> {
  for (let wait = LOOK_FIRST_MS; ; wait = Math.min(wait * 2, LOOK_LONGEST_MS)) {
    const found = await look(link, job, signal);
    if (found === undefined) return 'lost';
    const state = count(found.JobState) ?? 0;
    const code = count(found.ErrorCode) ?? 0;
    if (ENDED.includes(state)) {
      const isDone = (state === COMPLETED || state === COMPLETED_WITH_WARNINGS) && code === 0;
      return isDone ? 'done' : refusal(code === 0 ? 32_768 : code, text(found.ErrorDescription));
    }
    await pause(wait, undefined, { signal });
  }
}

/** @returns undefined where the host no longer has it, or does not answer */
async function look(link: WmiLink, job: WmiPath, signal: AbortSignal): Promise<WmiObject | undefined> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await link.get(job, signal);
    } catch (error) {
      signal.throwIfAborted();
      const explained = explain(error, 'reads');
      if (!(explained instanceof ArgoError)) throw error;
      if (explained.phrase === 'NO SUCH INSTANCE' || explained.phrase === 'ACCESS DENIED' || failures >= FAILURES) return undefined;
      await pause(LOOK_LONGEST_MS, undefined, { signal });
    }
  }
}
