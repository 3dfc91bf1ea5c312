/** The limits of what the Zabbix gateway says to servers; as all others, milliseconds where nothing else is said. */

/** The port of a server, where its table does not say. */
export const ZABBIX_SERVER_PORT = 10_051;
/** How often a server may be asked for anything, where its table says so. */
export const ZABBIX_LEAST_FREQUENCY = 100;
/** Between two attempts at a server that does not answer: the first pause, and the longest. */
export const ZABBIX_RETRY_FIRST = 500;
export const ZABBIX_RETRY_LONGEST = 15_000;
/** Reasons why a server cannot be used that are remembered, so that each is told once as long as none answers. */
export const ZABBIX_REASONS_TOLD = 8;
/** Passive mode: messages as long as configurations that are read at a time, and that wait for that. */
export const ZABBIX_LONG_MESSAGES = 1;
export const ZABBIX_LONG_WAITING = 16;
/** Passive mode: after this it is told once more why connections of somebody come to nothing. */
export const ZABBIX_STRANGERS_AGAIN = 3_600_000;
/** Values of one message, as many as Zabbix' own proxy sends, and bytes of them. A server stores larger messages faster; more at a time keep other connections waiting. */
export const ZABBIX_MESSAGE_VALUES = 10_000;
export const ZABBIX_MESSAGE_SIZE = 4 * 1024 * 1024;
/** What was acknowledged within so long before the last answer goes with the next message once more: a server needs a second or two to write it. And how many of these at most. */
export const ZABBIX_TAIL_AGE = 5000;
export const ZABBIX_TAIL_VALUES = 2000;
/** Acknowledged values that are kept in case that a server has lost them. */
export const ZABBIX_KEPT_VALUES = 1_000_000;
/** How often it is looked what is kept for too long, and after how many new values. */
export const ZABBIX_TRIM_EVERY = 10_000;
export const ZABBIX_TRIM_VALUES = 50_000;
/** Between two lines of the log about values that were dropped. */
export const ZABBIX_LOG_EVERY = 60_000;
/** How far an item's time may lie behind its value before: more is a clock that was set back. */
export const ZABBIX_CLOCK_BACK = 1000;
/** Rows of discovery, and of registration, that wait to be sent; beyond them the oldest are dropped, and found again at the next look. And how many go in one message. */
export const ZABBIX_ROWS_KEPT = 20_000;
export const ZABBIX_ROWS_SENT = 5000;
/** Commands that run at a time, most of which wait for machines that may hang: others are not to wait for them. And those that wait for that. */
export const ZABBIX_COMMANDS = 1000;
export const ZABBIX_COMMANDS_WAITING = 1000;
/** Results of tasks that go in one message, and characters of one. */
export const ZABBIX_RESULTS_SENT = 100;
export const ZABBIX_RESULT_TEXT = 16 * 1024;
/** Passive mode: from a connection to the end of its TLS handshake. */
export const ZABBIX_REQUEST = 10_000;
/** Passive mode: when no server has asked anything for so long, that is told. */
export const ZABBIX_ABSENT = 120_000;
/** Passive mode: a server that asked so much later than usual may have been started anew. */
export const ZABBIX_SILENCE_LEAST = 2000;
export const ZABBIX_SILENCE_TIMES = 3;
/** How long the first heartbeat of an active proxy may keep it from looking for what it kept at its last end. */
export const ZABBIX_FIRST_WORD = 250;

/** At the gateway's end: how long the last message may take. */
export const ZABBIX_LAST_SENDS = 2000;
