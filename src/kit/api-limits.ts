/** Limits of orders for many, and of what is told of them and of the past. Times in milliseconds. */

/** Targets of one order for many. */
export const ORDER_TARGETS = 10_000;
/** What a machine may take to say what would be done to it, milliseconds: a person waits to see that of all of them. */
export const PREVIEW_TIMEOUT = 3000;
/** Characters of their names together, and of what is written down of how far they are. */
export const ORDER_TEXT = 1024 * 1024;
/** Of that, characters of what was said of one target; and of all, beyond which the phrases alone are kept. */
export const ORDER_DETAIL = 200;
export const ORDER_DETAILS = 256 * 1024;
/** Orders for many that are shown, those under way among them, and targets of all of them. */
export const ORDER_TASKS_KEPT = 200;
export const ORDER_TARGETS_KEPT = 100_000;
/** Orders for many under way, of all accounts and of one. */
export const ORDER_TASKS_RUNNING = 64;
export const ORDER_TASKS_OF_ACCOUNT = 16;
/** How far apart it is told how an order for many goes on, milliseconds; of so many targets a millisecond more. */
export const ORDER_TOLD_EVERY = 200;
export const ORDER_TOLD_TARGETS = 5;
/** How far apart that is written down, milliseconds. */
export const ORDER_SAVED_EVERY = 1000;
/** Rows of the audit that one request for them looks at, and those that are read in one go. */
export const AUDIT_LOOKED_AT = 20_000;
export const AUDIT_PAGE = 1000;
/** Rows of the audit, and events, in one answer. */
export const AUDIT_ROWS = 500;
export const EVENTS_ANSWERED = 1000;
/** Lists of instances that are made at a time, and requests that may wait for it. */
export const API_LISTS = 4;
export const API_LISTS_WAITING = 1024;
/** How deeply the body of a request to the API may be nested. */
export const API_BODY_DEPTH = 8;
/** How old readings may be that the page shows, milliseconds: all who look at a machine cost it one question. */
export const READINGS_AGE = 1000;
