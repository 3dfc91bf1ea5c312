/** The limits of plans and their runs, as in limits.ts: times in milliseconds, sizes in bytes where nothing else is said. */

/** How long `argo plan … --follow` tries to find a run again when the connection is lost: a server may be started anew meanwhile. */
export const PLAN_FOLLOW_TRIED = 60_000;

/** How long it counts for what is told of a plan that an account may use it; a reload makes it ask anew at once. */
export const PLAN_VERDICT_KEPT = 1000;
/** Between two tellings of what has changed of a run to one who follows it: what comes meanwhile is told as one. */
export const PLAN_FOLLOW_GATHER = 50;
/** A dry run's look at one target; and targets of a provider without an answer in a row, after which its others are not asked. */
export const PLAN_LOOK_TIMEOUT = 5000;
export const PLAN_LOOKS_IN_VAIN = 8;

/** Stages of one plan, and targets of a stage at a time. */
export const PLAN_STAGES = 256;
export const STAGE_PARALLEL = 10_000;
/** Runs of plans that are kept, and targets of all of them: beyond them the oldest runs that have ended are forgotten. */
export const PLAN_RUNS_KEPT = 200;
export const PLAN_TARGETS_KEPT = 200_000;
/** Targets of one stage, and of them those that are written in one go. */
export const PLAN_TARGETS = 50_000;
export const PLAN_TARGETS_WRITTEN = 2000;
/** Machines that plans have switched off and that were not started since. */
export const PLAN_OWED_KEPT = 100_000;
/** Characters of a reason or detail in the journal of plans. */
export const PLAN_TEXT = 1024;

/** What a stage of a plan needs at least, beside its pauses: the later ones are left so much of the time-limit. */
export const PLAN_STAGE_LEAST = 15_000;
/** Of a stage's time under a time-limit, what is kept for switching off hard what ignores the clean stop; at most a quarter of it. */
export const PLAN_HARD_RESERVE = 10_000;
/** Orders of a stage at a time that pull the plug because the time is over, whatever its `parallel`. */
export const PLAN_PARALLEL_HARD = 64;
/** How long, and how often, a target is tried again whose provider cannot be reached before anything was sent. */
export const PLAN_REACH = 60_000;
export const PLAN_REACH_PAUSE = 1000;
/** How often it is tried to write the journal again while that fails. No order is sent meanwhile. */
export const PLAN_DISK_RETRY = 1000;
/** The part of a time-limit that is left to a run at least when it begins, however old its cause is said to be. */
export const PLAN_TIME_LEAST = 0.5;
/** The part of its time for a clean stop that a guest gets at least which an earlier process has asked already, however long ago by the clock. */
export const PLAN_SOFT_LEAST = 0.5;
/** A run that was cut off longer ago than this does not go on by itself. */
export const PLAN_RESUME_WITHIN = 24 * 3_600_000;
/** How long `plan cancel` waits for what is under way to be recorded. */
export const PLAN_CANCEL_WAIT = 10_000;
/** How long the end of the server waits for what plans have to write. */
export const PLAN_CLOSE_WAIT = 2000;
/** Looking for the machine that runs this server: what one question may take. */
export const PLAN_OWN_HOST_LOOK = 3000;
/** `settle`: between two tries, the longest try, the least time that is worth another one, and how much of what it says is kept. */
export const PLAN_SETTLE_PAUSE = 3000;
export const PLAN_SETTLE_LEAST = 200;
export const PLAN_SETTLE_TRY = 60_000;
export const PLAN_SETTLE_WORDS = 512;
/** Of a trigger's or a stage's program, the characters of its output that are kept, and how long its end may take after it was killed. Milliseconds. */
export const PROGRAM_OUTPUT = 4096;
export const PROGRAM_END = 2000;
