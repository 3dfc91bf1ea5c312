/** Limits of enrolment. Times in milliseconds. */

/** Hosts that wait, are enrolled or are left, in all; and names of one request. */
export const ENROLMENTS_KEPT = 2000;
export const ENROLMENT_NAMES = 32;
/** Until a host has shown its key; until it has let us in; and a command there. */
export const HOST_KEY_TIMEOUT = 10_000;
export const HOST_LOGIN_TIMEOUT = 10_000;
export const HOST_COMMAND_TIMEOUT = 20_000;
/** Bytes of a command's output. */
export const HOST_OUTPUT = 4096;
