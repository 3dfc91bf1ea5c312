/** Limits of consoles. Times in milliseconds. */

/** Consoles that are open: of one account, and in all. */
export const CONSOLES_PER_ACCOUNT = 8;
export const CONSOLES = 256;

/** Bytes of a console that wait for each side; past it the other is not read. */
export const CONSOLE_BUFFER = 64 * 1024;

/** Without a byte either way, after which a text console or shell is ended. */
export const CONSOLE_IDLE = 30 * 60_000;

/** Columns and rows that a terminal may be said to have. */
export const CONSOLE_LARGEST = 1000;

/** From the order of a console until it is there. */
export const CONSOLE_OPEN_TIMEOUT = 20_000;

/** After a client has closed its sending half, for which its console is still shown to it. */
export const CONSOLE_LAST_OUTPUT = 2000;

/**
 * After the machine or the server has ended a console, for which a telnet client is given to say that it has understood:
 * what it sends until then was meant for the machine.
 */
export const CONSOLE_LET_GO = 5000;

/** The client, after the end of its input: silence of the machine after which it leaves, and the longest that it stays. */
export const CONSOLE_EOF_QUIET = 2000;
export const CONSOLE_EOF_LONGEST = 60_000;

/** The client, after the escape was typed: for which it waits until the server says that the console is closed. */
export const CONSOLE_LEFT = 3000;

/** A machine that takes nothing of what is typed for so long, although more waits than may, has its console ended. */
export const CONSOLE_STUCK = 60_000;

/**
 * After a console has ended of itself, for which its client has to be silent before that is told: what was on its way was
 * meant for the console, and is dropped. A client that is not silent for the longest time is cut off.
 */
export const CONSOLE_SILENCE = 250;
export const CONSOLE_SILENCE_LONGEST = 5000;

/** A ticket for a console: how long it lives, and how many may wait to be used. */
export const CONSOLE_TICKET_LIFE = 30_000;
export const CONSOLE_TICKETS = 1024;

/** Bytes for a browser that are not sent yet: above, a console is not read; below, it is again. */
export const CONSOLE_HIGH_WATER = 256 * 1024;
export const CONSOLE_LOW_WATER = 64 * 1024;

/** Between two looks at whether a browser with a console is still there. */
export const CONSOLE_PING = 30_000;

/** Bytes of the message that tells a terminal's size. */
export const CONSOLE_RESIZE_SIZE = 256;
