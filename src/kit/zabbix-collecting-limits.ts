/** The limits of what the Zabbix gateway looks at machines for; as all others, milliseconds where nothing else is said. */

/** One item: from when it is due to its value, or the reason why there is none. */
export const ITEM_DEADLINE = 10_000;
/** Items of one provider that are read at a time. */
export const ITEMS_AT_A_TIME = 64;
/** Over how many seconds the first values of new items are spread, at most. */
export const ITEM_FIRST_WITHIN = 30;
/** Over how many seconds of their interval the items of a provider are spread, at most: all of them are served from one sample. */
export const ITEM_SPREAD = 30;
/** An item that stays unsupported for the same reason says so again after this. */
export const ITEM_FAULT_AGAIN = 600_000;
/** How long items with which the same goes wrong are gathered for one line of the log. */
export const ITEM_LINES_GATHERED = 60_000;
/**
 * What was told of a new item or interface is told once more after this. A server before 6.4 hands them out from its database,
 * and drops what it is told of them, with a word of success, until it has read that itself: CacheUpdateFrequency, a minute.
 */
export const TOLD_ONCE_MORE = 75_000;
/** Values that are handed over in one go, and how long fewer may wait for more. */
export const VALUES_A_WRITE = 1000;
export const VALUES_GATHERED = 100;
/** Values that wait to be written, and characters of them; beyond either no further ones are collected. */
export const VALUES_WAITING = 50_000;
export const VALUES_WAITING_SIZE = 32 * 1024 * 1024;
/** How often it is tried again to hand values over. */
export const VALUES_RETRY = 1000;
/** How far the wall clock may leap within a second of work until all items are scheduled anew. */
export const COLLECTOR_CLOCK_LEAP = 2000;
/** How long it is taken for true which providers answer. */
export const SILENCE_KEPT = 3000;

/** How often it is looked whether interfaces have become available or not. */
export const AVAILABILITY_LOOK = 10_000;
/** Rows of availability, discovery and registration that are handed over in one go. */
export const ROWS_A_WRITE = 1000;

/** How old an instance's address may be, how many are asked for at a time, and how many are kept. */
export const ADDRESS_AGE = 300_000;
export const ADDRESSES_AT_A_TIME = 16;
export const ADDRESSES_KEPT = 200_000;

/** How often it is looked for instances to register, how many are registered at each look, and how often each is again; the same of those that are no host yet. */
export const REGISTRATION_LOOK = 10_000;
export const REGISTRATIONS_A_LOOK = 500;
export const REGISTRATION_AGAIN = 24 * 3_600_000;
export const REGISTRATION_HOSTLESS = 120_000;
export const REGISTRATIONS_HOSTLESS_A_LOOK = 100;
/** Characters of a host's name and of its metadata that every server takes. */
export const HOST_NAME = 128;
export const HOST_METADATA = 255;

/** Discovery: how often it is looked which rules are due, addresses that are checked at a time, and what one check may take. */
export const DISCOVERY_LOOK = 1000;
export const DISCOVERY_AT_A_TIME = 64;
export const DISCOVERY_CHECK = 3000;
/** Ranges of one rule, and ports of one check. */
export const DISCOVERY_RANGES = 1000;
export const DISCOVERY_PORTS = 64;

/** Pings: targets at a time, packets of one, how long all of them may take, and results that are kept for others who ask the same. */
export const PINGS_AT_A_TIME = 512;
export const PING_PACKETS = 100;
export const PING_LONGEST = 60_000;
export const PINGS_KEPT = 10_000;

/** Commands: characters of one, and how long a plan is followed. */
export const COMMAND_SIZE = 2048;
export const COMMAND_PLAN = 600_000;
