/**
 * Every limit that the configuration does not set, in one place. Times in milliseconds, sizes in
 * bytes where nothing else is said.
 */

/** Connections that the kernel holds while we are busy: a thousand clients may come at one moment. */
export const LISTEN_BACKLOG = 4096;

/** From a client's first packet to the end of its TLS handshake, whatever it sends meanwhile. */
export const TLS_HANDSHAKE_TIMEOUT = 10_000;

/** Bits of an IPv6 address by which clients are told apart: whoever has one address has all 2^64 that begin like it. */
export const IPV6_SOURCE_BITS = 64;

/** Input of one connection that waits for its turn; past it the socket is no longer read. */
export const PENDING_INPUT = 64 * 1024;

/**
 * A telnet subnegotiation that has not ended after so many bytes, or so long after a chunk that left it
 * open, is none: the lines in it are answered as bad ones. No client has cause to send one at all.
 */
export const SUBNEGOTIATION_SIZE = 1024;
export const SUBNEGOTIATION_TIMEOUT = 1000;

/** Output gathered before it is written, and again after each write while a long body is streamed. */
export const OUTPUT_CHUNK = 32 * 1024;

/** Lines of a long body that are made in one go, before other connections get a turn. */
export const LINES_A_TURN = 1024;

/** A reply still under way after this long is sent as far as it goes, so that people see the 200. */
export const FLUSH_AFTER = 20;

/** After our last word, until a client has closed its own half of the connection. */
export const LINGER = 1000;

/** Refused clients that are given as long to read why; further ones are cut off. */
export const REFUSALS_LINGERING = 256;
/** Between two lines of the log about what happens to very many, such as clients that are refused. */
export const PACED_LOG_EVERY = 1000;

/** How long a walk over many instances holds the loop before other connections get a turn, and how many steps go between two looks at the clock. */
export const SLICE = 1;
export const LOOKS_A_CLOCK = 128;

/** Patterns that stand for fewer names than one in this many instances are looked up name by name rather than matched against all. */
export const LOOKUP_IS_CHEAPER = 4;

/** Names that a `400 AMBIGUOUS` shows. */
export const NAMES_SHOWN = 16;

/** Instances up to which an account's view of them is kept between two changes. */
export const ENTRIES_REMEMBERED = 256;

/** Replies that are kept to be sent again to the same line, and characters of one, and of its line. */
export const READY_REPLIES = 1024;
export const READY_REPLY_SIZE = 4096;

/** Names of providers that `help --json` tells of one command, for completion: nobody picks one out of more. */
export const PROVIDERS_TOLD = 100;

/** Words of one request; globs are matched against every instance, so their number is bounded. */
export const MAX_WORDS = 1024;

/**
 * Targets of one request that are worked on at the same time. More of them would end faster by little,
 * and what they leave behind would hold up everybody when it is cleared away.
 */
export const FAN_OUT = 192;
/** Several readings of one account share that; each has at least so many. */
export const FAN_OUT_LEAST = 8;

/** Targets of one request are begun for so long in one go, before other connections get a turn. */
export const BEGIN_SLICE = 0.5;

/** A read of a machine, where the request does not say `--timeout`. */
export const READ_TIMEOUT = 10_000;

/** One listing of a provider. */
export const LIST_TIMEOUT = 30_000;

/** How long start-up waits for the first listings before it listens all the same. */
export const FIRST_LISTING_GRACE = 1000;

/** Reading the state again after an order whose outcome is in doubt. */
export const RECHECK_TIMEOUT = 5000;

/** Reading the state after an accepted action, only to keep the registry fresh. */
export const REFRESH_TIMEOUT = 2000;

/** What a driver gets, after the deadline of a step, to say whether it was sent at all: it needs to ask nobody. */
export const LAST_WORD = 500;

/** The deadline of the hard stop that follows a clean one in vain. */
export const HARD_STOP_TIMEOUT = 30_000;

/** Between two looks at the state while waiting for it: the first, and the longest. */
export const WAIT_POLL_FIRST = 25;
export const WAIT_POLL_LONGEST = 1000;

/** A state that was read no longer ago than this is what a machine is said to be in still, at the end of the time that was given it. */
export const STATE_COUNTS = 3000;

/** How long a power action on a single name waits for others before its client is told for what, and between two looks at that. */
export const WAIT_TOLD = 2000;

/** Between two presses of a power button that a guest may have missed. */
export const PRESS_AGAIN = 3000;

/** Between two looks whether a token with which something is open has expired: the clock may have been set meanwhile. Milliseconds. */
export const TOKEN_LOOK = 60_000;

/** The longest `--wait` and `--timeout`. */
export const LONGEST_DEADLINE = 24 * 3_600_000;

/** Of a task that its client waits for: between two lines that say how far it is, at least and at most. */
export const TASK_TOLD_LEAST = 1000;
export const TASK_TOLD_MOST = 15_000;

