import { setTimeout as pause } from 'node:timers/promises';
import { ConnectionLostError } from '../../protocols/tls/errors.js';
import { WmiFault } from '../../protocols/wmi/errors.js';
import type { WmiObject, WmiPath } from '../../protocols/wmi/connection.js';
import type { WmiLink } from '../wmi/link.js';
import { count, text } from '../wmi/values.js';
import { refusal } from './refusals.js';

/** Between two looks at a job, ms: the first, and the longest. */
const LOOK_FIRST_MS = 40;
const LOOK_LONGEST_MS = 1000;
/** Connections that may be lost one after the other while a job is followed: looking again does no harm. */
const LOSSES = 3;

/** CIM_ConcreteJob.JobState. */
const COMPLETED = 7;
const COMPLETED_WITH_WARNINGS = 32_768;
/** From here on it has ended; 11 is one that serves on, which none of ours does. */
const ENDED = 7;
const SERVICE = 11;

/** The host no longer has the job: it had ended, in whatever way. */
export class JobVanished extends Error {
  override readonly name = 'JobVanished';
}

/**
 * Follows a job to its end.
 * @throws JobVanished; ArgoError with the host's words; as {@link WmiLink.get}
 */
export async function followJob(link: WmiLink, job: WmiPath, signal: AbortSignal): Promise<void> {
  for (let wait = LOOK_FIRST_MS; ; wait = Math.min(wait * 2, LOOK_LONGEST_MS)) {
    const { JobState, ErrorCode, ErrorDescription } = await look(link, job, signal);
    const state = count(JobState) ?? 0;
    const code = count(ErrorCode) ?? 0;
    const hasEnded = state >= ENDED && state !== SERVICE;
    if (hasEnded && (state === COMPLETED || state === COMPLETED_WITH_WARNINGS) && code === 0) return;
    if (hasEnded) throw refusal(code === 0 ? 32_768 : code, text(ErrorDescription));
    await pause(wait, undefined, { signal });
  }
}

async function look(link: WmiLink, job: WmiPath, signal: AbortSignal): Promise<WmiObject> {
  for (let losses = 1; ; losses += 1) {
    try {
      return await link.get(job, signal);
    } catch (error) {
      if (error instanceof WmiFault && error.kind === 'no-such-instance') throw new JobVanished('', { cause: error });
      if (!(error instanceof ConnectionLostError) || losses > LOSSES) throw error;
      await pause(LOOK_LONGEST_MS, undefined, { signal });
    }
  }
}
