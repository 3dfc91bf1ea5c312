/** Limits of what begins plans by itself. Times in milliseconds. */

/** Triggers: between two attempts to begin a plan that could not be begun, and the longest wait for one. */
export const TRIGGER_RETRY = 5000;
/** A timer that is later than this says that the process stood still: what has happened meanwhile is to be heard before anything is concluded. */
export const TRIGGER_LATE = 5000;
export const TRIGGER_BEGIN_TIMEOUT = 30_000;
/** How long a plan may wait for it to be written down that it is about to be begun: it is needed later, the plan now. */
export const TRIGGER_NOTE_TIMEOUT = 500;
/** A schedule looks at the wall clock at least so often: somebody may have set it. */
export const SCHEDULE_LOOK = 30_000;
/** What is due so much late was missed: its minute is over. */
export const SCHEDULE_LATE = 60_000;
/** Fixed times of a day in one line of cron; more of them are every so many minutes. */
export const FIXED_TIMES = 48;
/** A clock that is set back by more was wrong before: what was due by it is forgotten. */
export const SCHEDULE_LEAP = 24 * 3_600_000;
/** How often a UPS is asked from when it is on battery; what one look may take beyond the time between two; and when a login that upsd refused is tried again. */
export const UPS_HURRY = 1000;
export const UPS_ANSWER = 15_000;
export const UPSD_LOGIN_RETRY = 60_000;
/** Conditions: characters of one, and how deep brackets may be. */
export const CONDITION_SIZE = 1000;
export const CONDITION_DEPTH = 32;
/** Instances and providers about which one trigger waits whether their event lasts. */
export const EVENT_SUBJECTS = 10_000;
