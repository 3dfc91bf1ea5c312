/** Limits of vmserverd's documents and of the gateway that speaks them. Sizes in bytes, times in milliseconds. */

/** Bytes of a document, and how deep its elements may lie in each other. */
export const VMSERVERD_DOCUMENT = 1024 * 1024;
export const VMSERVERD_DEPTH = 32;
/** Characters of a text in a document that has no other limit. */
export const VMSERVERD_TEXT = 4096;
/** Children of one list in a request. */
export const VMSERVERD_LIST = 1000;
/** Bytes of a line that is spoken before the documents begin. */
export const AUTHD_LINE = 1024;
