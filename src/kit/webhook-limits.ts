/** The limits of webhooks; as all others, milliseconds where nothing else is said. */

/** A webhook's secret, bytes; and how many are in use while one is replaced by another. */
export const WEBHOOK_SECRET_LEAST = 24;
export const WEBHOOK_SECRET_MOST = 64;
export const WEBHOOK_SECRETS = 2;
/** Attempts of a webhook at a time where its receiver does not ask for order. */
export const WEBHOOK_AT_A_TIME = 8;
/** Between two attempts: the first pause and the longest, and the part by which each is longer or shorter by chance. */
export const WEBHOOK_RETRY_FIRST = 500;
export const WEBHOOK_RETRY_LONGEST = 60_000;
export const WEBHOOK_RETRY_JITTER = 0.2;
/** The longest pause that a receiver may ask for. */
export const WEBHOOK_RETRY_AFTER = 3_600_000;
/** Bytes that are read of a receiver's answer, for the connection's sake: nobody looks at them. */
export const WEBHOOK_ANSWER = 64 * 1024;
/** Characters of one text within an event: a longer one, such as a command's options, is cut. */
export const WEBHOOK_TEXT = 1024;
/** Characters of events that are put on the disk in one go. */
export const WEBHOOK_APPEND_SIZE = 256 * 1024;
/** How often it is tried again to put events on the disk, or to read them. */
export const WEBHOOK_DISK_RETRY = 1000;
/** At the server's end: how long what is left may be sent, of receivers that answer. */
export const WEBHOOK_LAST_SENDS = 2000;
/** Between two lines of the log about events that were dropped. */
export const WEBHOOK_LOG_EVERY = 60_000;
