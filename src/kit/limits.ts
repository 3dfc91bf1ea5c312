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

/** Output gathered before it is written, and again after each write while a long body is streamed. */
export const OUTPUT_CHUNK = 32 * 1024;

/** A reply still under way after this long is sent as far as it goes, so that people see the 200. */
export const FLUSH_AFTER = 20;

/** After our last word, until a client has closed its own half of the connection. */
export const LINGER = 1000;

/** Refused clients that are given as long to read why; further ones are cut off. */
export const REFUSALS_LINGERING = 256;

/** Names looked at in one go before other connections get a turn. */
export const NAMES_A_TURN = 1000;

/** Instances up to which an account's view of them is kept between two changes. */
export const ENTRIES_REMEMBERED = 256;

/** Words of one request; globs are matched against every instance, so their number is bounded. */
export const MAX_WORDS = 1024;

/** Targets of one request that are worked on at the same time. */
export const FAN_OUT = 1024;

/**
 * Targets of one request that are begun in one go, and the pause between two such goes: what they ask
 * for comes back in such portions too, so that other connections never wait for a thousand of them.
 */
export const WAVE = 16;
export const WAVE_PAUSE = 1;

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

/** Between two presses of a power button that a guest may have missed. */
export const PRESS_AGAIN = 3000;

/** The longest `--wait` and `--timeout`. */
export const LONGEST_DEADLINE = 24 * 3_600_000;

/** A command that neither ends nor streams, beyond the deadline of the action that it carries out. */
export const COMMAND_TIMEOUT = 60_000;

/** Importing one plugin. */
export const PLUGIN_LOAD_TIMEOUT = 10_000;

/** Orders waiting for their turn on one instance; one more is BUSY at once. */
export const TURNS_WAITING = 64;

/** Calls waiting for one provider; one more is BUSY at once. */
export const CALLS_WAITING = 100_000;

/** Of those who wait for places in groups: turns of those who go first, until one of the others has one. */
export const FIRST_TURNS_IN_A_ROW = 3;

/** Between two attempts to list a provider that does not answer: the first, and the longest. */
export const RETRY_FIRST = 1000;
export const RETRY_LONGEST = 60_000;

/** Defaults of a provider. */
export const POLL_INTERVAL = 30_000;
export const CONCURRENCY = 64;

/** How long the server lets running actions end when it is told to stop. */
export const SHUTDOWN_GRACE = 15_000;

/** After that: actions that still run are given up, look once more at what came of them, and say so. */
export const LAST_WORDS = 6000;

/** How long providers get to log out. */
export const CLOSE_TIMEOUT = 3000;

/** bcrypt: the least and the most cost (log2 of the rounds), and the most bytes that the algorithm looks at. */
export const BCRYPT_COST = 12;
export const BCRYPT_COST_MOST = 17;
export const BCRYPT_MAX_BYTES = 72;

/** Logins that wait for a password check: in all, counted for those who go first and for the others apart, and from one address. */
export const LOGINS_WAITING = 256;
export const LOGINS_WAITING_PER_ADDRESS = 32;

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