/** After which a change of a host's network is undone that has cut the host off, where the request does not say. */
export const NETWORK_ROLLBACK = 30_000;

/** A command that neither ends nor streams, beyond the deadline of the action that it carries out. */
export const COMMAND_TIMEOUT = 60_000;

/** Importing one plugin. */
export const PLUGIN_LOAD_TIMEOUT = 10_000;

/** Orders waiting for their turn on one instance, and those of one account; one more is BUSY at once. */
export const TURNS_WAITING = 64;
export const TURNS_WAITING_PER_ACCOUNT = 16;

/** Calls waiting for one provider, and those of one account; one more is BUSY at once. */
export const CALLS_WAITING = 100_000;
export const CALLS_WAITING_PER_ACCOUNT = 10_000;

/** The part of a provider's places up to which an account is served as soon as one is free. */
export const PLACES_SHARE = 0.25;

/** How often it is looked whether somebody waits in vain for a place that a hanging call holds. */
export const PLACES_LOOK = 250;
/** An account that is given no place for so long is helped to one. */
export const PLACE_PATIENCE = 1000;
/**
 * A reading without an answer keeps its place for so long although an order, or an account that holds
 * less, waits in vain; then it asks again in its turn, and has twice as long. Against others it keeps it longer.
 */
export const PLACE_KEPT = 1000;
export const PLACE_KEPT_LONGER = 10_000;
/** An order cannot ask again: when its call hangs for so long and others wait, its place counts as free. */
export const ORDER_PLACE_KEPT = 5000;

/** Answers of machines that are kept for those who ask with a greatest age, a provider. */
export const READINGS_KEPT = 10_000;

/** Machines that were asked something, of which is known that nothing is asked now, a provider. */
export const MACHINES_KEPT = 10_000;

/** Signals that were not needed and are kept for further calls, a provider; and how many calls have one before it is dropped. */
export const SIGNALS_KEPT = 256;
export const SIGNAL_USES = 64;

/** What `--force` waits for the state before it goes by a state that is not known: a machine that hangs may be what it is for. */
export const FORCED_LOOK = 2000;

/** An order that is being sent keeps the instance for so long although `--force` waits. */
export const SENDING_KEPT = 5000;

/** Of those who wait for places in groups: turns of those who go first, until one of the others has one. */
export const FIRST_TURNS_IN_A_ROW = 3;

/** Between two attempts to list a provider that does not answer: the first, and the longest. */
export const RETRY_FIRST = 1000;
export const RETRY_LONGEST = 60_000;

/** Defaults of a provider. */
export const POLL_INTERVAL = 30_000;
export const CONCURRENCY = 64;

/** From the order to stop to the end of the process. */
export const SHUTDOWN_TIMEOUT = 15_000;

/** How long providers get to log out. */
export const CLOSE_TIMEOUT = 2000;

/** Actions that are given up because the server ends look once more at what came of them, and say so. */
export const LAST_WORDS = 4500;
/** That look. */
export const LAST_LOOK = 3500;

/** How long the server lets running actions end when it is told to stop: what the rest leaves of its time. */
export const SHUTDOWN_GRACE = SHUTDOWN_TIMEOUT - CLOSE_TIMEOUT - LAST_WORDS - 500;

/** After a second signal: how long actions have to be recorded before the process ends. */
export const HURRIED_END = 1500;

/** How long what is under way on a provider may go on after a reload has taken the provider away. */
export const PROVIDER_GRACE = 15_000;

/** bcrypt: the least and the most cost (log2 of the rounds), and the most bytes that the algorithm looks at. */
export const BCRYPT_COST = 12;
export const BCRYPT_COST_MOST = 17;
export const BCRYPT_MAX_BYTES = 72;

/** Logins that wait for a password check: in all, counted for those who go first and for the others apart, and from one address. */
export const LOGINS_WAITING = 256;
export const LOGINS_WAITING_PER_ADDRESS = 32;

/** Codes that log in once: how long one lives, and how many are kept. */
export const LOGIN_CODE_LIFE = 3_600_000;
export const LOGIN_CODES = 16;

/** Logins that wait for the end of their delay. */
export const LOGINS_DELAYED = 1024;

/** Delay after failed logins: it doubles from the first to the longest, and is forgotten after a while. */
export const LOGIN_DELAY_FIRST = 250;
export const LOGIN_DELAY_LONGEST = 15_000;
export const LOGIN_DELAY_FORGOTTEN = 15 * 60_000;
/** The longest delay by others' failures for somebody from where fewer logins than so many failed lately, of whom one at a time is heard. */
export const LOGIN_DELAY_NEWCOMER = 4000;
export const NEWCOMER_FAILURES = 2;

