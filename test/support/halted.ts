import { readdirSync, readFileSync } from 'node:fs';

/** Whether a process that was sent SIGSTOP has stopped, with all of its threads: the kernel does it a moment later. */
export function isHalted(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).every((thread) => / T \d/.test(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8').replace(/^.*\)/, '')));
  } catch {
    // a thread has ended while it was looked at, so that they run
    return false;
  }
}
