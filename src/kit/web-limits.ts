/** Limits of the web gateway, and of what other gateways share with it. Times in milliseconds. */

/** Sessions: of one account, and in all. Where an account has one too many, the one that was used longest ago ends. */
export const SESSIONS_PER_ACCOUNT = 64;
export const SESSIONS = 4096;
/** How long a session lives without a request, and at most, where the gateway's table does not say. */
export const SESSION_IDLE = '30m';
export const SESSION_LONGEST = '12h';

/** How far apart it is written down that a session was used: after a restart it may seem to have been idle for so much longer. */
export const SESSION_SAVED_EVERY = 60_000;

/** Bytes of a request that logs in. */
export const LOGIN_BODY = 4 * 1024;

/** Bytes of answers that clients have not read yet: of one account, and in all. Shorter answers are not counted: they fit into the kernel's own buffers. */
export const UNREAD_OF_ACCOUNT = 64 * 1024 * 1024;
export const UNREAD_IN_ALL = 256 * 1024 * 1024;
export const UNREAD_COUNTED_FROM = 16 * 1024;

/** Bytes of an answer from which on it is compressed. */
export const COMPRESSED_FROM = 2048;

/** How long a stream may wait for a client that does not read. */
export const STREAM_STALL = 60_000;

/** Bytes of one message of a browser: on the feed, where it has nothing to say, and on a console. */
export const FEED_MESSAGE = 128;
export const CONSOLE_MESSAGE = 256 * 1024;
/** In how many pieces one may come: frames of a message, and segments of the network. */
export const FEED_PIECES = 16;
export const CONSOLE_PIECES = 4096;

/** When a client that is told too much is to come again, seconds. */
export const RETRY_AFTER_S = 5;
