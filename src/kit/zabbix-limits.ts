/** The limits of Zabbix's protocols, as in limits.ts: times in milliseconds, sizes in bytes where nothing else is said. */

/** Of a frame with a configuration: as it comes over the wire, and unpacked. 100,000 items are 25 MB, some 1 MB packed. */
export const ZABBIX_CONFIGURATION_WIRE = 64 * 1024 * 1024;
export const ZABBIX_CONFIGURATION_RAW = 256 * 1024 * 1024;
/** Of any other frame: answers with tasks, requests of a server. */
export const ZABBIX_MESSAGE_WIRE = 4 * 1024 * 1024;
export const ZABBIX_MESSAGE_RAW = 4 * 1024 * 1024;
/** What one byte of deflate unpacks to at most (https://zlib.net/zlib_tech.html), rounded up: who claims more claims what cannot be. */
export const ZABBIX_INFLATE_RATIO = 1040;
/** Longer ones are unpacked piece by piece. */
export const ZABBIX_INFLATE_AT_ONCE = 1024 * 1024;
/** Messages of so many bytes are packed and unpacked at once, in some 0.2 ms. */
export const ZABBIX_ZLIB_AT_ONCE = 16 * 1024;
/** What one turn of packing or unpacking hands over. */
export const ZABBIX_ZLIB_CHUNK = 256 * 1024;
/** Bytes of a long message that are encoded at a time, for zlib. */
export const ZABBIX_ENCODED_AT_ONCE = 64 * 1024;
/** 1 of 9: tests of a server with 10,000 values a message gain nothing from more, which costs three times the processor time. */
export const ZABBIX_DEFLATE_LEVEL = 1;

/** From the first packet to a connection that can be written to, its TLS handshake with it. */
export const ZABBIX_CONNECT = 10_000;
/** From a request to the whole of its answer; a configuration is long and is made when it is asked for. */
export const ZABBIX_ANSWER = 30_000;
export const ZABBIX_CONFIGURATION_ANSWER = 120_000;
/** Passive mode: from a connection to the first byte of its request. */
export const ZABBIX_FIRST_BYTE = 10_000;

/** Passive mode: how long a version is claimed until a configuration comes, the first time; it is doubled whenever all were, up to the longest. */
export const ZABBIX_VERSION_TRIAL = 30_000;
export const ZABBIX_VERSION_TRIAL_LONGEST = 3_600_000;
/** Passive mode: a server that wanted nothing but results of tasks for so long takes the version no more. One asks for values each hour at the least. */
export const ZABBIX_UNWANTED = 7_500_000;

/** Configurations that are not longer than this are read at once; others in a thread of their own. */
export const ZABBIX_INLINE_CONFIGURATION = 128 * 1024;
/** How long a thread may read one configuration. */
export const ZABBIX_CONFIGURATION_READING = 60_000;
/** Heap of that thread, MB: the text of a configuration at its limit as objects, several times over. */
export const ZABBIX_CONFIGURATION_HEAP_MB = 2048;
/** Items and other rows that a thread hands over in one message. */
export const ZABBIX_CONFIGURATION_BATCH = 500;
/** Reasons of rows that were left out of a configuration: so many different ones are kept, each with its first row. */
export const ZABBIX_REASONS_KEPT = 16;
/** How deep macros stand for templates that are linked to templates. */
export const ZABBIX_TEMPLATE_DEPTH = 32;

/** Characters of an item's key: `items.key_` of the server's tables has 2048. */
export const ZABBIX_KEY = 2048;
/** Characters of an interval: `items.delay` has 1024. */
export const ZABBIX_DELAY = 1024;
/** Characters of a `char` value (`history_str.value`), and of a `text` and a `log` value. */
export const ZABBIX_CHAR_VALUE = 255;
export const ZABBIX_TEXT_VALUE = 65_535;

/** Characters of what a server gives as a reason that are shown. */
export const ZABBIX_REASON = 512;
/** Tasks that are taken of one answer. */
export const ZABBIX_TASKS = 10_000;
/** Bytes of a pre-shared key, and of its identity (https://www.zabbix.com/documentation/6.0/en/manual/encryption/using_pre_shared_keys). */
export const ZABBIX_PSK_LEAST = 16;
export const ZABBIX_PSK_MOST = 256;
export const ZABBIX_PSK_IDENTITY = 128;

/** Preprocessing: steps of one item, characters of a step's parameters (`item_preproc.params`), and of a value that is worked on. */
export const ZABBIX_STEPS = 100;
export const ZABBIX_STEP_PARAMS = 65_535;
export const ZABBIX_STEP_VALUE = 1024 * 1024;
/** Characters of JSON that is looked into: some milliseconds, in one go. */
export const ZABBIX_JSON_VALUE = 256 * 1024;
/** Parts of it that a path may look at, those that it looks at again counted again. */
export const ZABBIX_JSON_LOOKS = 100_000;
/** Steps that are kept ready to run for all items that have them. */
export const ZABBIX_STEPS_READY = 2000;
/** Those with longer parameters are not. */
export const ZABBIX_STEP_READY_PARAMS = 2048;
/** How deep JSON may go that JSONPath looks into, and how deep items may depend on items (three levels, as the server has it). */
export const ZABBIX_JSON_DEPTH = 64;
export const ZABBIX_DEPENDENT_DEPTH = 3;
/** Characters of a regular expression, and of a value that it is tried on. */
export const ZABBIX_PATTERN = 2048;
/** What the numbers in braces of an expression may come to. */
export const ZABBIX_PATTERN_COUNTS = 1000;
export const ZABBIX_PATTERN_VALUE = 65_536;
/** Up to so many characters an expression with no, one, two, three repetitions needs no watch: it ends within a millisecond or two. */
export const ZABBIX_PATTERN_UNWATCHED: readonly number[] = [10_000, 1000, 200, 60];
/**
 * How long another may take for one value; how often it is tried again where the machine hardly let it work meanwhile; how often it may
 * take longer until it is not tried any more; and after how many that did within a minute none is tried.
 */
export const ZABBIX_PATTERN_TIME = 20;
export const ZABBIX_PATTERN_AGAIN = 4;
export const ZABBIX_PATTERN_TRIES = 3;
export const ZABBIX_PATTERNS_LATE = 10;
/** Characters of the reason why an item is unsupported: `item_rtdata.error`. */
export const ZABBIX_ITEM_ERROR = 2048;
