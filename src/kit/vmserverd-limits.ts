/** Limits of vmserverd's documents and of the gateway that speaks them. Sizes in bytes, times in milliseconds. */

/** Bytes of a document, and how deep its elements may lie in each other. */
export const VMSERVERD_DOCUMENT = 1024 * 1024;
export const VMSERVERD_DEPTH = 32;
/** Elements of a document, and attributes that are read over: what takes memory and time that its bytes do not tell. */
export const VMSERVERD_ELEMENTS = 16_384;
export const VMSERVERD_ATTRIBUTES = 1024;
/** Of an answer that a client reads: the list of ten thousand machines has some megabytes. */
export const VMSERVERD_ANSWER = 32 * 1024 * 1024;
export const VMSERVERD_ANSWER_ELEMENTS = 262_144;
/** Machines of a list that a client reads. */
export const VMSERVERD_MACHINES = 65_536;
/** Characters of a text in a document that has no other limit. */
export const VMSERVERD_TEXT = 4096;
/** Children of one list in a request. */
export const VMSERVERD_LIST = 1000;
/** Bytes of a line that is spoken before the documents begin. */
export const AUTHD_LINE = 1024;
/** Wrong passwords on one connection, after which it is closed: login tools try several, and some come back at once. */
export const AUTHD_FAILURES = 10;
/** For a client: from the first packet to the hand-over (a wrong password is answered late on purpose), and for the answer to one request. */
export const VMSERVERD_CLIENT_LOGIN = 30_000;
export const VMSERVERD_CLIENT_ANSWER = 120_000;
/** Requests of a client that wait for those before them on one connection. */
export const VMSERVERD_CLIENT_WAITING = 256;