/**
 * Failed logins are counted by five things. Of each: the failures that cost no delay, since people
 * mistype and an address may be that of many; and the logins at a time once there is a delay, as many
 * again of which are for newcomers. An address is one of IPv4 or the first 64 bits of one of IPv6; networks and regions are those of
 * NETWORK_BITS.
 */
export const LOGIN_FAILURES = {
  accountFromAddress: { free: 2, atATime: 4 },
  address: { free: 10, atATime: 4 },
  network: { free: 40, atATime: 16 },
  region: { free: 160, atATime: 64 },
  account: { free: 100, atATime: 8 },
} as const;

/** Bits that the addresses of a region and of a network have in common: what one owner often has as a whole. */
export const NETWORK_BITS = { ipv4: { region: 16, network: 24 }, ipv6: { region: 32, network: 48 } } as const;

/** Keys of each kind whose failures are remembered. */
export const FAILURES_REMEMBERED = 10_000;

/** How long, and how many addresses, an account is known to log in from. */
export const KNOWN_ADDRESS_FORGOTTEN = 7 * 24 * 3_600_000;
export const KNOWN_ADDRESSES_PER_ACCOUNT = 64;

/** argo-server.conf, and a file that holds a password. */
export const CONFIG_FILE_SIZE = 4 * 1024 * 1024;
export const SECRET_FILE_SIZE = 64 * 1024;

/** Audit entries whose end could not be written yet. */
export const AUDIT_BACKLOG = 10_000;
/** How often that is tried again. */
export const AUDIT_RETRY = 1000;

/** When the audit is looked at for what is too old or too much: after the start, and then so often. */
export const AUDIT_PRUNE_FIRST = 60_000;
export const AUDIT_PRUNE_EVERY = 3_600_000;
/**
 * How far the clock may leap, from what has passed since it was last read or since the audit was last written,
 * and still tell what is too old at once; and how long it has to go evenly after a longer leap.
 */
export const AUDIT_CLOCK_LEAP = 3_600_000;
export const AUDIT_CLOCK_LEAP_AT_START = 7 * 24 * 3_600_000;
export const AUDIT_CLOCK_SETTLES = 24 * 3_600_000;
/** Actions that are removed in one step, and the time between two: an action that comes meanwhile waits for one step at most. */
export const AUDIT_PRUNE_ROWS = 500;
export const AUDIT_PRUNE_PAUSE = 100;
/** How often `audit --follow` looks for news, and actions without an end that it looks at again. */
export const AUDIT_FOLLOW_EVERY = 500;
export const AUDIT_FOLLOW_OPEN = 10_000;

/** `argo watch`: silence after which the server is taken for gone (it says `idle` every 15 s), and the times until it is tried again. */
export const WATCH_SILENCE = 45_000;
export const WATCH_RETRY_FIRST = 500;
export const WATCH_RETRY_LONGEST = 30_000;
/** The longest that a command of `argo watch --exec` may take for one event. */
export const WATCH_EXEC_TIMEOUT = 300_000;

/** A file of the state folder: the longest wait for another process that has it locked. */
export const STORE_LOCK_TIMEOUT = 1000;
/** The longest wait for the disk; then those who wait are refused. */
export const STORE_ANSWER = 10_000;
/** What is written in one transaction, operations and characters: handing it to the thread must not keep the event loop. */
export const STORE_BATCH = 512;
export const STORE_BATCH_SIZE = 1024 * 1024;
/** How long what nobody is kept waiting for waits for something else that is to be written. */
export const STORE_PATIENCE = 15;
/** What waits to be written, operations and characters; one more is refused at once. */
export const STORE_WAITING = 100_000;
export const STORE_WAITING_SIZE = 64 * 1024 * 1024;
/** How long a thread that writes is kept when there is nothing to write. */
export const STORE_IDLE = 60_000;
/** How long the end of the server waits for what is still to be written. */
export const STORE_CLOSE = 5000;

/** Whether another server runs on the state folder: the longest wait for its answer, attempts where two start at one moment, and the pause between these. */
export const FOLDER_LOCK_ANSWER = 1000;
export const FOLDER_LOCK_TRIES = 10;
export const FOLDER_LOCK_PAUSE = 30;

