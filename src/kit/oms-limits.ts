/** Limits of the oms gateway. Times in milliseconds. */

/** Bytes of a request's body, which anybody may send: to read it keeps others waiting. Characters of an id that is handed back. */
export const OMS_BODY = 64 * 1024;
export const OMS_ID = 128;
/** Requests under way of one session: some last as long as what they ask for. */
export const OMS_CALLS_OF_SESSION = 16;
/** The longest that such a request may last. What it has begun goes on. */
export const OMS_CALL_LONGEST = 3_600_000;
/** How long ago an answer may have been given that will do, seconds, and how many of them are kept: answers, and characters. */
export const OMS_CACHE_LONGEST = 3600;
export const OMS_CACHED = 512;
export const OMS_CACHED_SIZE = 16 * 1024 * 1024;
/** Names of hosts in one request. */
export const OMS_HOSTS = 256;
/** Ports in a pool of consoles. */
export const OMS_PORTS = 256;
/** Consoles that one session has set up, of each kind. */
export const OMS_CONSOLES_OF_SESSION = 8;
/** The part of a pool that the sessions of one account may take together, so that some is left for others; as many as one session may have in any case. */
export const OMS_PORTS_OF_ACCOUNT = 0.75;
/** How long one stays set up that nobody is connected to. */
export const OMS_CONSOLE_UNUSED = 5 * 60_000;
/** How long the guest is asked to shut down before its plug is pulled, where the table does not say. */
export const OMS_STOP_TIMEOUT = '60s';
/** How long a host waits for the proof that it can still be reached before it undoes a change of its network, where the table does not say. */
export const OMS_ROLLBACK = '60s';
