/** Limits of the web page's feed. Times in milliseconds. */

/** The web page's feed: how long changes are gathered, how many such batches are remembered for those who connect, and events of one batch. */
export const FEED_GATHERED = 200;
export const FEED_BATCHES = 64;
export const FEED_EVENTS = 100;
/** How often each is told that the server is there. */
export const FEED_ALIVE = 15_000;
/** Connections of one account, and of all; bytes that one of them may leave unread. */
export const FEED_SOCKETS_PER_ACCOUNT = 64;
export const FEED_SOCKETS = 512;
export const FEED_UNREAD = 256 * 1024;
/** How long the view of an account is kept current that nobody follows. */
export const FEED_KEPT = 60_000;

/** Tags by which a page can find machines. */
export const FEED_TAGS = 64;