/** State of gateways and tasks: characters of a namespace or key, and of a value, event, result or text of a task. */
export const STATE_KEY = 512;
export const STATE_VALUE = 64 * 1024;
export const TASK_TEXT = 8 * 1024;
/** Keys of one namespace. What is listed or read in one go: rows, and characters. */
export const STATE_KEYS = 10_000;
export const STATE_PAGE = 500;
export const STATE_PAGE_SIZE = 1024 * 1024;
/** Events that one outbox keeps: beyond them the oldest are dropped. And events appended in one go. */
export const OUTBOX_KEPT = 100_000;
export const OUTBOX_APPEND = 1000;
/** Values that are kept for a receiver: characters appended in one go, and of a note. Rows read, and rows removed in one go. */
export const HISTORY_APPEND_SIZE = 4 * 1024 * 1024;
export const HISTORY_NOTE_SIZE = 32 * 1024 * 1024;
export const HISTORY_PAGE = 10_000;
export const HISTORY_REMOVED = 50_000;
/** So much, of the time between the end of a process and the next start, makes values older. Milliseconds. */
export const HISTORY_AWAY = 3_600_000;
/** Keys that one journal remembers: beyond them the oldest of those that have ended are forgotten. */
export const ONCE_KEPT = 100_000;
/** Tasks that are kept: beyond them the oldest of those that have ended are dropped. */
export const TASKS_KEPT = 1000;
/** Characters of the tasks that are read in one go. */
export const TASKS_LISTED = 8 * 1024 * 1024;

/** Tags: in all, of one machine or provider, and rows that are read in one go. */
export const TAGS_KEPT = 20_000;
export const TAGS_OF_ONE = 64;
export const TAGS_PAGE = 2000;
/** How often it is looked which machines and providers that have tags are gone, for how long those keep them, and how many lose them in one step. */
export const TAGS_SWEEP = 3_600_000;
export const TAGS_ABSENT_KEPT = 30 * 24 * 3_600_000;
export const TAGS_FORGOTTEN = 200;

/** Connections to a gateway where its table does not say: in all, and from one address. */
export const GATEWAY_CONNECTIONS = 256;
export const GATEWAY_CONNECTIONS_PER_ADDRESS = 64;
/** The part of these that may stand there without a login, or a question: further ones push out the oldest. */
export const HALF_OPEN = 0.5;

/** HTTP: the head of a request, the address in it (characters), and its body. */
export const HTTP_HEAD_SIZE = 16 * 1024;
export const HTTP_URL_SIZE = 8 * 1024;
export const HTTP_BODY = 1024 * 1024;
/** HTTP: until the first head is there; from a head to the end of its answer; and then until the next head. */
export const HTTP_HEAD_TIMEOUT = 10_000;
export const HTTP_REQUEST_TIMEOUT = 30_000;
export const HTTP_KEEP_ALIVE = 15_000;
/** HTTP: until whoever is to answer a request has said why there is no answer, when its time is over. */
export const HTTP_LAST_WORDS = 500;
/** HTTP: requests of one connection that may wait while the one before them is answered. One more, and it is cut. */
export const HTTP_SENT_AHEAD = 16;
/** How often it is looked whether the last request of a gateway that ends has been answered. */
export const HTTP_DRAIN_LOOK = 20;

/** What a gateway may take to open its ports. */
export const GATEWAY_PREPARE_TIMEOUT = 15_000;
/** How long before a gateway has to have ended those who still wait for an order are told that it ends. */
export const GATEWAY_LAST_WORD = 500;
/** How long a gateway takes to close. */
export const GATEWAY_CLOSE_TIMEOUT = 3000;

/** Sets of labels that one figure keeps. Beyond them the oldest are forgotten. */
export const FIGURE_SERIES = 20_000;
/** Values of figures that are put into words in one go: each takes some microseconds. */
export const FIGURES_A_TURN = 64;
/** Names of labels that are known to be some. */
export const LABEL_NAMES = 256;
/** Those who watch events: in all. */
export const WATCHERS = 1024;
/** Watchers that are woken between two looks at the clock, and connections that are written to: each takes some ten microseconds. */
export const WATCHERS_A_LOOK = 8;
export const WRITES_A_LOOK = 8;
/**
 * For so many who watch, rounds of telling them are a millisecond apart: a thousand are told every 100 ms of what came meanwhile.
 * A write costs the server the same for one event as for many, and whoever reads it as well: fewer and longer ones leave time for others.
 */
export const WATCHERS_A_MILLISECOND = 10;
/** Over which part of the time between two rounds one of them is spread. */
export const ROUND_SPREAD = 0.5;
/** Events that a watcher looks at in a turn. */
export const EVENTS_A_TURN = 1000;
/** Instances that may come or go in one listing as events of their own; more are not told one by one. */
export const EVENTS_A_LISTING = 8192;
/** After so long without an event a watcher is sent where it stands. */
export const WATCH_IDLE = 15_000;

/** Accounts of which it is kept whether their logins were refused, with each secret that was tried. */
export const ACCOUNT_RECORDS = 50_000;

/**
 * Of XML that others send, characters without a tag that begins or ends: texts, comments, names and attributes are held as a whole,
 * and copied in one go. Exact to a piece that is parsed at once.
 */
export const XML_WITHOUT_TAG = 1024 * 1024;
/** Characters of it that are parsed before it is asked whether everyone else should get a turn. */
export const XML_PARSED_AT_ONCE = 1024;
