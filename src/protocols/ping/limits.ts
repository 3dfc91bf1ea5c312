/** The limits of asking hosts whether they are up. Times in milliseconds. */

/** How often a request without an answer is sent again. */
export const MOST_RETRIES = 3;
/** From the first request until the host counts as silent: at the most, and by default. */
export const LONGEST_TIMEOUT = 5000;
export const DEFAULT_TIMEOUT = 4000;
/** Each wait for an answer is longer than the one before, as fping has it: a lost packet costs little, a slow link is waited for. */
export const BACKOFF = 1.5;

/** Between two packets on the average: 5,000 a second, some 0.4 MB/s, which any network carries. */
export const SEND_INTERVAL = 0.2;
/** After a stall, what was missed is sent in a burst of this long at the most. */
export const CATCH_UP = 10;
/** Packets sent in one go before others get their turn. */
export const SEND_AT_ONCE = 64;
/** Hosts that are waited for at a time while many are asked; questions of people come on top. */
export const BACKGROUND_IN_FLIGHT = 4096;
/** Hosts that are waited for at a time in all: half of the sequence numbers that there are. */
export const MOST_IN_FLIGHT = 32_768;
/** Hosts that wait to be asked; one more is refused. */
export const MOST_WAITING = 200_000;
/** Before the next packet when the kernel's buffers are full. */
export const BUSY_PAUSE = 5;

/** Finding the addresses of a name, and how long they are kept. */
export const RESOLVE_TIMEOUT = 3000;
export const RESOLVED_FOR = 10_000;
/** Names whose addresses are kept. */
export const NAMES_KEPT = 20_000;
/** Addresses of one name that are asked, and how much later each way to ask begins than the one before. */
export const MOST_ADDRESSES = 4;
export const NEXT_ADDRESS_AFTER = 250;

/** Processes of the system's `ping` at a time. */
export const MOST_PROCESSES = 16;
/** Beyond its own wait, until such a process is killed. */
export const PROCESS_GRACE = 2000;
/** Its output, in bytes. */
export const PROCESS_OUTPUT = 16 * 1024;

/** Connections that are tried at a time while many hosts are asked: each is a file descriptor for as long as nobody answers. */
export const BACKGROUND_CONNECTIONS = 2048;

/** Default wait for a TCP connection or its refusal. */
export const TCP_TIMEOUT = 4000;
