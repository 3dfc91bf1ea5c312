/** Limits of enrolment. Times in milliseconds. */

/** Hosts that wait, are enrolled or are left, in all; and names of one request. */
export const ENROLMENTS_KEPT = 2000;
export const ENROLMENT_NAMES = 32;
/** Until a host has shown its key; until it has let us in; and a command there. */
export const HOST_KEY_TIMEOUT = 10_000;
export const HOST_LOGIN_TIMEOUT = 10_000;
export const HOST_COMMAND_TIMEOUT = 20_000;
/** All that is done on a host to let it in, and to take our key from it again. */
export const HOST_APPROVAL_TIMEOUT = 30_000;
export const HOST_REMOVAL_TIMEOUT = 12_000;
/** How long one waits until others have been let in or out; and how long a request with several names begins with further ones. */
export const ENROLMENT_TURN_TIMEOUT = 10_000;
export const ENROLMENT_TIMEOUT = 30_000;
/** Bytes of a command's output. */
export const HOST_OUTPUT = 4096;

/** Tokens that no host has used yet, and for how long one is good: where nobody says it, and at most. */
export const ENROLMENT_TOKENS = 64;
export const ENROLMENT_TOKEN_LIFE = 3_600_000;
export const ENROLMENT_TOKEN_LONGEST = 7 * 24 * 3_600_000;
/** How often a host may come with one until it is taken. */
export const ENROLMENT_TOKEN_TRIES = 5;
/** Hosts that ask by themselves: those that wait to be approved, those that are being looked at, and those without a good token that wait for their answer. */
export const ENROLMENT_ASKED = 64;
export const ENROLMENT_ASKING = 8;
export const ENROLMENT_REFUSED = 64;
/** After so long whoever has no good token is answered. */
export const ENROLMENT_REFUSAL_DELAY = 1000;
