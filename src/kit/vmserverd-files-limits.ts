/** Limits of vmserverd's work on files, and of what it does in the background. Sizes in bytes, times in milliseconds. */

/** Background work under way, of all accounts and of one. */
export const BACKGROUND_RUNNING = 32;
export const BACKGROUND_OF_ACCOUNT = 8;
/** Background tasks that are remembered, of all accounts and of one: beyond these the oldest that have ended are forgotten. */
export const BACKGROUND_KEPT = 400;
export const BACKGROUND_KEPT_OF_ACCOUNT = 50;
/** How long one may take: to copy a disk over a slow network takes hours. */
export const BACKGROUND_LONGEST = 12 * 3_600_000;
/** How long the end of the server waits for what it has told to stop. */
export const BACKGROUND_LAST_WORD = 3000;
/** Characters of what a task says of its failure. */
export const BACKGROUND_WORDS = 300;

/** Folders that a configuration names, and accounts for each. */
export const FILE_ROOTS = 64;
export const FILE_ROOT_ACCOUNTS = 256;
/** Bytes of a name and of a path, as Linux has them (NAME_MAX, PATH_MAX), and names on the way. */
export const FILE_NAME = 255;
export const FILE_PATH = 4095;
export const FILE_DEPTH = 128;
