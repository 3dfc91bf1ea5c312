import { readdirSync, readFileSync } from 'node:fs';

/** Whether a process that was sent SIGSTOP has stopped, with all of its threads: the kernel does it a moment later. */
export const isHalted = (pid: number): boolean =>
  readdirSync(`/proc/${pid}/task`).every((thread) => / T \d/.test(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8').replace(/^.*\)/, '')));
