/** Limits of the work beyond power. Times in milliseconds, sizes in bytes. */

/** What changes something and is no task, where the request does not say. */
export const WORK_TIMEOUT = 120_000;
/** What a change of a host's network may take beyond the time after which the host would undo it. */
export const NETWORK_MARGIN = 30_000;
/** Readings that have to look through archives, or to measure for a while. */
export const SLOW_READ_TIMEOUT = 60_000;
/** Work that is a task: to copy a disk over a slow network takes hours. */
export const WORK_TASK_TIMEOUT = 12 * 3_600_000;
/** How long work waits for its turn on a machine or a host's network. */
export const WORK_TURN_TIMEOUT = 60_000;
/** How long a task that was told to end has to take away what it has half made, and to say so. */
export const WORK_TAKES_BACK = 30_000;
/** The same for what is no task. */
export const WORK_LAST_WORD = 3000;
/** How long work that makes or removes machines waits until they are listed. */
export const WORK_LISTED_TIMEOUT = 5000;

/** What changes something, under way at a time for one account. */
export const WORKS_OF_ACCOUNT = 64;
/** Tasks under way, of all accounts and of one. */
export const WORK_TASKS_RUNNING = 64;
export const WORK_TASKS_OF_ACCOUNT = 16;
/** Tasks that are remembered, and how long those that have ended are shown. */
export const WORK_TASKS_KEPT = 200;
export const WORK_TASKS_SHOWN = 24 * 3_600_000;
/** How far apart it is written down how far a task is. */
export const WORK_SAVED_EVERY = 2000;
/** How far apart it is told to those who follow. */
export const WORK_TOLD_EVERY = 500;

/** Of what comes as arguments: how deep it is nested, keys of one object or entries of one list, and characters of one text. */
export const ARGS_DEPTH = 3;
export const ARGS_ENTRIES = 32;
export const ARGS_TEXT = 1024;

/** An image, or the disk of a machine. */
export const DISK_LEAST = 64n * 1024n;
export const DISK_MOST = 64n * 1024n ** 4n;
/** The memory of a machine. */
export const MEMORY_LEAST = 1024n ** 2n;
export const MEMORY_MOST = 64n * 1024n ** 4n;
export const VCPUS_MOST = 1024;
/** Of a container: per cent of one CPU. */
export const CPU_LIMIT_MOST = 100 * VCPUS_MOST;
/** After so long the host undoes a change of its network that nobody has confirmed. */
export const ROLLBACK_LEAST = 3000;
export const ROLLBACK_MOST = 600_000;
