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

/**
 * Calls of the file system at a time, in all and in one root. Node has four threads for these and for names and passwords: a disk
 * that hangs takes two of them at most, and two such disks never all.
 */
export const DISK_CALLS = 3;
export const DISK_CALLS_OF_ROOT = 2;
/** Calls that wait, of all and of one root. */
export const DISK_WAITING = 4096;
export const DISK_WAITING_OF_ROOT = 1024;
/** Requests on files at a time, of all accounts and of one, and how many of one wait: each holds a few open files. */
export const FILE_REQUESTS = 32;
export const FILE_REQUESTS_OF_ACCOUNT = 8;
export const FILE_REQUESTS_WAITING = 256;
export const FILE_REQUESTS_WAITING_OF_ACCOUNT = 64;
/** How long a change of names, modes and owners may take, and a reading. */
export const FILE_CHANGE_TIMEOUT = 60_000;
export const FILE_READ_TIMEOUT = 30_000;
/** How long a file that is closed is waited for. */
export const FILE_CLOSE_WAIT = 1000;

/** What is copied while its caller waits; larger files are copied in the background. */
export const COPY_INLINE = 10 * 1024 * 1024;
/** How often it is looked how far a copy is. */
export const COPY_LOOK = 500;
/** How long a program that was killed is waited for before it is left to the disk that holds it. */
export const PROGRAM_GIVEN_UP = 300;
/** How long it may take to see what the host's setpriv can do. */
export const SETPRIV_TIMEOUT = 5000;
/** What is kept of a program's complaint. */
export const PROGRAM_WORDS = 4096;
/** Files that are half made, of this process and of those before it. */
export const LEFTOVERS = 1000;
/** How long a start looks for what an earlier process has left in one folder. */
export const LEFTOVER_TIMEOUT = 10_000;
/** How long one is looked for at each start whose folder is not there, such as on a disk that is not mounted. */
export const LEFTOVER_KEPT = 90 * 86_400_000;

/** Folders within each other, and what may lie in them, of what is listed or removed as a whole. */
export const TREE_DEPTH = 32;
export const TREE_NODES = 5000;
/** The same of what is told as a tree. */
export const TREE_TOLD_DEPTH = 8;
/** What is told of one folder. */
export const FOLDER_NAMES = 5000;
/** Bytes of one piece of a file. */
export const FILE_PIECE = 256 * 1024;
/** Lines from the end of a file, characters of one, and bytes that are looked through for them. */
export const LAST_LINES = 1000;
export const LAST_LINE = 4096;
export const LAST_BYTES = 1024 * 1024;
/** Files that one request names. */
export const FILE_LIST = 100;
/** Characters of a new file's content, as text or as base64. */
export const FILE_CONTENT = 900_000;
/** Images that are built on each other. */
export const BACKING_FILES = 16;
/** Bytes of the disk in one, 64 TiB: more than common file systems hold in a file. */
export const IMAGE_BYTES = 64 * 2 ** 40;
