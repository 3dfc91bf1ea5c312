/** Limits of vmserverd's documents and of the gateway that speaks them. Sizes in bytes, times in milliseconds. */

/** Bytes of a document, and how deep its elements may lie in each other. */
export const VMSERVERD_DOCUMENT = 1024 * 1024;
export const VMSERVERD_DEPTH = 32;
/** Elements of a document, and attributes that are read over: what takes memory and time that its bytes do not tell. */
export const VMSERVERD_ELEMENTS = 16_384;
export const VMSERVERD_ATTRIBUTES = 1024;
/** Bytes of a document up to which it is tried whether it is plain. */
export const VMSERVERD_PLAIN = 16 * 1024;
/** Of an answer that a client reads: the list of ten thousand machines has some megabytes. */
export const VMSERVERD_ANSWER = 32 * 1024 * 1024;
export const VMSERVERD_ANSWER_ELEMENTS = 262_144;
/** Machines of a list that a client reads. */
export const VMSERVERD_MACHINES = 65_536;
/** Characters of a text in a document that has no other limit. */
export const VMSERVERD_TEXT = 4096;
/** Children of one list in a request. */
export const VMSERVERD_LIST = 1000;
/** Bytes of a line that is spoken before the documents begin, without its CR LF. */
export const AUTHD_LINE = 1024;

/** How long a client may take, in all, from the banner to its first document; what the server takes for its passwords does not count. */
export const VMSERVERD_LOGIN = 30_000;
/** How long a document may take from its first byte to its last. */
export const VMSERVERD_DOCUMENT_TIME = 60_000;
/** How long a connection lives without a request, where the table does not say. */
export const VMSERVERD_IDLE = '30m';
/** How often it is looked which connections have taken too long. */
export const VMSERVERD_SWEEP = 1000;
/** Bytes that are taken from a connection while its request is worked on: what comes beyond waits in the network. */
export const VMSERVERD_PENDING = 64 * 1024;
/** Characters of an answer that are put together for one write. */
export const VMSERVERD_BLOCK = 16 * 1024;
/** Characters of a long answer that are made before it is looked whether others are to have their turn. */
export const VMSERVERD_PIECE = 2 * 1024;
/** How long a request waits for the end of a power action; then it is told the task. */
export const VMSERVERD_POWER_WAIT = 60_000;
/** How long a guest is asked to stop before its plug is pulled (`trysoft`), where the table does not say. */
export const VMSERVERD_STOP_TIMEOUT = '60s';
/** The longest that any other request may last. What it has begun goes on. */
export const VMSERVERD_CALL_LONGEST = 600_000;
/** Machines of which it is remembered that a connection has asked for them. */
export const VMSERVERD_TOUCHED = 256;
/** Events of a machine that are told at most, and how many where a request does not say. */
export const VMSERVERD_EVENTS = 1000;
export const VMSERVERD_EVENTS_USUAL = 25;
/** Bytes of the kernel's list of sockets, and of the list of users, that are read to find a local user; lookups at a time, and waiting. */
export const VMSERVERD_SOCKETS = 32 * 1024 * 1024;
export const VMSERVERD_USERS = 1024 * 1024;
export const VMSERVERD_LOOKUPS = 2;
export const VMSERVERD_LOOKUPS_WAITING = 256;
/** How long openssl may take to make a key. */
export const VMSERVERD_KEY_TIME = 30_000;
/** Days for which a certificate is made, at most, and where nobody says. */
export const VMSERVERD_CERTIFICATE_DAYS = 3650;
export const VMSERVERD_CERTIFICATE_USUAL = 365;
/** Wrong passwords on one connection, after which it is closed: login tools try several, and some come back at once. */
export const AUTHD_FAILURES = 10;
/** For a client: from the first packet to the hand-over (a wrong password is answered late on purpose), and for the answer to one request. */
export const VMSERVERD_CLIENT_LOGIN = 30_000;
export const VMSERVERD_CLIENT_ANSWER = 120_000;
/** Requests of a client that wait for those before them on one connection. */
export const VMSERVERD_CLIENT_WAITING = 256;
